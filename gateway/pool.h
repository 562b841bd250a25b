/*
 * A pool of threads for what may block: finding and starting programs, and
 * writing to disks.  The event loop submits a job; a thread runs its work
 * function; the loop then runs its done function.  Nothing is shared but the
 * two queues: from pool_submit until done is called the job, and all that it
 * points to, belongs to the pool.
 */
#ifndef POOL_H
#define POOL_H

#include <sys/types.h>
#include <sys/queue.h>

#include <pthread.h>

struct event_base;
struct pool;

struct job {
	TAILQ_ENTRY(job) entry;
	void (*work)(struct job *); /* on a thread; may block */
	void (*done)(struct job *); /* on the event loop; owns the job again */
};

#define POOL_MAX 16 /* threads, at most */

/*
 * Starts the given number of threads, POOL_MAX at most.  When all are stuck
 * for more than a second, on a network file system that does not answer, each
 * further job adds one until there are POOL_MAX.  Returns NULL with errno when
 * memory, descriptors or threads are lacking.
 */
struct pool *pool_new(struct event_base *, unsigned threads);
/*
 * The same, with a descriptor table for each thread, if the system has such a
 * thing: standard descriptors and keep (not -1) are in it, and nothing else
 * that the process has open.  To the scheduler they are batch jobs: what they
 * have started comes first.
 */
struct pool *pool_new_apart(struct event_base *, unsigned threads, int keep);
/*
 * Ends the threads, waiting a second at most for those that are stuck, and
 * calls done for each finished job.  Jobs no thread has begun are done too:
 * their work function is not run.  Accepts NULL.
 */
void pool_free(struct pool *);
void pool_submit(struct pool *, struct job *);
/* Takes back a job that no thread has begun.  True if that succeeded. */
int pool_cancel(struct pool *, struct job *);

/*
 * Starts a thread with a small stack and every signal blocked, so that the
 * event loop's thread takes them all.  Returns 0, or -1 with errno.
 */
int pool_thread(pthread_t *, void *(*)(void *), void *);

#endif
