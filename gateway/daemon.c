/*
 * A server process from its start to its end; see daemon.h.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "conn.h"
#include "daemon.h"
#include "limit.h"
#include "log.h"

/* Descriptors that accepted connections leave to others. */
#define FD_RESERVE 64

#define CALLBACKS_MAX 1024 /* of one turn of the event loop */

void
daemon_fail(struct daemon *d, const char *what, const char *why)
{
	(void)fprintf(stderr, "%s: %s: %s\n", d->name, what, why);
	if (d->listeners.server != NULL)
		listeners_close(&d->listeners);
	exit(1);
}

void
daemon_check(struct daemon *d)
{
	if (d->phase == DAEMON_RUNNING || d->server.nconns > 0 ||
	    (d->busy != NULL && d->busy(d->arg) > 0))
		return;
	(void)event_base_loopexit(d->base, NULL);
}

static void
conn_gone(void *arg)
{
	struct daemon *d = arg;

	if (d->phase == DAEMON_RUNNING)
		listeners_resume(&d->listeners);
	daemon_check(d);
}

static void
set_deadline(struct daemon *d, int64_t ms)
{
	struct timeval tv = clock_timeval(ms);

	(void)evtimer_add(&d->deadline, &tv);
}

static void
say_stopping(const struct daemon *d, const char *what)
{
	if (d->busy == NULL)
		log_info("%s: %u connections", what, d->server.nconns);
	else
		log_info("%s: %u connections, %u %s", what, d->server.nconns,
		    d->busy(d->arg), d->busy_name);
}

static void
drain(struct daemon *d)
{
	say_stopping(d, "stopping");
	listeners_close(&d->listeners);
	server_drain(&d->server);
	set_deadline(d, d->server.limits->drain);
	if (d->drain != NULL)
		d->drain(d->arg);
}

static void
kill_all(struct daemon *d)
{
	struct conn *conn;

	say_stopping(d, "stopping now");
	while ((conn = TAILQ_FIRST(&d->server.conns)) != NULL)
		conn_free(conn);
	set_deadline(d, d->kill != NULL ? d->kill(d->arg) : 0);
}

static void
set_phase(struct daemon *d, enum daemon_phase phase)
{
	d->phase = phase;
	if (phase == DAEMON_DRAINING)
		drain(d);
	else
		kill_all(d);
	daemon_check(d);
}

static void
stop_cb(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig;
	(void)what;
	if (d->phase == DAEMON_RUNNING)
		set_phase(d, DAEMON_DRAINING);
	else /* at once: nothing more is waited for */
		(void)event_base_loopexit(d->base, NULL);
}

static void
deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (d->phase == DAEMON_DRAINING)
		set_phase(d, DAEMON_KILLING);
	else
		(void)event_base_loopexit(d->base, NULL);
}

static void
hangup_cb(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	log_reopen();
}

static void
ignore_signal(int sig)
{
	(void)sig;
}

/*
 * Nothing is ignored: exec resets handlers, but what is ignored stays so, and
 * programs that are started shall find the default.
 */
static void
reset_signals(void)
{
	struct sigaction action;
	sigset_t none;
	int sig;

	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_DFL;
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL);
	action.sa_handler = ignore_signal;
	action.sa_flags = SA_RESTART;
	(void)sigaction(SIGPIPE, &action, NULL);
	(void)sigaction(SIGXFSZ, &action, NULL);
	/* those that may come before anybody waits for them */
	(void)sigaction(SIGHUP, &action, NULL);
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors 0 to 2 must not become a socket or a pipe. */
static void
open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

static void
raise_files(struct daemon *d)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &d->nofile) == -1)
		daemon_fail(d, "getrlimit", strerror(errno));
	all = d->nofile;
	all.rlim_cur = all.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &all) == -1)
		all = d->nofile;
	d->files = all.rlim_cur > INT32_MAX ? INT32_MAX : all.rlim_cur;
}

void
daemon_prepare(struct daemon *d)
{
	reset_signals();
	open_standard_fds();
	(void)umask(022);
	closefrom(STDERR_FILENO + 1 + listeners_passed());
	raise_files(d);
}

static void
event_log(int severity, const char *text)
{
	log_line(severity == EVENT_LOG_DEBUG ? LEVEL_DEBUG : LEVEL_WARNING,
	    "libevent: %s", text);
}

static struct event_base *
new_base(void)
{
	struct event_config *config;
	struct event_base *base;

	event_set_log_callback(event_log);
	if ((config = event_config_new()) == NULL)
		return NULL;
	/* a peer's close must be noticed while its input is not read */
	(void)event_config_require_features(config, EV_FEATURE_EARLY_CLOSE);
	(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/* call-backs that make more of them must not keep it from sockets */
	(void)event_config_set_max_dispatch_interval(config, NULL,
	    CALLBACKS_MAX, 0);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
daemon_open(struct daemon *d, const struct limits *limits,
    const char *spool_dir)
{
	/* no connection is accepted above this descriptor */
	int n,
	    max_fd = (int)(d->files > 4 * FD_RESERVE ? d->files - FD_RESERVE :
						       d->files / 4 * 3);

	if ((d->base = new_base()) == NULL ||
	    server_init(&d->server, d->base, limits, spool_dir) == -1)
		daemon_fail(d, "start", strerror(errno));
	d->server.conn_gone = conn_gone;
	d->server.conn_gone_arg = d;
	if (listeners_init(&d->listeners, &d->server, max_fd) == -1)
		daemon_fail(d, "FCGI_WEB_SERVER_ADDRS", strerror(errno));
	if ((n = listeners_inherit(&d->listeners)) == -1)
		daemon_fail(d, "inherited socket", strerror(errno));
	return n;
}

void
daemon_listen(struct daemon *d, const char *socket)
{
	char why[256];
	const char *wrong;

	if ((wrong = listeners_open(&d->listeners, socket)) == NULL)
		return;
	(void)snprintf(why, sizeof why, "%s%s%s", wrong, errno != 0 ? ": " : "",
	    errno != 0 ? strerror(errno) : "");
	daemon_fail(d, socket, why);
}

static int
start(struct daemon *d)
{
	(void)evsignal_assign(&d->term, d->base, SIGTERM, stop_cb, d);
	(void)evsignal_assign(&d->interrupt, d->base, SIGINT, stop_cb, d);
	(void)evsignal_assign(&d->hangup, d->base, SIGHUP, hangup_cb, d);
	(void)evtimer_assign(&d->deadline, d->base, deadline_cb, d);
	if (evsignal_add(&d->term, NULL) == -1 ||
	    evsignal_add(&d->interrupt, NULL) == -1 ||
	    evsignal_add(&d->hangup, NULL) == -1 ||
	    pulse_init(&d->pulse, d->base) == -1)
		return -1;
	return listeners_start(&d->listeners);
}

int
daemon_run(struct daemon *d)
{
	int rc;

	if (start(d) == -1)
		daemon_fail(d, "start", strerror(errno));
	if ((rc = event_base_dispatch(d->base)) == -1)
		log_error("event loop: %s", strerror(errno));
	listeners_close(&d->listeners);
	server_clear(&d->server);
	return rc == -1 ? -1 : 0;
}

void
daemon_clear(struct daemon *d)
{
	(void)evsignal_del(&d->term);
	(void)evsignal_del(&d->interrupt);
	(void)evsignal_del(&d->hangup);
	(void)evtimer_del(&d->deadline);
	pulse_clear(&d->pulse);
	event_base_free(d->base);
	log_info("stopped");
	log_close();
}
