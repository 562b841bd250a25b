/*
 * afcgi: runs CGI scripts for web servers that speak FastCGI.
 *
 * main.c puts the two parts together: the FastCGI server, which daemon.c
 * starts and ends, and cgi.c, its handler.  In reading order: listener.c
 * accepts connections; conn.c and records.c take their records; request.c and
 * input.c hold what they say; cgi.c, spawner.c, script.c and env.c start a
 * script; run.c lives with it; response.c checks what it answers; output.c
 * sends it.
 */
#include <sys/types.h>
#include <sys/resource.h>

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgi.h"
#include "daemon.h"
#include "log.h"
#include "options.h"

#define AFCGI_VERSION "0.1"

/* ms from TERM to KILL, at most, once there is no time left to drain. */
#define GRACE_MAX 3000

static struct afcgi {
	struct options options;
	struct spawn_config spawn;
	struct daemon daemon;
	struct cgi cgi;
} afcgi;

static _Noreturn void
fail(const char *what, const char *why)
{
	daemon_fail(&afcgi.daemon, what, why);
}

static unsigned
count_scripts(void *arg)
{
	(void)arg;
	return afcgi.cgi.nruns;
}

static void
scripts_gone(void *arg)
{
	(void)arg;
	daemon_check(&afcgi.daemon);
}

static int64_t
kill_scripts(void *arg)
{
	int64_t grace = afcgi.options.cgi_limits.grace;

	(void)arg;
	cgi_kill_all(&afcgi.cgi);
	return grace < GRACE_MAX ? grace : GRACE_MAX;
}

static void
fit_limits(void)
{
	struct options *o = &afcgi.options;
	uint64_t memory, scripts;
	struct rlimit nproc;

	if (getrlimit(RLIMIT_NPROC, &nproc) == -1)
		fail("getrlimit", strerror(errno));
	memory =
	    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	scripts = cgi_limits_fit(&o->cgi_limits, afcgi.daemon.files,
	    nproc.rlim_cur, memory);
	limits_fit(&o->limits, afcgi.daemon.files, scripts);
}

static void
open_sockets(void)
{
	const struct options *o = &afcgi.options;
	struct daemon *d = &afcgi.daemon;
	size_t i;
	int n;

	n = daemon_open(d, &o->limits, o->spool_dir);
	d->listeners.rights.mode = o->mode;
	d->listeners.rights.owner = o->owner;
	d->listeners.rights.group = o->group;
	d->listeners.uids = o->uids;
	d->listeners.nuids = o->nuids;
	for (i = 0; i < o->nsockets; i++)
		daemon_listen(d, o->sockets[i]);
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
start_handler(void)
{
	const struct options *o = &afcgi.options;
	struct daemon *d = &afcgi.daemon;

	afcgi.spawn.trees = &o->trees;
	afcgi.spawn.extra = (const char *const *)o->extra;
	afcgi.spawn.isindex = o->isindex;
	afcgi.spawn.nofile = d->nofile;
	if (cgi_init(&afcgi.cgi, d->base, &o->cgi_limits, &afcgi.spawn,
		o->threads) == -1)
		fail("start", strerror(errno));
	afcgi.cgi.empty = scripts_gone;
	d->server.handler = &cgi_handler;
	d->server.handler_arg = &afcgi.cgi;
	d->server.max_requests = o->cgi_limits.scripts + o->cgi_limits.queue;
	d->busy = count_scripts;
	d->busy_name = "scripts";
	d->kill = kill_scripts;
}

int
main(int argc, char **argv)
{
	struct options *o = &afcgi.options;
	int rc;

	if (options_read(o, argc, argv) == -1)
		return 1;
	if (o->version) {
		(void)printf("afcgi %s\n", AFCGI_VERSION);
		options_clear(o);
		return 0;
	}
#ifdef __GLIBC__
	/* spawner threads free what the loop has allocated: one arena */
	(void)mallopt(M_ARENA_MAX, 1);
#endif
	afcgi.daemon.name = "afcgi";
	daemon_prepare(&afcgi.daemon);
	fit_limits();
	open_sockets();
	if (log_open(o->log_file, o->debug) == -1)
		fail(o->log_file != NULL ? o->log_file : "log",
		    strerror(errno));
	become_user();
	if (access(o->spool_dir, W_OK | X_OK) == -1)
		log_warning("no large input can be kept: %s: %s", o->spool_dir,
		    strerror(errno));
	start_handler();
	rc = daemon_run(&afcgi.daemon);
	cgi_clear(&afcgi.cgi);
	daemon_clear(&afcgi.daemon);
	options_clear(o);
	return rc == -1 ? 1 : 0;
}
