/*
 * afcgi: runs CGI scripts for web servers that speak FastCGI.
 *
 * main.c starts everything and ends it.  In reading order: listener.c accepts
 * connections; conn.c and records.c take their records; request.c and input.c
 * hold what they say; cgi.c, spawner.c, script.c and env.c start a script;
 * run.c lives with it; response.c checks what it answers; output.c sends it.
 *
 *   RUNNING --TERM--> DRAINING --limit drain--> KILLING --> exit
 *                         \____ nothing left, or TERM ____/
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "cgi.h"
#include "clock.h"
#include "conn.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "server.h"

#define AFCGI_VERSION "0.1"

/* Descriptors that accepted connections leave to others. */
#define FD_RESERVE 64

/* ms from TERM to KILL, at most, once there is no time left to drain. */
#define GRACE_MAX 3000

enum phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_KILLING };

static struct afcgi {
	struct options options;
	struct spawn_config spawn;
	struct event_base *base;
	struct server server;
	struct cgi cgi;
	struct listeners listeners;
	struct event term;
	struct event interrupt;
	struct event hangup;
	struct event deadline; /* of draining, then of killing */
	enum phase phase;
} afcgi;

static void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "afcgi: %s: %s\n", what, why);
	if (afcgi.listeners.server != NULL)
		listeners_close(&afcgi.listeners);
	exit(1);
}

/* Leaves the loop when there is nothing more to wait for. */
static void
check_done(void)
{
	if (afcgi.phase == PHASE_RUNNING || afcgi.cgi.nruns > 0 ||
	    afcgi.server.nconns > 0)
		return;
	(void)event_base_loopexit(afcgi.base, NULL);
}

static void
conn_gone(void *arg)
{
	(void)arg;
	if (afcgi.phase == PHASE_RUNNING)
		listeners_resume(&afcgi.listeners);
	check_done();
}

static void
runs_gone(void *arg)
{
	(void)arg;
	check_done();
}

static void
set_deadline(int64_t ms)
{
	struct timeval tv = clock_timeval(ms);

	(void)evtimer_add(&afcgi.deadline, &tv);
}

static void
set_phase(enum phase phase)
{
	struct conn *conn;
	int64_t grace;

	afcgi.phase = phase;
	if (phase == PHASE_DRAINING) {
		log_info("stopping: %u connections, %u scripts",
		    afcgi.server.nconns, afcgi.cgi.nruns);
		listeners_close(&afcgi.listeners);
		server_drain(&afcgi.server);
		set_deadline(afcgi.options.limits.drain);
	} else if (phase == PHASE_KILLING) {
		log_info("stopping now: %u connections, %u scripts",
		    afcgi.server.nconns, afcgi.cgi.nruns);
		while ((conn = TAILQ_FIRST(&afcgi.server.conns)) != NULL)
			conn_free(conn);
		cgi_kill_all(&afcgi.cgi);
		grace = afcgi.options.limits.grace;
		set_deadline(grace < GRACE_MAX ? grace : GRACE_MAX);
	}
	check_done();
}

static void
stop_cb(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	if (afcgi.phase == PHASE_RUNNING)
		set_phase(PHASE_DRAINING);
	else /* at once: whatever still runs gets KILL */
		(void)event_base_loopexit(afcgi.base, NULL);
}

static void
deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (afcgi.phase == PHASE_DRAINING)
		set_phase(PHASE_KILLING);
	else
		(void)event_base_loopexit(afcgi.base, NULL);
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
 * scripts shall find the default.
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

/* Returns the descriptor above which no connection is accepted. */
static int
fit_limits(void)
{
	struct rlimit *nofile = &afcgi.spawn.nofile, all, nproc;
	uint64_t memory, fds;

	if (getrlimit(RLIMIT_NOFILE, nofile) == -1 ||
	    getrlimit(RLIMIT_NPROC, &nproc) == -1)
		fail("getrlimit", strerror(errno));
	all = *nofile;
	all.rlim_cur = all.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &all) == -1)
		all = *nofile;
	memory =
	    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	fds = all.rlim_cur > INT32_MAX ? INT32_MAX : all.rlim_cur;
	limits_fit(&afcgi.options.limits, fds, nproc.rlim_cur, memory);
	return (int)(fds > 4 * FD_RESERVE ? fds - FD_RESERVE : fds / 4 * 3);
}

