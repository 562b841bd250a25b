/*
 * The timer, and what is said of it.
 */
#include <signal.h>

#include <event2/event.h>

#include "clock.h"
#include "log.h"
#include "pulse.h"

#define BEAT 1000 /* us */
#define TIME_MAX (60 * 1000000LL) /* us that it is measured */

static void
await_beat(struct pulse *pulse)
{
	static const struct timeval tv = { 0, BEAT };

	pulse->expected = clock_now_us() + BEAT;
	if (evtimer_add(&pulse->beat, &tv) == -1)
		pulse->began = 0;
}

static void
note_beat(struct pulse *pulse)
{
	int64_t late = clock_now_us() - pulse->expected;

	if (late > pulse->longest)
		pulse->longest = late;
}

static void
beat_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pulse *pulse = arg;

	(void)fd;
	(void)what;
	note_beat(pulse);
	if (clock_now_us() - pulse->began < TIME_MAX)
		await_beat(pulse);
	else
		pulse->began = 0;
}

static void
signal_cb(evutil_socket_t sig, short what, void *arg)
{
	struct pulse *pulse = arg;

	(void)sig;
	(void)what;
	if (pulse->began != 0) {
		note_beat(pulse);
		log_info("event loop: longest turn %lld us in %lld ms",
		    (long long)pulse->longest,
		    (long long)(clock_now_us() - pulse->began) / 1000);
	} else
		log_info("event loop: measured for a minute");
	pulse->began = clock_now_us();
	pulse->longest = 0;
	await_beat(pulse);
}

int
pulse_init(struct pulse *pulse, struct event_base *base)
{
	pulse->began = 0;
	(void)evsignal_assign(&pulse->signal, base, SIGUSR1, signal_cb, pulse);
	(void)evtimer_assign(&pulse->beat, base, beat_cb, pulse);
	return evsignal_add(&pulse->signal, NULL);
}

void
pulse_clear(struct pulse *pulse)
{
	(void)evsignal_del(&pulse->signal);
	(void)evtimer_del(&pulse->beat);
}
