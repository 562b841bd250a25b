/*
 * A program that hangs in exec, on a file system that does not answer, starting
 * from spawner.c and pool.c:
 *   - it has its own pipes and nothing of any other script's: those that run
 *     already and those that start later come to their ends
 *   - its thread waits for it, the others do not
 *   - killed, it is a script like any that was killed
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>

#include "../gateway/handover.h"
#include "unit_spawn.h"

#define HUNG_MAX 8

/* What the children of vfork, or of fork, tell: each puts its number there. */
static struct hung {
	_Atomic int reserved;
	_Atomic int n; /* that hang */
	_Atomic pid_t pids[HUNG_MAX];
} * hung;

struct fixture {
	struct world world;
	struct event_base *base;
	struct handover handover;
	struct pool *pool;
};

/* In place of the C library's.  In a child of vfork: system calls only. */
int
execve(const char *path, char *const argv[], char *const envp[])
{
	const char *name = strrchr(path, '/');

	if (name != NULL && strcmp(name, "/hang") == 0) {
		hung->pids[hung->reserved++] = (pid_t)syscall(SYS_getpid);
		hung->n++;
		for (;;)
			(void)pause();
	}
	return (int)syscall(SYS_execve, path, argv, envp);
}

static void
setup(struct fixture *f)
{
	world_skip_under_valgrind();
	world_init(&f->world);
	site_script("tree/hang");
	site_file("tree/cat", "#!/bin/sh\nexec cat\n", 0755);
	hung = mmap(NULL, sizeof *hung, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(hung != MAP_FAILED);
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	ATF_REQUIRE_EQ(0, handover_init(&f->handover));
	f->pool = pool_new_apart(f->base, 2, f->handover.giver);
	ATF_REQUIRE(f->pool != NULL);
}

static void
teardown(struct fixture *f)
{
	pool_free(f->pool);
	handover_clear(&f->handover);
	event_base_free(f->base);
	world_clear(&f->world);
}

static void
done(struct job *job)
{
	struct spawn *spawn = (struct spawn *)(void *)job;

	spawn->owner = NULL;
}

static int
is_done(void *arg)
{
	return ((struct spawn *)arg)->owner == NULL;
}

/* Submits the start of a script; name is its path. */
static struct spawn *
submit(struct fixture *f, const char *name)
{
	struct spawn *spawn = spawn_new(&f->world.config);
	struct bytes stream = { 0 };

	ATF_REQUIRE(spawn != NULL);
	bytes_pair(&stream, "SCRIPT_NAME", name);
	ATF_REQUIRE_EQ(0,
	    params_append(&spawn->params, stream.p, stream.len, 1000));
	ATF_REQUIRE(params_decode(&spawn->params) == NULL);
	bytes_free(&stream);
	spawn->giver = f->handover.giver;
	spawn->owner = spawn; /* until done */
	spawn->job.done = done;
	pool_submit(f->pool, &spawn->job);
	return spawn;
}

static void
wait_started(struct fixture *f, struct spawn *spawn)
{
	ATF_REQUIRE(unit_loop(f->base, is_done, spawn));
	ATF_REQUIRE_EQ_MSG(0, spawn->status, "%d", spawn->error);
	ATF_REQUIRE_EQ(0, handover_take(&f->handover, spawn));
}

static int
hang(void *arg)
{
	return hung->n >= *(int *)arg;
}

static void
wait_hung(struct fixture *f, int n)
{
	ATF_REQUIRE(unit_loop(f->base, hang, &n));
}

/* It gets the end of its input and then we that of its output. */
static void
check_ends(struct spawn *spawn)
{
	ATF_REQUIRE_EQ(5, write(spawn->in, "hello", 5));
	ATF_REQUIRE_EQ(0, close(spawn->in));
	spawn->in = -1;
	world_check_output(spawn->out, "hello");
	world_check_output(spawn->err, "");
	ATF_CHECK_EQ(0, world_reap(spawn));
	spawn_free(spawn);
}

/* Standard descriptors, and the one by which it would tell of an error. */
static void
check_descriptors(pid_t pid)
{
	const struct dirent *entry;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
	if ((dir = opendir(path)) == NULL)
		atf_tc_skip("there is no /proc");
	while ((entry = readdir(dir)) != NULL)
		ATF_CHECK_MSG(entry->d_name[0] == '.' ||
			strtol(entry->d_name, NULL, 10) <= 3,
		    "it has descriptor %s", entry->d_name);
	(void)closedir(dir);
}

/* One runs when it begins to hang, and one is started meanwhile. */
ATF_TC_WITHOUT_HEAD(others);
ATF_TC_BODY(others, tc)
{
	struct fixture f;
	struct spawn *before, *hangs, *after;

	setup(&f);
	before = submit(&f, "/cgi-bin/cat");
	wait_started(&f, before);
	hangs = submit(&f, "/cgi-bin/hang");
	wait_hung(&f, 1);
	after = submit(&f, "/cgi-bin/cat");
	wait_started(&f, after);
	ATF_CHECK(!is_done(hangs));
	check_descriptors(hung->pids[0]);
	check_ends(before);
	check_ends(after);
	ATF_CHECK(!is_done(hangs));
	ATF_REQUIRE_EQ(0, kill(hung->pids[0], SIGKILL));
	/* nobody has said that exec failed */
	wait_started(&f, hangs);
	ATF_CHECK_EQ(hung->pids[0], hangs->pid);
	world_check_output(hangs->out, "");
	ATF_CHECK_EQ(128 + SIGKILL, world_reap(hangs));
	spawn_free(hangs);
	teardown(&f);
}

/* All threads hang: after a second there is another one. */
ATF_TC_WITHOUT_HEAD(all_threads);
ATF_TC_BODY(all_threads, tc)
{
	struct fixture f;
	struct spawn *before, *hangs[2], *after[2];
	int i;

	setup(&f);
	before = submit(&f, "/cgi-bin/cat");
	wait_started(&f, before);
	for (i = 0; i < 2; i++)
		hangs[i] = submit(&f, "/cgi-bin/hang");
	wait_hung(&f, 2);
	unit_loop_for(f.base, 1100);
	for (i = 0; i < 2; i++)
		after[i] = submit(&f, "/cgi-bin/cat");
	for (i = 0; i < 2; i++)
		wait_started(&f, after[i]);
	check_ends(before);
	check_ends(after[1]);
	check_ends(after[0]);
	for (i = 0; i < 2; i++) {
		check_descriptors(hung->pids[i]);
		ATF_REQUIRE_EQ(0, kill(hung->pids[i], SIGKILL));
	}
	for (i = 0; i < 2; i++) {
		wait_started(&f, hangs[i]);
		ATF_CHECK_EQ(128 + SIGKILL, world_reap(hangs[i]));
		spawn_free(hangs[i]);
	}
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, all_threads);
	return atf_no_error();
}
