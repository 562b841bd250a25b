/*
 * Threads for what may block, pool.c:
 *   - work runs on other threads, done on the event loop's, once for each job,
 *     in the order in which the work was finished
 *   - as many jobs run at once as there are threads
 *   - when all threads have been stuck for a second, a new job gets a new one
 *   - a job that no thread has begun can be cancelled, others not
 *   - at the end waiting jobs are done without their work, finished ones done
 *   - a job that is stuck holds up the end for a second only
 *   - threads block all signals
 */
#include <sys/types.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "../gateway/pool.h"
#include "unit.h"

struct task {
	struct job job; /* first: a job is a task */
	struct shared *shared;
	pthread_t thread;
	int worked;
	int done;
	int number; /* in the order of done */
};

/* What jobs and loop share; `lock' guards the second half. */
struct shared {
	struct event_base *base;
	struct pool *pool;
	pthread_t loop;
	int ndone;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int held; /* jobs wait while it is set */
	int running;
	int most;
};

static void
work(struct job *job)
{
	struct task *task = (struct task *)(void *)job;
	struct shared *s = task->shared;

	task->thread = pthread_self();
	task->worked++;
	(void)pthread_mutex_lock(&s->lock);
	if (++s->running > s->most)
		s->most = s->running;
	(void)pthread_cond_broadcast(&s->changed);
	while (s->held)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	s->running--;
	(void)pthread_mutex_unlock(&s->lock);
}

static void
done(struct job *job)
{
	struct task *task = (struct task *)(void *)job;

	ATF_REQUIRE(pthread_equal(pthread_self(), task->shared->loop));
	task->done++;
	task->number = task->shared->ndone++;
}

static void
setup(struct shared *s, unsigned threads)
{
	memset(s, 0, sizeof *s);
	s->loop = pthread_self();
	ATF_REQUIRE_EQ(0, pthread_mutex_init(&s->lock, NULL));
	ATF_REQUIRE_EQ(0, pthread_cond_init(&s->changed, NULL));
	ATF_REQUIRE((s->base = event_base_new()) != NULL);
	ATF_REQUIRE((s->pool = pool_new(s->base, threads)) != NULL);
}

static void
teardown(struct shared *s)
{
	pool_free(s->pool);
	event_base_free(s->base);
}

static void
submit(struct shared *s, struct task *task)
{
	memset(task, 0, sizeof *task);
	task->job.work = work;
	task->job.done = done;
	task->shared = s;
	pool_submit(s->pool, &task->job);
}

