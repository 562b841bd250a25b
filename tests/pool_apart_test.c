/*
 * Threads with descriptor tables of their own, pool_new_apart in pool.c:
 *   - in a table are the standard descriptors, the one to keep and the pool's
 *     own, wherever their numbers are, and nothing else that was open before
 *   - what the event loop opens later does not appear there, nor does what a
 *     job leaves open appear in the loop's table, or in another thread's
 *   - a thread that is added later has a table like that, too
 *   - without one of its own a thread sees what the loop has
 * Jobs are as they are in pool_test.c.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "../gateway/pool.h"
#include "unit.h"

#define FDS_MAX 256 /* numbers that are looked at */

struct fixture {
	struct event_base *base;
	struct pool *pool;
	int before[2]; /* open when the pool was made: a pipe */
	int keep;
	char table[FDS_MAX]; /* the loop's, with the pool */
};

/* What is open on a thread: 1 for each number. */
struct task {
	struct job job; /* first: a job is a task */
	const char *leave; /* a file to leave open, or NULL */
	int left;
	int held; /* a socket: says that it works, and waits there; or -1 */
	int error;
	char table[FDS_MAX];
	int done;
};

static int
read_table(char table[FDS_MAX])
{
	const struct dirent *entry;
	DIR *dir;
	long fd;

	memset(table, 0, FDS_MAX);
	if ((dir = opendir("/proc/thread-self/fd")) == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		fd = strtol(entry->d_name, NULL, 10);
		if (fd != dirfd(dir) && fd < FDS_MAX)
			table[fd] = 1;
	}
	return closedir(dir);
}

static void
work(struct job *job)
{
	struct task *task = (struct task *)(void *)job;
	char c;

	if (task->leave != NULL)
		task->left = open(task->leave, O_RDONLY | O_CLOEXEC);
	task->error = read_table(task->table);
	if (task->held != -1 && write(task->held, "", 1) == 1)
		(void)!read(task->held, &c, 1);
}

static void
done(struct job *job)
{
	((struct task *)(void *)job)->done = 1;
}

static void
skip_without_tables(void)
{
#if defined __SANITIZE_THREAD__
	atf_tc_skip("this sanitizer takes equal numbers for one descriptor");
#elif defined CLONE_FILES
	/* does nothing here, where there is one thread, but may be forbidden */
	if (unshare(CLONE_FILES) == -1)
		atf_tc_skip("threads cannot have tables of their own");
#else
	atf_tc_skip("threads cannot have tables of their own");
#endif
}

static void
setup(struct fixture *f, unsigned threads, int keep)
{
	memset(f, 0, sizeof *f);
	f->keep = keep;
	if (read_table(f->table) == -1)
		atf_tc_skip("there is no /proc/thread-self/fd");
	if (keep != -1)
		skip_without_tables();
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	ATF_REQUIRE_EQ(0, pipe2(f->before, O_CLOEXEC));
	f->pool = keep == -1 ? pool_new(f->base, threads) :
			       pool_new_apart(f->base, threads, keep);
	ATF_REQUIRE(f->pool != NULL);
	ATF_REQUIRE_EQ(0, read_table(f->table));
}

static void
teardown(struct fixture *f)
{
	pool_free(f->pool);
	event_base_free(f->base);
	(void)close(f->before[0]);
	(void)close(f->before[1]);
}

static void
submit(struct fixture *f, struct task *task, const char *leave, int held)
{
	memset(task, 0, sizeof *task);
	task->job.work = work;
	task->job.done = done;
	task->leave = leave;
	task->left = -1;
	task->held = held;
	pool_submit(f->pool, &task->job);
}

static int
is_done(void *arg)
{
	return ((struct task *)arg)->done;
}

static void
wait_done(struct fixture *f, struct task *task)
{
	ATF_REQUIRE(unit_loop(f->base, is_done, task));
	ATF_REQUIRE_EQ(0, task->error);
}

/*
 * A thread's table has the standard descriptors and the one to keep, and one
 * end of the pool's pipe, which was not there before the pool was.
 */
static void
check_table(const struct fixture *f, const struct task *task)
{
	int fd, mine = 0;

	for (fd = 0; fd < FDS_MAX; fd++) {
		if (fd <= STDERR_FILENO || fd == f->keep)
			ATF_CHECK_EQ_MSG(f->table[fd], task->table[fd], "%d",
			    fd);
		else if (fd != task->left && task->table[fd]) {
			ATF_CHECK_MSG(f->table[fd], "%d is open", fd);
			ATF_CHECK(fd != f->before[0] && fd != f->before[1]);
			mine++;
		}
	}
	ATF_CHECK_EQ_MSG(1, mine, "%d are open", mine);
}

/* A descriptor of the lowest free number from there on. */
static int
free_fd(int least)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, least);

	ATF_REQUIRE(fd != -1);
	return fd;
}

/* The one to keep has a number below the pool's own, or above, or next to. */
ATF_TC_WITHOUT_HEAD(table);
ATF_TC_BODY(table, tc)
{
	static const int least[] = { 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		16, 17, 18, 19, 20, 100, 255 };
	struct fixture f;
	struct task task;
	size_t i;
	int keep;

	for (i = 0; i < sizeof least / sizeof least[0]; i++) {
		keep = free_fd(least[i]);
		setup(&f, 1, keep);
		submit(&f, &task, NULL, -1);
		wait_done(&f, &task);
		check_table(&f, &task);
		teardown(&f);
		ATF_REQUIRE_EQ(0, close(keep));
	}
}

