/*
 * GET bytes?n=N: as many bytes as are wanted, as fast as they are taken.
 *
 * Who makes data rather than passes it on never has to wait for it, so two
 * things must stop it: want of room, until writable is called, and its share
 * of a turn of the event loop, for a client that reads as fast as this writes
 * would have the loop for itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "async.h"
#include "task.h"

#define BYTES_MAX (1LL << 40)
#define TURN 131072 /* bytes that are made in one turn of the loop */

struct bytes {
	struct task task;
	struct event turn;
	int64_t n; /* of the body */
	int64_t at; /* how many there have been */
	char header[100];
};

/* The next bytes of the body, made where they are sent from; 0: no room. */
static size_t
make(struct bytes *b)
{
	static const char pattern[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789-\n";
	int64_t left = b->n - b->at;
	size_t i, room;
	uint8_t *p;

	p = request_reserve(b->task.req, left < TURN ? (size_t)left : TURN,
	    &room);
	if (p == NULL)
		return 0;
	for (i = 0; i < room; i++)
		p[i] = (uint8_t)pattern[(size_t)(b->at + i) % sizeof pattern];
	request_commit(b->task.req, FCGI_STDOUT, room);
	b->at += (int64_t)room;
	return room;
}

static void
wake(struct bytes *b)
{
	static const struct timeval now;

	(void)evtimer_add(&b->turn, &now);
}

static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct bytes *b = arg;
	size_t made, n;

	(void)fd;
	(void)what;
	if (!task_send(&b->task))
		return;
	for (made = 0; b->at < b->n && made < TURN; made += n)
		if ((n = make(b)) == 0)
			return;
	if (b->at < b->n) {
		wake(b);
		return;
	}
	request_end(b->task.req, 0);
	free(b);
}

static void
bytes_begin(struct request *req, void *arg)
{
	struct async *async = arg;
	int64_t n = task_query(req, "n", BYTES_MAX, -1);
	char fields[96];
	struct bytes *b;

	if (n == -1) {
		task_reply(req, 400, "", NULL);
		return;
	}
	(void)snprintf(fields, sizeof fields,
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Length: %lld\r\n",
	    (long long)n);
	if (task_is_head(req)) {
		task_reply(req, 200, fields, NULL);
		return;
	}
	if ((b = task_new(req, &bytes_handler, sizeof *b)) == NULL)
		return;
	b->n = n;
	(void)snprintf(b->header, sizeof b->header, "%s\r\n", fields);
	b->task.text = b->header;
	(void)evtimer_assign(&b->turn, async->base, turn_cb, b);
	wake(b);
	request_input_ready(req);
}

static void
bytes_writable(struct request *req)
{
	wake(request_context(req));
}

static void
bytes_aborted(struct request *req)
{
	struct bytes *b = request_context(req);

	(void)evtimer_del(&b->turn);
	free(b);
}

const struct handler bytes_handler = {
	.begin = bytes_begin,
	.writable = bytes_writable,
	.aborted = bytes_aborted,
};
