/*
 * Pipes on their way from a spawner's thread to the event loop, handover.c:
 *   - they are the same pipes, closed on exec, and closed where they came from
 *   - taken in another order than they were given in
 *   - by several threads at once
 *   - what cannot be given is closed; what is never taken is, too
 * A taker without room for them is in handover_full_test.c.
 */
#include <stdio.h>

#include "../gateway/pool.h"
#include "unit_handover.h"

/* On the way they are in nobody's table; then they are what they were. */
ATF_TC_WITHOUT_HEAD(give_take);
ATF_TC_BODY(give_take, tc)
{
	struct handover h;
	struct passed p;
	int i, n, ours[3], other;

	setup(&h);
	ATF_CHECK((fcntl(h.giver, F_GETFD) & FD_CLOEXEC) != 0);
	ATF_CHECK((fcntl(h.taker, F_GETFD) & FD_CLOEXEC) != 0);
	n = count_fds();
	passed_init(&p, ours);
	ATF_REQUIRE_EQ(0, handover_give(h.giver, p.spawn, ours));
	for (i = 0; i < 3; i++)
		ATF_CHECK_EQ(-1, fcntl(ours[i], F_GETFD));
	ATF_CHECK_EQ(-1, p.spawn->in);
	ATF_CHECK_EQ(n + 3, count_fds());
	/* other numbers are no matter */
	ATF_REQUIRE((other = dup(STDERR_FILENO)) != -1);
	ATF_REQUIRE_EQ(0, handover_take(&h, p.spawn));
	check_passed(&p, "first");
	/* it has them: a second time does nothing */
	ATF_CHECK_EQ(0, handover_take(&h, p.spawn));
	check_passed(&p, "again");
	(void)close(other);
	passed_clear(&p);
	ATF_CHECK_EQ(n, count_fds());
	handover_clear(&h);
	ATF_CHECK_EQ(n - 2, count_fds());
}

/* The jobs of two threads are done in one order, their messages in another. */
ATF_TC_WITHOUT_HEAD(order);
ATF_TC_BODY(order, tc)
{
	static struct passed many[40];
	struct handover h;
	uint32_t seed = 7;
	size_t i, j, k, at[40];
	char text[16];
	int n;

	setup(&h);
	n = count_fds();
	give(&h, &many[0]);
	give(&h, &many[1]);
	ATF_REQUIRE_EQ(0, handover_take(&h, many[1].spawn));
	check_passed(&many[1], "second");
	ATF_REQUIRE_EQ(0, handover_take(&h, many[0].spawn));
	check_passed(&many[0], "first");
	passed_clear(&many[0]);
	passed_clear(&many[1]);
	for (i = 0; i < 40; i++) {
		give(&h, &many[i]);
		at[i] = i;
	}
	for (i = 40; i > 0; i--) {
		j = unit_random(&seed) % i;
		k = at[j];
		at[j] = at[i - 1];
		ATF_REQUIRE_EQ(0, handover_take(&h, many[k].spawn));
		(void)snprintf(text, sizeof text, "number %zu", k);
		check_passed(&many[k], text);
		passed_clear(&many[k]);
	}
	ATF_CHECK_EQ(n, count_fds());
	handover_clear(&h);
}

/* Nothing has been given: the event loop does not wait for it. */
ATF_TC_WITHOUT_HEAD(nothing);
ATF_TC_BODY(nothing, tc)
{
	struct handover h;
	struct passed p;
	int ours[3];

	setup(&h);
	passed_init(&p, ours);
	ATF_CHECK_EQ(-1, handover_take(&h, p.spawn));
	ATF_CHECK_EQ(EAGAIN, errno);
	ATF_REQUIRE_EQ(0, handover_give(h.giver, p.spawn, ours));
	ATF_CHECK_EQ(0, handover_take(&h, p.spawn));
	check_passed(&p, "late");
	passed_clear(&p);
	handover_clear(&h);
}

