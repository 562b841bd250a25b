/*
 * GET clock: the time, at once and at every full second.  There is one timer
 * and one text a second, however many listen; who has no room for a second
 * misses it, since nobody wants to know what time it was.
 */
#include <time.h>

#include <event2/event.h>

#include "async.h"
#include "clock.h"

#define EARLY 20 /* ms that a timer may come before its time */

static void
tick(struct ticker *t)
{
	struct timespec ts;
	struct timeval next;
	struct tm tm;
	char text[48];
	int64_t ms;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + EARLY;
	ts.tv_sec = (time_t)(ms / 1000);
	(void)gmtime_r(&ts.tv_sec, &tm);
	stream_add(&t->stream, text,
	    strftime(text, sizeof text, "data: %Y-%m-%dT%H:%M:%SZ\n\n", &tm));
	next = clock_timeval(1000 + EARLY - ms % 1000);
	(void)evtimer_add(&t->timer, &next);
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ticker *t = arg;

	(void)fd;
	(void)what;
	if (t->stream.nclients > 0)
		tick(t);
}

static void
ticker_begin(struct request *req, void *arg)
{
	struct ticker *t = &((struct async *)arg)->ticker;

	if (!evtimer_pending(&t->timer, NULL))
		tick(t);
	stream_listen(&t->stream, req, STREAM_FIELDS "\r\n",
	    t->stream.next - 1);
}

const struct handler ticker_handler = { .begin = ticker_begin };

void
ticker_init(struct ticker *t, struct event_base *base)
{
	stream_init(&t->stream, base, 1);
	t->stream.latest = 1;
	(void)evtimer_assign(&t->timer, base, tick_cb, t);
}

void
ticker_end(struct ticker *t)
{
	(void)evtimer_del(&t->timer);
	stream_end(&t->stream);
}
