/*
 * Scripts that cannot be started, spawner.c:
 *   - not found or not allowed: the status of the search, and its reason
 *   - exec fails: 500 for what is no program or has none to run it, 403, 431
 *   - a process that could not exec is told of, so that it is reaped
 *   - lack of descriptors or processes: to be tried again, with all that it
 *     needs still there
 *   - no descriptor is left open, whatever happens
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <signal.h>

#include "unit_spawn.h"

/* The number of the next descriptor: it tells whether one is left open. */
static int
next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ(0, close(fd));
	return fd;
}

static void
check_failed(const struct spawn *spawn, int status)
{
	ATF_CHECK_EQ_MSG(status, spawn->status, "%d: %s%s", spawn->status,
	    spawn->reason, spawn->error != 0 ? strerror(spawn->error) : "");
	ATF_CHECK(!spawn->retry);
	ATF_CHECK_EQ(-1, spawn->in);
	ATF_CHECK_EQ(-1, spawn->out);
	ATF_CHECK_EQ(-1, spawn->err);
	ATF_CHECK(spawn->error != 0 || spawn->reason[0] != '\0');
}

/* The search says why. */
ATF_TC_WITHOUT_HEAD(not_found);
ATF_TC_BODY(not_found, tc)
{
	struct world w;
	struct spawn *spawn;
	int fd = next_fd();

	world_init(&w);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/none", NULL);
	check_failed(spawn, 404);
	ATF_CHECK_EQ(-1, spawn->pid);
	ATF_CHECK(spawn->reason[0] != '\0');
	spawn_free(spawn);
	spawn = world_spawn(&w, "SCRIPT_FILENAME", "/bin/sh", NULL);
	check_failed(spawn, 403);
	ATF_CHECK_EQ(-1, spawn->pid);
	spawn_free(spawn);
	ATF_CHECK_EQ(fd, next_fd());
	world_clear(&w);
	spawn_free(NULL);
}

/* No program, or one that the kernel cannot run: exec says so, and it ends. */
ATF_TC_WITHOUT_HEAD(no_program);
ATF_TC_BODY(no_program, tc)
{
	static const char *const contents[] = { "", "\001\002garbage",
		"echo no first line\n" };
	struct world w;
	struct spawn *spawn;
	int fd = next_fd();
	size_t i;

	world_init(&w);
	for (i = 0; i < 3; i++) {
		site_file("tree/x", contents[i], 0755);
		spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
		check_failed(spawn, 500);
		ATF_CHECK_EQ(ENOEXEC, spawn->error);
		ATF_CHECK_EQ(127, world_reap(spawn));
		spawn_free(spawn);
	}
	ATF_CHECK_EQ(fd, next_fd());
	world_clear(&w);
}