/* Who fails to give has no pipes all the same. */
ATF_TC_WITHOUT_HEAD(not_given);
ATF_TC_BODY(not_given, tc)
{
	struct handover h;
	struct passed p;
	int n, ours[3];

	setup(&h);
	n = count_fds();
	passed_init(&p, ours);
	ATF_CHECK_EQ(-1, handover_give(-1, p.spawn, ours));
	ATF_CHECK_EQ(EBADF, errno);
	ATF_CHECK_EQ(n + 3, count_fds());
	check_dropped(&p);
	passed_clear(&p);
	/* there is nobody at the other end; no signal says so */
	ATF_REQUIRE(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	ATF_REQUIRE_EQ(0, close(h.taker));
	passed_init(&p, ours);
	ATF_CHECK_EQ(-1, handover_give(h.giver, p.spawn, ours));
	ATF_CHECK_EQ(EPIPE, errno);
	ATF_REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	check_dropped(&p);
	passed_clear(&p);
	ATF_CHECK_EQ(n - 1, count_fds());
	(void)close(h.giver);
}

/* The end of the gateway: what is on the way then is closed. */
ATF_TC_WITHOUT_HEAD(not_taken);
ATF_TC_BODY(not_taken, tc)
{
	struct handover h;
	struct passed p[3];
	int i;

	setup(&h);
	for (i = 0; i < 3; i++)
		give(&h, &p[i]);
	handover_clear(&h);
	for (i = 0; i < 3; i++) {
		check_dropped(&p[i]);
		passed_clear(&p[i]);
	}
}

/* A job that gives three pipes from its thread's own table. */
struct task {
	struct job job;
	struct spawn *spawn;
	const struct handover *h;
	int given;
	int *ntaken;
};

static void
task_work(struct job *job)
{
	struct task *task = (struct task *)(void *)job;
	int fds[6];

	if (pipe2(fds, O_NONBLOCK) == -1 || pipe2(fds + 2, O_NONBLOCK) == -1 ||
	    pipe2(fds + 4, O_NONBLOCK) == -1)
		return;
	/* what the script would write before it ends */
	if (write(fds[3], &task, sizeof task) == sizeof task &&
	    write(fds[5], &task, sizeof task) == sizeof task)
		task->given = handover_give(task->h->giver, task->spawn,
		    (int[]) { fds[1], fds[2], fds[4] });
	(void)close(fds[0]);
	(void)close(fds[3]);
	(void)close(fds[5]);
}

static void
task_done(struct job *job)
{
	struct task *task = (struct task *)(void *)job;
	struct spawn *spawn = task->spawn;
	struct task *read_back = NULL;

	ATF_REQUIRE_EQ(0, task->given);
	ATF_REQUIRE_EQ(0, handover_take(task->h, spawn));
	ATF_CHECK_EQ((ssize_t)sizeof task,
	    read(spawn->out, &read_back, sizeof read_back));
	ATF_CHECK_EQ(task, read_back);
	ATF_CHECK_EQ(0, read(spawn->out, &read_back, 1));
	ATF_CHECK_EQ((ssize_t)sizeof task,
	    read(spawn->err, &read_back, sizeof read_back));
	ATF_CHECK_EQ(task, read_back);
	ATF_CHECK_EQ(-1, write(spawn->in, "", 1));
	ATF_CHECK_EQ(EPIPE, errno);
	spawn_free(spawn);
	(*task->ntaken)++;
}

static int
all_taken(void *arg)
{
	return *(int *)arg == 400;
}

/* Whichever thread is first. */
ATF_TC_WITHOUT_HEAD(threads);
ATF_TC_BODY(threads, tc)
{
	static struct task tasks[400];
	struct event_base *base;
	struct handover h;
	struct pool *pool;
	int i, n, ntaken = 0;

	setup(&h);
	n = count_fds();
	ATF_REQUIRE((base = event_base_new()) != NULL);
	ATF_REQUIRE((pool = pool_new_apart(base, 4, h.giver)) != NULL);
	for (i = 0; i < 400; i++) {
		tasks[i].job.work = task_work;
		tasks[i].job.done = task_done;
		tasks[i].h = &h;
		tasks[i].given = -1;
		tasks[i].ntaken = &ntaken;
		ATF_REQUIRE((tasks[i].spawn = spawn_new(&no_config)) != NULL);
		pool_submit(pool, &tasks[i].job);
	}
	ATF_CHECK(unit_loop(base, all_taken, &ntaken));
	ATF_CHECK_EQ(400, ntaken);
	pool_free(pool);
	event_base_free(base);
	ATF_CHECK_EQ(n, count_fds());
	handover_clear(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, give_take);
	ATF_TP_ADD_TC(tp, order);
	ATF_TP_ADD_TC(tp, nothing);
	ATF_TP_ADD_TC(tp, not_given);
	ATF_TP_ADD_TC(tp, not_taken);
	ATF_TP_ADD_TC(tp, threads);
	return atf_no_error();
}
