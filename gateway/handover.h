/*
 * How the pipes of a script that a spawner's thread has started come to the
 * event loop.  The threads have descriptor tables of their own (pool.h), for
 * vfork copies its caller's table and exec closes what is in it: with the pipes
 * of two thousand scripts that takes as long as all the rest.  So descriptors
 * are passed as to another process, over a pair of unix sockets.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

struct spawn;

#define HANDOVER_PIPES 3 /* of a script: its input, output and errors */

struct handover {
	int giver; /* the threads' end; it blocks */
	int taker; /* the event loop's */
};

/* Returns 0, or -1 with errno. */
int handover_init(struct handover *);
void handover_clear(struct handover *);
/*
 * On a thread: gives the three pipes, which are closed here, whether that
 * succeeds or not.  From then on the spawn's in, out and err are the event
 * loop's.  Returns 0, or -1 with errno.
 */
int handover_give(int giver, struct spawn *, const int pipes[HANDOVER_PIPES]);
/*
 * On the event loop: takes a spawn's pipes, which have been given before.
 * Returns 0, or -1 with errno: EMFILE if there were no descriptors for them.
 */
int handover_take(const struct handover *, struct spawn *);

#endif
