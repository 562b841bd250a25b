/*
 * Time as the program counts it: milliseconds of a clock that only goes
 * forward.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <sys/time.h>

#include <stdint.h>

int64_t clock_now(void);
/* The same in microseconds, for who measures. */
int64_t clock_now_us(void);
int64_t clock_sooner(int64_t, int64_t);
/* A duration in ms for libevent; one that has passed already is 1 ms. */
struct timeval clock_timeval(int64_t ms);

#endif