static void
open_sockets(int max_fd)
{
	struct listeners *all = &afcgi.listeners;
	const struct options *o = &afcgi.options;
	const char *wrong;
	size_t i;
	int n;

	if (listeners_init(all, &afcgi.server, max_fd) == -1)
		fail("FCGI_WEB_SERVER_ADDRS", strerror(errno));
	if ((n = listeners_inherit(all)) == -1)
		fail("inherited socket", strerror(errno));
	all->rights.mode = o->mode;
	all->rights.owner = o->owner;
	all->rights.group = o->group;
	all->uids = o->uids;
	all->nuids = o->nuids;
	for (i = 0; i < o->nsockets; i++) {
		wrong = listeners_open(all, o->sockets[i]);
		if (wrong != NULL) {
			(void)fprintf(stderr, "afcgi: %s: %s%s%s\n",
			    o->sockets[i], wrong, errno != 0 ? ": " : "",
			    errno != 0 ? strerror(errno) : "");
			listeners_close(all);
			exit(1);
		}
	}
	if (o->nsockets == 0 && n == 0)
		fail("no socket", "give -s, or start it with a socket");
}

static void
become_user(void)
{
	const struct options *o = &afcgi.options;

	if (o->user == NULL) {
		if (geteuid() == 0)
			log_warning("running as root, and so do the scripts: "
				    "see -u in afcgi(8)");
		return;
	}
	if (log_chown(o->uid, o->gid) == -1 ||
	    initgroups(o->user, o->gid) == -1 || setgid(o->gid) == -1 ||
	    setuid(o->uid) == -1)
		fail(o->user, strerror(errno));
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
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void
start(void)
{
	struct options *o = &afcgi.options;

	if (log_open(o->log_file, o->debug) == -1)
		fail(o->log_file != NULL ? o->log_file : "log",
		    strerror(errno));
	become_user();
	if (access(o->spool_dir, W_OK | X_OK) == -1)
		log_warning("no large input can be kept: %s: %s", o->spool_dir,
		    strerror(errno));
	afcgi.spawn.trees = &o->trees;
	afcgi.spawn.extra = (const char *const *)o->extra;
	afcgi.spawn.isindex = o->isindex;
	if (cgi_init(&afcgi.cgi, afcgi.base, &o->limits, &afcgi.spawn,
		o->threads) == -1)
		fail("start", strerror(errno));
	afcgi.server.handler = &cgi_handler;
	afcgi.server.handler_arg = &afcgi.cgi;
	afcgi.server.conn_gone = conn_gone;
	afcgi.cgi.empty = runs_gone;
	(void)evsignal_assign(&afcgi.term, afcgi.base, SIGTERM, stop_cb, NULL);
	(void)evsignal_assign(&afcgi.interrupt, afcgi.base, SIGINT, stop_cb,
	    NULL);
	(void)evsignal_assign(&afcgi.hangup, afcgi.base, SIGHUP, hangup_cb,
	    NULL);
	(void)evtimer_assign(&afcgi.deadline, afcgi.base, deadline_cb, NULL);
	if (evsignal_add(&afcgi.term, NULL) == -1 ||
	    evsignal_add(&afcgi.interrupt, NULL) == -1 ||
	    evsignal_add(&afcgi.hangup, NULL) == -1 ||
	    listeners_start(&afcgi.listeners) == -1)
		fail("start", strerror(errno));
}

static void
stop(void)
{
	listeners_close(&afcgi.listeners);
	server_clear(&afcgi.server);
	cgi_clear(&afcgi.cgi);
	(void)evsignal_del(&afcgi.term);
	(void)evsignal_del(&afcgi.interrupt);
	(void)evsignal_del(&afcgi.hangup);
	(void)evtimer_del(&afcgi.deadline);
	event_base_free(afcgi.base);
	log_info("stopped");
	log_close();
	options_clear(&afcgi.options);
}

int
main(int argc, char **argv)
{
	int max_fd, rc;

	if (options_read(&afcgi.options, argc, argv) == -1)
		return 1;
	if (afcgi.options.version) {
		(void)printf("afcgi %s\n", AFCGI_VERSION);
		options_clear(&afcgi.options);
		return 0;
	}
#ifdef __GLIBC__
	/* spawner threads free what the loop has allocated: one arena */
	(void)mallopt(M_ARENA_MAX, 1);
#endif
	reset_signals();
	open_standard_fds();
	(void)umask(022);
	closefrom(STDERR_FILENO + 1 + listeners_passed());
	max_fd = fit_limits();
	if ((afcgi.base = new_base()) == NULL ||
	    server_init(&afcgi.server, afcgi.base, &afcgi.options.limits,
		afcgi.options.spool_dir) == -1)
		fail("start", strerror(errno));
	open_sockets(max_fd);
	start();
	rc = event_base_dispatch(afcgi.base);
	if (rc == -1)
		log_error("event loop: %s", strerror(errno));
	stop();
	return rc == -1 ? 1 : 0;
}