static void
hold(struct shared *s, int held)
{
	(void)pthread_mutex_lock(&s->lock);
	s->held = held;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

/* Waits until n jobs are held. */
static void
wait_running(struct shared *s, int n)
{
	(void)pthread_mutex_lock(&s->lock);
	while (s->running < n)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

struct waiting {
	struct shared *s;
	int n;
};

static int
are_done(void *arg)
{
	const struct waiting *w = arg;

	return w->s->ndone >= w->n;
}

static void
wait_done(struct shared *s, int n)
{
	struct waiting w = { s, n };

	ATF_REQUIRE(unit_loop(s->base, are_done, &w));
	ATF_CHECK_EQ(n, s->ndone);
}

/* Each job is worked on once, elsewhere, and done once, here. */
ATF_TC_WITHOUT_HEAD(jobs);
ATF_TC_BODY(jobs, tc)
{
	static struct task tasks[2000];
	struct shared s;
	unsigned threads, i;

	for (threads = 1; threads <= 4; threads++) {
		setup(&s, threads);
		for (i = 0; i < 2000; i++) {
			submit(&s, &tasks[i]);
			if (i % 100 == 0)
				(void)event_base_loop(s.base, EVLOOP_NONBLOCK);
		}
		wait_done(&s, 2000);
		for (i = 0; i < 2000; i++) {
			ATF_CHECK_EQ(1, tasks[i].worked);
			ATF_CHECK_EQ(1, tasks[i].done);
			ATF_CHECK(!pthread_equal(tasks[i].thread, s.loop));
			if (threads == 1)
				ATF_CHECK_EQ((int)i, tasks[i].number);
		}
		ATF_CHECK(s.most <= (int)threads);
		teardown(&s);
	}
}

/* Three threads run three jobs at once, and a fourth waits. */
ATF_TC_WITHOUT_HEAD(parallel);
ATF_TC_BODY(parallel, tc)
{
	struct shared s;
	struct task tasks[5];
	int i;

	setup(&s, 3);
	hold(&s, 1);
	for (i = 0; i < 5; i++)
		submit(&s, &tasks[i]);
	wait_running(&s, 3);
	unit_loop_for(s.base, 30);
	ATF_CHECK_EQ(0, s.ndone);
	ATF_CHECK_EQ(3, s.most);
	hold(&s, 0);
	wait_done(&s, 5);
	ATF_CHECK_EQ(3, s.most);
	teardown(&s);
}

/* Threads that hang must not hold up those who have nothing to do with it. */
ATF_TC_WITHOUT_HEAD(grows);
ATF_TC_BODY(grows, tc)
{
	struct shared s;
	struct task tasks[3];

	setup(&s, 1);
	hold(&s, 1);
	submit(&s, &tasks[0]);
	wait_running(&s, 1);
	submit(&s, &tasks[1]);
	unit_loop_for(s.base, 1100);
	ATF_CHECK_EQ(1, s.most);
	submit(&s, &tasks[2]);
	wait_running(&s, 2);
	ATF_CHECK_EQ(2, s.most);
	hold(&s, 0);
	wait_done(&s, 3);
	teardown(&s);
}

/* What waits can be taken back; what runs, and what is unknown, cannot. */
ATF_TC_WITHOUT_HEAD(cancel);
ATF_TC_BODY(cancel, tc)
{
	struct shared s;
	struct task tasks[4];
	int i;

	setup(&s, 1);
	hold(&s, 1);
	for (i = 0; i < 4; i++)
		submit(&s, &tasks[i]);
	wait_running(&s, 1);
	ATF_CHECK(!pool_cancel(s.pool, &tasks[0].job));
	ATF_CHECK(pool_cancel(s.pool, &tasks[2].job));
	ATF_CHECK(!pool_cancel(s.pool, &tasks[2].job));
	hold(&s, 0);
	wait_done(&s, 3);
	ATF_CHECK_EQ(0, tasks[2].worked);
	ATF_CHECK_EQ(0, tasks[2].done);
	ATF_CHECK_EQ(1, tasks[3].done);
	ATF_CHECK(!pool_cancel(s.pool, &tasks[3].job));
	teardown(&s);
}

/* Freed with jobs in all states: each is done, those that waited unworked. */
ATF_TC_WITHOUT_HEAD(free_with_jobs);
ATF_TC_BODY(free_with_jobs, tc)
{
	struct shared s;
	struct task tasks[10];
	int i, worked;

	for (worked = 0; worked < 10; worked += 3) {
		setup(&s, 1);
		for (i = 0; i < worked; i++)
			submit(&s, &tasks[i]);
		if (worked > 0)
			wait_done(&s, worked);
		for (; i < 10; i++)
			submit(&s, &tasks[i]);
		pool_free(s.pool);
		ATF_CHECK_EQ(10, s.ndone);
		for (i = 0; i < 10; i++)
			ATF_CHECK_EQ(1, tasks[i].done);
		for (i = 0; i < worked; i++)
			ATF_CHECK_EQ(1, tasks[i].worked);
		event_base_free(s.base);
	}
	pool_free(NULL);
}

/* A job that never ends does not keep the program from its end. */
ATF_TC_WITHOUT_HEAD(stuck);
ATF_TC_BODY(stuck, tc)
{
	static struct shared s; /* the thread outlives this function */
	static struct task task;
	int64_t start;

	setup(&s, 1);
	hold(&s, 1);
	submit(&s, &task);
	wait_running(&s, 1);
	start = unit_now();
	pool_free(s.pool);
	ATF_CHECK(unit_now() - start >= 900);
	ATF_CHECK_EQ(0, s.ndone);
	/* so that no memory is said to be lost */
	hold(&s, 0);
}

static void
look_at_signals(struct job *job)
{
	struct task *task = (struct task *)(void *)job;
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD,
		SIGPIPE };
	sigset_t set;
	size_t i;

	if (pthread_sigmask(SIG_SETMASK, NULL, &set) != 0)
		return;
	for (i = 0; i < sizeof signals / sizeof signals[0]; i++)
		task->worked += sigismember(&set, signals[i]);
}

/* Signals are for the loop's thread, whose mask stays what it was. */
ATF_TC_WITHOUT_HEAD(signals);
ATF_TC_BODY(signals, tc)
{
	struct shared s;
	struct task task;
	sigset_t set;

	setup(&s, 1);
	memset(&task, 0, sizeof task);
	task.job.work = look_at_signals;
	task.job.done = done;
	task.shared = &s;
	pool_submit(s.pool, &task.job);
	wait_done(&s, 1);
	ATF_CHECK_EQ(5, task.worked);
	ATF_REQUIRE_EQ(0, pthread_sigmask(SIG_SETMASK, NULL, &set));
	ATF_CHECK_EQ(0, sigismember(&set, SIGTERM));
	teardown(&s);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, jobs);
	ATF_TP_ADD_TC(tp, parallel);
	ATF_TP_ADD_TC(tp, grows);
	ATF_TP_ADD_TC(tp, cancel);
	ATF_TP_ADD_TC(tp, free_with_jobs);
	ATF_TP_ADD_TC(tp, stuck);
	ATF_TP_ADD_TC(tp, signals);
	return atf_no_error();
}
