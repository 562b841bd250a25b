/*
 * POST upload: counts the bytes of the body and says how many there are, while
 * they arrive, but not more than ten times a second.
 *
 * The number is what matters and not the lines: one for which there is no room
 * is not kept, the next will tell a newer number.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "async.h"
#include "clock.h"
#include "task.h"

#define INTERVAL 100 /* ms */

struct upload {
	struct task task;
	struct event timer; /* pending: a line was sent a moment ago */
	uint64_t count; /* bytes that have arrived */
	uint64_t said; /* of which the client knows */
	char line[40];
	unsigned held:1; /* nothing may be said before it has arrived */
	unsigned arrived:1; /* the whole body */
	unsigned done:1; /* the last line is on its way */
};

/* Says what is to be said now, if there is room. */
static void
go_on(struct upload *u)
{
	struct timeval interval = clock_timeval(INTERVAL);

	if (u->held && !u->arrived)
		return;
	while (task_send(&u->task)) {
		if (u->done) {
			(void)evtimer_del(&u->timer);
			request_end(u->task.req, 0);
			free(u);
			return;
		}
		if (!u->arrived &&
		    (u->said == u->count || evtimer_pending(&u->timer, NULL)))
			return;
		(void)snprintf(u->line, sizeof u->line, "%llu bytes%s\n",
		    (unsigned long long)u->count, u->arrived ? ", done" : "");
		u->task.text = u->line;
		u->said = u->count;
		u->done = u->arrived;
		(void)evtimer_add(&u->timer, &interval);
	}
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

static void
upload_begin(struct request *req, void *arg)
{
	struct async *async = arg;
	struct upload *u;

	if ((u = task_new(req, &upload_handler, sizeof *u)) == NULL)
		return;
	(void)evtimer_assign(&u->timer, async->base, timer_cb, u);
	u->task.text = "Content-Type: text/plain\r\n"
		       "Cache-Control: no-store\r\n"
		       "X-Accel-Buffering: no\r\n"
		       "\r\n";
	u->held = !task_is_duplex(req);
	go_on(u);
	request_input_ready(req);
}

static size_t
upload_input(struct request *req, const uint8_t *p, size_t n)
{
	struct upload *u = request_context(req);

	(void)p;
	u->count += n;
	go_on(u);
	return n;
}

static void
upload_input_end(struct request *req)
{
	struct upload *u = request_context(req);

	u->arrived = 1;
	go_on(u);
}

static void
upload_writable(struct request *req)
{
	go_on(request_context(req));
}

static void
upload_aborted(struct request *req)
{
	struct upload *u = request_context(req);

	(void)evtimer_del(&u->timer);
	free(u);
}

const struct handler upload_handler = {
	.begin = upload_begin,
	.input = upload_input,
	.input_end = upload_input_end,
	.writable = upload_writable,
	.aborted = upload_aborted,
};
