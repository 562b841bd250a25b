/*
 * How long the event loop was kept from its next turn, for those who look for
 * what keeps it.  A timer goes off each millisecond; how late it comes is how
 * long the turn before it took, or the system had no processor for us.
 *
 *   OFF --USR1--> MEASURING --USR1: the figure is logged, a new one begun
 *    ^                |
 *    '-- a minute ----'
 */
#ifndef PULSE_H
#define PULSE_H

#include <stdint.h>

#include <event2/event_struct.h>

struct event_base;

struct pulse {
	struct event signal; /* USR1 */
	struct event beat;
	int64_t began; /* in us, as the next two; 0: off */
	int64_t expected;
	int64_t longest;
};

/* Takes SIGUSR1.  Returns 0, or -1 with errno. */
int pulse_init(struct pulse *, struct event_base *);
void pulse_clear(struct pulse *);

#endif