/* The loop goes on opening; nothing of that comes to a thread. */
ATF_TC_WITHOUT_HEAD(later);
ATF_TC_BODY(later, tc)
{
	struct fixture f;
	struct task task;
	int fds[20], i, keep = free_fd(0);

	setup(&f, 1, keep);
	submit(&f, &task, NULL, -1);
	wait_done(&f, &task);
	for (i = 0; i < 20; i++)
		fds[i] = free_fd(0);
	submit(&f, &task, NULL, -1);
	wait_done(&f, &task);
	check_table(&f, &task);
	/* what the loop closes stays open there: only threads close theirs */
	for (i = 0; i < 20; i++)
		(void)close(fds[i]);
	(void)close(keep);
	submit(&f, &task, NULL, -1);
	wait_done(&f, &task);
	check_table(&f, &task);
	teardown(&f);
}

/* What a job leaves open is that thread's, and nobody else's. */
ATF_TC_WITHOUT_HEAD(left_open);
ATF_TC_BODY(left_open, tc)
{
	struct fixture f;
	struct task tasks[2];
	char now[FDS_MAX];
	int keep = free_fd(0);

	setup(&f, 1, keep);
	submit(&f, &tasks[0], "/dev/null", -1);
	wait_done(&f, &tasks[0]);
	ATF_REQUIRE(tasks[0].left > STDERR_FILENO);
	ATF_REQUIRE(tasks[0].left < FDS_MAX);
	check_table(&f, &tasks[0]);
	ATF_REQUIRE_EQ(0, read_table(now));
	ATF_CHECK_EQ(0, memcmp(now, f.table, sizeof now));
	/* the next job of the same thread has it */
	submit(&f, &tasks[1], NULL, -1);
	wait_done(&f, &tasks[1]);
	ATF_CHECK_EQ(1, tasks[1].table[tasks[0].left]);
	tasks[1].left = tasks[0].left;
	check_table(&f, &tasks[1]);
	(void)close(keep);
	teardown(&f);
}

/* Two threads at the same time: either opens the same number. */
ATF_TC_WITHOUT_HEAD(separate);
ATF_TC_BODY(separate, tc)
{
	struct fixture f;
	struct task tasks[2];
	char c[2];
	int i, waits[2];

	ATF_REQUIRE_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, waits));
	setup(&f, 2, waits[0]);
	for (i = 0; i < 2; i++)
		submit(&f, &tasks[i], "/dev/null", waits[0]);
	for (i = 0; i < 2; i++)
		ATF_REQUIRE_EQ(1, read(waits[1], &c[i], 1));
	ATF_REQUIRE_EQ(2, write(waits[1], c, 2));
	for (i = 0; i < 2; i++)
		wait_done(&f, &tasks[i]);
	ATF_CHECK(tasks[0].left > STDERR_FILENO);
	ATF_CHECK_EQ(tasks[0].left, tasks[1].left);
	check_table(&f, &tasks[0]);
	check_table(&f, &tasks[1]);
	(void)close(waits[0]);
	(void)close(waits[1]);
	teardown(&f);
}

/* A thread that is started when the loop has much open has none of it. */
ATF_TC_WITHOUT_HEAD(added);
ATF_TC_BODY(added, tc)
{
	struct fixture f;
	struct task stuck, other[2];
	int fds[20], i, waits[2];
	char c;

	ATF_REQUIRE_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, waits));
	setup(&f, 1, waits[0]);
	submit(&f, &stuck, NULL, waits[0]);
	ATF_REQUIRE_EQ(1, read(waits[1], &c, 1));
	unit_loop_for(f.base, 1100);
	ATF_CHECK(!stuck.done);
	for (i = 0; i < 20; i++)
		fds[i] = free_fd(0);
	for (i = 0; i < 2; i++)
		submit(&f, &other[i], NULL, -1);
	for (i = 0; i < 2; i++)
		wait_done(&f, &other[i]);
	ATF_CHECK(!stuck.done);
	check_table(&f, &other[0]);
	check_table(&f, &other[1]);
	ATF_REQUIRE_EQ(1, write(waits[1], "", 1));
	wait_done(&f, &stuck);
	check_table(&f, &stuck);
	for (i = 0; i < 20; i++)
		(void)close(fds[i]);
	(void)close(waits[0]);
	(void)close(waits[1]);
	teardown(&f);
}

/* Spool files are written through descriptors of the loop's. */
ATF_TC_WITHOUT_HEAD(together);
ATF_TC_BODY(together, tc)
{
	struct fixture f;
	struct task task;
	int fd;

	setup(&f, 1, -1);
	fd = free_fd(0);
	ATF_REQUIRE(fd < FDS_MAX);
	submit(&f, &task, NULL, -1);
	wait_done(&f, &task);
	f.table[fd] = 1;
	ATF_CHECK_EQ(0, memcmp(f.table, task.table, sizeof task.table));
	(void)close(fd);
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, table);
	ATF_TP_ADD_TC(tp, later);
	ATF_TP_ADD_TC(tp, left_open);
	ATF_TP_ADD_TC(tp, separate);
	ATF_TP_ADD_TC(tp, added);
	ATF_TP_ADD_TC(tp, together);
	return atf_no_error();
}
