/*
 * The clock of the measuring programs.
 */
#ifndef NOW_H
#define NOW_H

#include <time.h>

/* Seconds, of a clock that only goes forward. */
static inline double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#endif
