/*
 * GET delay?ms=N: an answer after N milliseconds.  To wait is to have a timer
 * and to return: a thousand that wait at a time take no longer than one.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "async.h"
#include "task.h"

#define DELAY_MAX 60000 /* ms */

struct delay {
	struct task task;
	struct event timer;
	int64_t ms;
};

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct delay *d = arg;
	char body[32];

	(void)fd;
	(void)what;
	(void)snprintf(body, sizeof body, "%lld ms\n", (long long)d->ms);
	task_reply(d->task.req, 200, "", body);
	free(d);
}

static void
delay_begin(struct request *req, void *arg)
{
	struct async *async = arg;
	int64_t ms = task_query(req, "ms", DELAY_MAX, 0);
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct delay *d;

	if (ms == -1) {
		task_reply(req, 400, "", NULL);
		return;
	}
	if ((d = task_new(req, &delay_handler, sizeof *d)) == NULL)
		return;
	d->ms = ms;
	(void)evtimer_assign(&d->timer, async->base, timer_cb, d);
	(void)evtimer_add(&d->timer, &tv);
	request_input_ready(req);
}

/* Whatever still knows of the request must forget it: here, the timer. */
static void
delay_aborted(struct request *req)
{
	struct delay *d = request_context(req);

	(void)evtimer_del(&d->timer);
	free(d);
}

const struct handler delay_handler = {
	.begin = delay_begin,
	.aborted = delay_aborted,
};
