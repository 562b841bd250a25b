/*
 * The queue itself is first in, first out (outq.h); fairness is a matter of
 * who may put how much into it.  A request is `active' while it has bytes in
 * the queue or waits to put some there.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "conn.h"
#include "limit.h"
#include "output.h"
#include "request.h"
#include "server.h"

#define RECORD_SMALL (8192 - FCGI_HEADER_LEN) /* of more than FEW requests */
#define FEW 8
#define RECORD_ERRORS 4096 /* of FCGI_STDERR */
#define RETRY_MEMORY 50 /* ms until memory is asked for again */

static void
update_active(struct request *req)
{
	unsigned active = req->queued > 0 || req->waiting;

	if (active == req->active)
		return;
	req->active = active;
	if (active)
		req->conn->active++;
	else
		req->conn->active--;
}

/*
 * Content of a record.  Large ones cost less, and while few requests have
 * output nobody waits long for them.
 */
static size_t
record_size(const struct request *req)
{
	return req->conn->active <= FEW ? REQUEST_RECORD : RECORD_SMALL;
}

/* Is there room in the queue, whatever the credit? */
static int
queue_has_room(const struct request *req)
{
	const struct conn *conn = req->conn;
	size_t max = (size_t)conn->server->limits->output, share;

	if (conn->state != CONN_OPEN || conn->outq.bytes >= max)
		return 0;
	share = max / (conn->active + (req->active ? 0 : 1));
	if (share < FCGI_HEADER_LEN + RECORD_SMALL)
		share = FCGI_HEADER_LEN + RECORD_SMALL;
	return req->queued < share;
}

size_t
output_room(const struct request *req)
{
	return queue_has_room(req) ? window_room(&req->window, RECORD_ERRORS) :
				     0;
}

static struct request_list *
line(const struct request *req)
{
	return req->first ? &req->conn->first : &req->conn->waiters;
}

static void
wait_for_room(struct request *req)
{
	if (req->waiting)
		return;
	req->waiting = 1;
	req->first = !req->wrote;
	req->turn = req->conn->turn;
	TAILQ_INSERT_TAIL(line(req), req, waiter);
	update_active(req);
}

uint8_t *
output_reserve(struct request *req, size_t want, size_t *room)
{
	struct conn *conn = req->conn;
	size_t max = record_size(req);
	uint8_t *p;

	if ((max = window_room(&req->window, max)) == 0) {
		output_unwait(req);
		req->window.waiting = 1;
		return NULL;
	}
	if (!queue_has_room(req)) {
		wait_for_room(req);
		return NULL;
	}
	if (want > max)
		want = max;
	p = outq_reserve(&conn->outq, want,
	    want < RECORD_SMALL ? want : RECORD_SMALL, room);
	if (p == NULL) {
		wait_for_room(req);
		conn_set_alarm(conn, clock_now() + RETRY_MEMORY);
	}
	return p;
}

void
output_commit(struct request *req, enum fcgi_type type, size_t len)
{
	outq_commit(&req->conn->outq, (uint8_t)type, req->id, len);
	window_spend(&req->window, len);
	req->wrote = 1;
	req->queued += FCGI_HEADER_LEN + len;
	if (type == FCGI_STDERR)
		req->wrote_errors = 1;
	update_active(req);
	output_flush(req->conn);
}

void
output_cancel(struct request *req)
{
	outq_cancel(&req->conn->outq);
}

int
output_raw(struct conn *conn, const void *data, size_t len)
{
	if (outq_add_raw(&conn->outq, data, len) == -1)
		return -1;
	output_flush(conn);
	return 0;
}

