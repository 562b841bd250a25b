/*
 * The pace at which programs are started.  One that has just been started
 * keeps a processor busy, and the kernel prefers those that are new: when many
 * requests come at once, some programs would not get a processor for as long
 * as others are started.  So only a few come up at a time, oldest request
 * first, which costs nothing, since the processors are busy anyway.
 *
 * A program comes up until it has ended, sleeps, or is PACE_TIME old.  While it
 * is found that programs sleep, more may come up.
 */
#ifndef PACE_H
#define PACE_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stdint.h>

#include <event2/event_struct.h>

#define PACE_TIME 20 /* ms: then a program is up, busy or not */

struct pace_start {
	TAILQ_ENTRY(pace_start) entry;
	int64_t began; /* clock_now() */
	int64_t look; /* when it is next looked at */
	pid_t pid; /* -1: not known yet */
	int coming; /* it is in the list */
};

struct pace {
	TAILQ_HEAD(, pace_start) starts; /* those coming up, oldest first */
	int64_t last; /* the last one began */
	unsigned coming;
	unsigned allowed; /* at a time, for now */
	unsigned least; /* the least that are allowed */
	struct event timer; /* somebody waits: time to look at them */
	void (*changed)(void *); /* another one may be started */
	void *changed_arg;
};

/* How many may come up at a time on this machine: two for each processor. */
unsigned pace_default(void);
void pace_init(struct pace *, struct event_base *, unsigned least,
    void (*changed)(void *), void *arg);
/* For the end of the event loop. */
void pace_clear(struct pace *);
/* May one be started?  If not, changed will be called when that may be. */
int pace_allows(struct pace *);
/* One is being started. */
void pace_begin(struct pace *, struct pace_start *);
/* It has a process. */
void pace_found(struct pace_start *, pid_t);
/* It has ended, or is not to be started; it may have been up for long. */
void pace_end(struct pace *, struct pace_start *);

#endif
