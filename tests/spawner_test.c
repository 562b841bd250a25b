/*
 * Starting scripts, spawner.c, with real ones:
 *   - three pipes, non-blocking and closed on exec; no other descriptor
 *     reaches the script; its directory, arguments and environment
 *   - a session and process group of its own, all signals as at first
 *   - the limit of descriptors that was asked for
 * What fails is in spawner_fail_test.c.
 */
#include <errno.h>
#include <signal.h>

#include "unit_spawn.h"

/* What goes in comes out, on each of the pipes; then the exit code. */
ATF_TC_WITHOUT_HEAD(pipes);
ATF_TC_BODY(pipes, tc)
{
	struct world w;
	struct spawn *spawn;
	const int *fds[3];
	int i;

	world_init(&w);
	site_file("tree/x", "#!/bin/sh\ncat; echo oops >&2; exit 7\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ_MSG(0, spawn->status, "%d", spawn->error);
	ATF_CHECK(!spawn->retry);
	ATF_CHECK(spawn->name != NULL &&
	    strcmp(strrchr(spawn->name, '/'), "/x") == 0);
	fds[0] = &spawn->in;
	fds[1] = &spawn->out;
	fds[2] = &spawn->err;
	for (i = 0; i < 3; i++) {
		ATF_CHECK((fcntl(*fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		ATF_CHECK((fcntl(*fds[i], F_GETFL) & O_NONBLOCK) != 0);
	}
	ATF_REQUIRE_EQ(5, write(spawn->in, "hello", 5));
	ATF_REQUIRE_EQ(0, close(spawn->in));
	spawn->in = -1;
	world_check_output(spawn->out, "hello");
	world_check_output(spawn->err, "oops\n");
	ATF_CHECK_EQ(7, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* Descriptors of ours that are closed on exec are not the script's. */
ATF_TC_WITHOUT_HEAD(descriptors);
ATF_TC_BODY(descriptors, tc)
{
	struct world w;
	struct spawn *spawn;
	int fd;

	if (access("/proc/self/fd", X_OK) == -1)
		atf_tc_skip("there is no /proc/self/fd");
	world_init(&w);
	for (fd = 3; fd < 4096; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* ls opens the directory, as 3 */
	site_file("tree/x", "#!/bin/sh\nexec ls /proc/self/fd\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	world_check_output(spawn->out, "0\n1\n2\n3\n");
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* Its directory is the script's; $0 is its whole path; variables arrive. */
ATF_TC_WITHOUT_HEAD(surroundings);
ATF_TC_BODY(surroundings, tc)
{
	static const char *const extra[] = { "EXTRA=more", NULL };
	struct world w;
	struct spawn *spawn;
	char *want;

	world_init(&w);
	w.config.extra = extra;
	w.config.isindex = 1;
	site_file("tree/sub/x",
	    "#!/bin/sh\necho \"$0|$1|$2|$(pwd -P)|$PATH_INFO|$EXTRA|$HTTP_A\"\n",
	    0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/sub/x/info", "HTTP_A",
	    "a b", "QUERY_STRING", "one+two", "REQUEST_METHOD", "GET", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	ATF_REQUIRE(asprintf(&want,
			"%s/tree/sub/x|one|two|%s/tree/sub|/info|more|a b\n",
			w.site.top, w.site.top) != -1);
	world_check_output(spawn->out, want);
	free(want);
	world_check_output(spawn->err, "");
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* Through an interpreter: that runs, with the script as its argument. */
ATF_TC_WITHOUT_HEAD(interpreter);
ATF_TC_BODY(interpreter, tc)
{
	struct world w;
	struct spawn *spawn;

	world_init(&w);
	ATF_REQUIRE(trees_add_interpreter(&w.site.trees, ".x=/bin/sh") == NULL);
	site_file("tree/a.x", "echo \"$REDIRECT_STATUS ${0##*/}\"\n", 0644);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/a.x", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	world_check_output(spawn->out, "200 a.x\n");
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* It leads a session and a group: both have the number of its process. */
ATF_TC_WITHOUT_HEAD(session);
ATF_TC_BODY(session, tc)
{
	struct world w;
	struct spawn *spawn;

	world_init(&w);
	site_file("tree/x", "#!/bin/sh\nexec cat\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	ATF_CHECK_EQ(spawn->pid, getpgid(spawn->pid));
	ATF_CHECK_EQ(spawn->pid, getsid(spawn->pid));
	ATF_CHECK_EQ(0, kill(-spawn->pid, SIGTERM));
	ATF_CHECK_EQ(128 + SIGTERM, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* Nothing that we block or ignore is blocked or ignored there. */
ATF_TC_WITHOUT_HEAD(signals);
ATF_TC_BODY(signals, tc)
{
	static const int ours[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	struct world w;
	struct spawn *spawn;
	struct bytes out = { 0 };
	unsigned long long blocked, ignored;
	const char *p;
	sigset_t all, old;
	size_t i;

	if (access("/proc/self/status", R_OK) == -1)
		atf_tc_skip("there is no /proc/self/status");
	world_init(&w);
	site_file("tree/x", "#!/bin/sh\nexec cat /proc/self/status\n", 0755);
	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		ATF_REQUIRE(signal(ours[i], SIG_IGN) != SIG_ERR);
	ATF_REQUIRE_EQ(0, sigfillset(&all));
	ATF_REQUIRE_EQ(0, sigprocmask(SIG_SETMASK, &all, &old));
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ(0, sigprocmask(SIG_SETMASK, &old, NULL));
	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		ATF_REQUIRE(signal(ours[i], SIG_DFL) != SIG_ERR);
	ATF_REQUIRE_EQ(0, spawn->status);
	world_read(spawn->out, &out);
	ATF_REQUIRE((p = strstr((char *)out.p, "SigBlk:")) != NULL);
	blocked = strtoull(p + 7, NULL, 16);
	ATF_CHECK_EQ_MSG(0, blocked, "%llx", blocked);
	ATF_REQUIRE((p = strstr((char *)out.p, "SigIgn:")) != NULL);
	ignored = strtoull(p + 7, NULL, 16);
	for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
		ATF_CHECK_EQ_MSG(0, ignored >> (ours[i] - 1) & 1, "signal %d",
		    ours[i]);
	ATF_CHECK_EQ(0, world_reap(spawn));
	/* and ours are as they were */
	ATF_REQUIRE_EQ(0, sigprocmask(SIG_SETMASK, NULL, &all));
	ATF_CHECK_EQ(sigismember(&old, SIGTERM), sigismember(&all, SIGTERM));
	bytes_free(&out);
	spawn_free(spawn);
	world_clear(&w);
}

/* We may have raised our limit of descriptors; the script gets its own. */
ATF_TC_WITHOUT_HEAD(limit);
ATF_TC_BODY(limit, tc)
{
	struct world w;
	struct spawn *spawn;

	world_skip_under_valgrind();
	world_init(&w);
	w.config.nofile.rlim_cur = 57;
	site_file("tree/x", "#!/bin/sh\nulimit -S -n\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	world_check_output(spawn->out, "57\n");
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, pipes);
	ATF_TP_ADD_TC(tp, descriptors);
	ATF_TP_ADD_TC(tp, surroundings);
	ATF_TP_ADD_TC(tp, interpreter);
	ATF_TP_ADD_TC(tp, session);
	ATF_TP_ADD_TC(tp, signals);
	ATF_TP_ADD_TC(tp, limit);
	return atf_no_error();
}
