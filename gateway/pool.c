/*
 * The threads, and the pipe that tells the event loop of finished jobs.  One
 * byte is in the pipe whenever the queue of finished jobs is not empty.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "clock.h"
#include "log.h"
#include "pool.h"

#define STACK_SIZE (256 * 1024) /* bytes: vfork children run on it too */

/* ms without a thread that takes a job, until one more is started. */
#define STUCK_TIME 1000

TAILQ_HEAD(jobs, job);

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* to the threads: a job, or the end */
	pthread_cond_t gone; /* from the threads: one has ended */
	struct jobs todo;
	struct jobs finished;
	struct event notify;
	pthread_t *threads;
	unsigned nthreads;
	unsigned alive;
	unsigned busy; /* threads with a job */
	int64_t taken; /* clock_now() when one took a job last */
	int fds[2];
	int keep; /* a descriptor, if the threads have their own tables, or -1
		   */
	int stop;
};

int
pool_thread(pthread_t *thread, void *(*start)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int error;

	if ((error = pthread_attr_init(&attr)) != 0) {
		errno = error;
		return -1;
	}
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(thread, &attr, start, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/*
 * A table of this thread's own; without one all works as well, but slower.
 * ThreadSanitizer knows descriptors by their numbers, and of one table only.
 */
static void
leave_table(int keep, int notify)
{
#if defined(CLONE_FILES) && !defined(__SANITIZE_THREAD__)
	int low = keep < notify ? keep : notify;
	int high = keep < notify ? notify : keep;

	/* one that cannot be emptied would keep sockets open */
	if (close_range(~0U, ~0U, 0) == -1 || unshare(CLONE_FILES) == -1)
		return;
	/* an empty range is an error, and no harm */
	(void)close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
	(void)close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	(void)close_range((unsigned)high + 1, ~0U, 0);
#else
	(void)keep;
	(void)notify;
#endif
}

/*
 * Programs that have been started go first: new ones beside them would only
 * make all of them late.  What a thread starts is scheduled as ever.
 */
static void
be_modest(void)
{
#ifdef SCHED_RESET_ON_FORK
	static const struct sched_param none;

	(void)sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none);
#endif
}

static void *
worker(void *arg)
{
	struct pool *pool = arg;
	struct job *job;
	int first;

	if (pool->keep != -1) {
		leave_table(pool->keep, pool->fds[1]);
		be_modest();
	}
	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		while ((job = TAILQ_FIRST(&pool->todo)) == NULL && !pool->stop)
			(void)pthread_cond_wait(&pool->wake, &pool->lock);
		if (pool->stop)
			break;
		TAILQ_REMOVE(&pool->todo, job, entry);
		pool->busy++;
		pool->taken = clock_now();
		(void)pthread_mutex_unlock(&pool->lock);

		job->work(job);

		(void)pthread_mutex_lock(&pool->lock);
		pool->busy--;
		first = TAILQ_EMPTY(&pool->finished);
		TAILQ_INSERT_TAIL(&pool->finished, job, entry);
		if (first)
			(void)!write(pool->fds[1], "", 1);
	}
	pool->alive--;
	(void)pthread_cond_signal(&pool->gone);
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void
run_done(struct jobs *jobs)
{
	struct job *job;

	while ((job = TAILQ_FIRST(jobs)) != NULL) {
		TAILQ_REMOVE(jobs, job, entry);
		job->done(job);
	}
}

static void
notify_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;
	struct jobs finished = TAILQ_HEAD_INITIALIZER(finished);
	char c;

	(void)what;
	(void)pthread_mutex_lock(&pool->lock);
	(void)!read(fd, &c, 1);
	TAILQ_CONCAT(&finished, &pool->finished, entry);
	(void)pthread_mutex_unlock(&pool->lock);
	run_done(&finished);
}

/* On the event loop's thread.  Returns 0, or -1 with errno. */
static int
add_thread(struct pool *pool)
{
	(void)pthread_mutex_lock(&pool->lock);
	pool->alive++;
	(void)pthread_mutex_unlock(&pool->lock);
	if (pool_thread(&pool->threads[pool->nthreads], worker, pool) == 0) {
		pool->nthreads++;
		return 0;
	}
	(void)pthread_mutex_lock(&pool->lock);
	pool->alive--;
	(void)pthread_mutex_unlock(&pool->lock);
	return -1;
}

struct pool *
pool_new(struct event_base *base, unsigned threads)
{
	return pool_new_apart(base, threads, -1);
}

struct pool *
pool_new_apart(struct event_base *base, unsigned threads, int keep)
{
	struct pool *pool;

	if ((pool = calloc(1, sizeof *pool)) == NULL)
		return NULL;
	pool->keep = keep;
	TAILQ_INIT(&pool->todo);
	TAILQ_INIT(&pool->finished);
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->wake, NULL);
	(void)pthread_cond_init(&pool->gone, NULL);
	pool->threads = calloc(POOL_MAX, sizeof *pool->threads);
	if (pool->threads == NULL ||
	    pipe2(pool->fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		free(pool->threads);
		free(pool);
		return NULL;
	}
	(void)event_assign(&pool->notify, base, pool->fds[0],
	    EV_READ | EV_PERSIST, notify_cb, pool);
	if (event_add(&pool->notify, NULL) == -1) {
		pool_free(pool);
		return NULL;
	}
	while (pool->nthreads < threads)
		if (add_thread(pool) == -1) {
			pool_free(pool);
			return NULL;
		}
	return pool;
}

void
pool_free(struct pool *pool)
{
	struct timespec until;
	unsigned i, stuck;

	if (pool == NULL)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	(void)pthread_mutex_lock(&pool->lock);
	pool->stop = 1;
	(void)pthread_cond_broadcast(&pool->wake);
	while (pool->alive > 0 &&
	    pthread_cond_timedwait(&pool->gone, &pool->lock, &until) !=
		ETIMEDOUT)
		continue;
	stuck = pool->alive;
	(void)pthread_mutex_unlock(&pool->lock);
	(void)event_del(&pool->notify);
	if (stuck > 0)
		return; /* the process is about to end; leave them be */
	for (i = 0; i < pool->nthreads; i++)
		(void)pthread_join(pool->threads[i], NULL);
	run_done(&pool->finished);
	run_done(&pool->todo);
	(void)close(pool->fds[0]);
	(void)close(pool->fds[1]);
	(void)pthread_mutex_destroy(&pool->lock);
	(void)pthread_cond_destroy(&pool->wake);
	(void)pthread_cond_destroy(&pool->gone);
	free(pool->threads);
	free(pool);
}

void
pool_submit(struct pool *pool, struct job *job)
{
	int stuck;

	(void)pthread_mutex_lock(&pool->lock);
	TAILQ_INSERT_TAIL(&pool->todo, job, entry);
	(void)pthread_cond_signal(&pool->wake);
	stuck = pool->busy == pool->nthreads &&
	    clock_now() - pool->taken > STUCK_TIME;
	(void)pthread_mutex_unlock(&pool->lock);
	if (stuck && pool->nthreads < POOL_MAX && add_thread(pool) == 0)
		log_warning("threads are stuck: there are %u now",
		    pool->nthreads);
}

int
pool_cancel(struct pool *pool, struct job *job)
{
	struct job *other;
	int found = 0;

	(void)pthread_mutex_lock(&pool->lock);
	TAILQ_FOREACH(other, &pool->todo, entry)
		if (other == job) {
			TAILQ_REMOVE(&pool->todo, job, entry);
			found = 1;
			break;
		}
	(void)pthread_mutex_unlock(&pool->lock);
	return found;
}