int
output_end(struct request *req, uint32_t app_status, uint8_t status)
{
	uint8_t buf[3 * FCGI_HEADER_LEN + FCGI_END_LEN], *p = buf;
	int cut = status == AFCGI_CUT;

	if (!cut) {
		fcgi_header_put(p, FCGI_STDOUT, req->id, 0);
		p += FCGI_HEADER_LEN;
	}
	if (!cut && req->wrote_errors) {
		fcgi_header_put(p, FCGI_STDERR, req->id, 0);
		p += FCGI_HEADER_LEN;
	}
	fcgi_end_put(p, req->id, app_status, status);
	p += FCGI_HEADER_LEN + FCGI_END_LEN;
	if (output_raw(req->conn, buf, (size_t)(p - buf)) == -1)
		return -1;
	req->queued += (size_t)(p - buf);
	update_active(req);
	return 0;
}

int
output_credit(struct request *req, uint32_t bytes)
{
	uint8_t buf[FCGI_HEADER_LEN + AFCGI_CREDIT_LEN];

	afcgi_credit_put(buf, req->id, bytes);
	return output_raw(req->conn, buf, sizeof buf);
}

void
output_credited(struct request *req)
{
	if (!req->window.waiting || window_room(&req->window, 1) == 0)
		return;
	req->window.waiting = 0;
	if (queue_has_room(req))
		request_wake(req);
	else
		wait_for_room(req);
}

int
output_poison(struct conn *conn)
{
	static const uint8_t no_version[FCGI_HEADER_LEN];

	return output_raw(conn, no_version, sizeof no_version);
}

void
output_flush(struct conn *conn)
{
	if (!conn->blocked)
		event_active(&conn->flush, EV_WRITE, 0);
}

/* Whole records have been written: who had them in the queue? */
static void
written(void *arg, const struct fcgi_header *h)
{
	struct conn *conn = arg;
	struct request *req;
	size_t n = FCGI_HEADER_LEN + (size_t)h->content;

	if (h->type == AFCGI_CREDIT) /* is no output of its request */
		return;
	if (h->id == FCGI_NULL_ID || (req = conn_find(conn, h->id)) == NULL)
		return;
	if (h->type == FCGI_END_REQUEST && req->state == REQUEST_ENDED) {
		request_free(req);
		return;
	}
	req->queued -= n < req->queued ? n : req->queued;
	update_active(req);
}

int
output_write(struct conn *conn)
{
	ssize_t n;

	n = outq_write(&conn->outq, conn->fd, written, conn);
	if (n == -1 && errno != EAGAIN) {
		conn_log(conn, LEVEL_INFO, "write: %s", strerror(errno));
		return -1;
	}
	conn->blocked = conn->outq.bytes > 0;
	if (conn->blocked)
		return event_add(&conn->write, NULL);
	return 0;
}

static struct request *
next_in(const struct conn *conn, const struct request_list *list)
{
	struct request *req = TAILQ_FIRST(list);

	return req != NULL && req->turn != conn->turn ? req : NULL;
}

/* One of those without any output yet, one of the others: none starves. */
static struct request *
next(struct conn *conn)
{
	struct request *first = next_in(conn, &conn->first);
	struct request *other = next_in(conn, &conn->waiters);

	conn->first_woken =
	    first != NULL && (other == NULL || !conn->first_woken);
	return conn->first_woken ? first : other;
}

/* Who is woken fills the room at once: no more are woken than it is for. */
void
output_wake(struct conn *conn)
{
	struct request *req;
	size_t max = (size_t)conn->server->limits->output;

	if (conn->outq.bytes > max / 2)
		return;
	/* who finds no room again stands in line for the next turn */
	conn->turn++;
	while (conn->outq.bytes < max && (req = next(conn)) != NULL) {
		output_unwait(req);
		request_wake(req);
	}
}

void
output_unwait(struct request *req)
{
	if (!req->waiting)
		return;
	TAILQ_REMOVE(line(req), req, waiter);
	req->waiting = 0;
	update_active(req);
}

void
output_forget(struct request *req)
{
	output_unwait(req);
	req->queued = 0;
	update_active(req);
}

int
output_clogged(const struct conn *conn)
{
	return conn->outq.bytes >= 2 * (size_t)conn->server->limits->output;
}