/* The script is there; what its first line names is not: not a 404. */
ATF_TC_WITHOUT_HEAD(no_interpreter);
ATF_TC_BODY(no_interpreter, tc)
{
	struct world w;
	struct spawn *spawn;

	world_skip_under_valgrind();
	world_init(&w);
	site_file("tree/x", "#!/no/such/interpreter\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	check_failed(spawn, 500);
	ATF_CHECK_EQ(127, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* An environment that exec does not take is the request's fault. */
ATF_TC_WITHOUT_HEAD(too_big);
ATF_TC_BODY(too_big, tc)
{
	struct world w;
	struct spawn *spawn;
	char *value;

	world_init(&w);
	ATF_REQUIRE((value = malloc(300000)) != NULL);
	memset(value, 'v', 300000);
	value[299999] = '\0';
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/true", "HTTP_X", value,
	    NULL);
	if (spawn->status == 0)
		atf_tc_skip("exec takes a string of 300,000 bytes");
	check_failed(spawn, 431);
	(void)world_reap(spawn);
	spawn_free(spawn);
	free(value);
	world_clear(&w);
}

/* Tries with so few descriptors; returns what comes of it. */
static void
work_with_descriptors(struct spawn *spawn, int most)
{
	struct rlimit old, low;

	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	low = old;
	low.rlim_cur = (rlim_t)most;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NOFILE, &low));
	spawn->job.work(&spawn->job);
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

/* One descriptor less than it needs, two less, ...: later it works. */
ATF_TC_WITHOUT_HEAD(no_descriptors);
ATF_TC_BODY(no_descriptors, tc)
{
	struct world w;
	struct spawn *spawn = NULL;
	int fd = next_fd(), more;

	world_init(&w);
	for (more = 0; more < 20; more++) {
		spawn = spawn_new(&w.config);
		ATF_REQUIRE(spawn != NULL);
		ATF_REQUIRE_EQ(0,
		    params_append(&spawn->params,
			(const uint8_t *)"\13\15SCRIPT_NAME/cgi-bin/true", 26,
			100));
		ATF_REQUIRE(params_decode(&spawn->params) == NULL);
		work_with_descriptors(spawn, fd + more);
		if (spawn->status == 0)
			break;
		ATF_CHECK(spawn->retry);
		ATF_CHECK_EQ(503, spawn->status);
		ATF_CHECK(spawn->error == EMFILE);
		ATF_CHECK_EQ(-1, spawn->pid);
		ATF_CHECK_EQ(fd, next_fd());
		spawn->job.work(&spawn->job);
		ATF_REQUIRE_EQ(0, spawn->status);
		ATF_CHECK(!spawn->retry);
		ATF_CHECK_EQ(0, world_reap(spawn));
		spawn_free(spawn);
		ATF_CHECK_EQ(fd, next_fd());
	}
	ATF_CHECK(more > 5 && more < 20);
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* No process to be had: EAGAIN, and later it works. */
ATF_TC_WITHOUT_HEAD(no_processes);
ATF_TC_BODY(no_processes, tc)
{
	struct world w;
	struct spawn *spawn;
	struct rlimit old, low;
	int fd = next_fd();

	if (geteuid() == 0)
		atf_tc_skip("the limit of processes does not bind root");
	world_init(&w);
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NPROC, &old));
	low = old;
	low.rlim_cur = 1;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NPROC, &low));
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/true", NULL);
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NPROC, &old));
	ATF_CHECK_EQ(503, spawn->status);
	ATF_CHECK(spawn->retry);
	ATF_CHECK_EQ(EAGAIN, spawn->error);
	ATF_CHECK_EQ(-1, spawn->pid);
	ATF_CHECK_EQ(fd, next_fd());
	spawn->job.work(&spawn->job);
	ATF_REQUIRE_EQ(0, spawn->status);
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
	world_clear(&w);
}

/* What is not taken from it, it closes itself: the script gets its end. */
ATF_TC_WITHOUT_HEAD(freed);
ATF_TC_BODY(freed, tc)
{
	struct world w;
	struct spawn *spawn;
	struct spawn copy;
	int fd = next_fd();

	world_init(&w);
	site_file("tree/x", "#!/bin/sh\nexec cat\n", 0755);
	spawn = world_spawn(&w, "SCRIPT_NAME", "/cgi-bin/x", NULL);
	ATF_REQUIRE_EQ(0, spawn->status);
	copy = *spawn;
	spawn_free(spawn);
	ATF_CHECK_EQ(fd, next_fd());
	ATF_CHECK_EQ(0, world_reap(&copy));
	/* one that was never begun */
	ATF_REQUIRE((spawn = spawn_new(&w.config)) != NULL);
	ATF_CHECK_EQ(503, spawn->status);
	ATF_CHECK_EQ(-1, spawn->pid);
	spawn_free(spawn);
	world_clear(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, not_found);
	ATF_TP_ADD_TC(tp, no_program);
	ATF_TP_ADD_TC(tp, no_interpreter);
	ATF_TP_ADD_TC(tp, too_big);
	ATF_TP_ADD_TC(tp, no_descriptors);
	ATF_TP_ADD_TC(tp, no_processes);
	ATF_TP_ADD_TC(tp, freed);
	return atf_no_error();
}
