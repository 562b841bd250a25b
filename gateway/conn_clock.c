/*
 * The clock of a connection.  One timer serves all its limits: it goes off at
 * the earliest that was asked for, does what is due, and is set for the next.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <event2/event.h>

#include "clock.h"
#include "conn.h"
#include "limit.h"
#include "output.h"
#include "request.h"
#include "server.h"

/*
 * Has the peer taken anything since this was asked last?  A slow one may read
 * for long before its socket is writable again.
 */
static int
is_taking(struct conn *conn)
{
	int unsent, before = conn->unsent;

	if (ioctl(conn->fd, TIOCOUTQ, &unsent) == -1)
		return 0;
	conn->unsent = unsent;
	return unsent < before;
}

/* Does what is due; returns when something will be next. */
static int64_t
run_alarms(struct conn *conn, int64_t now)
{
	const struct limits *limits = conn->server->limits;
	struct request *req, *next_req;
	int64_t next = now + limits->conn_idle, at;

	while ((req = TAILQ_FIRST(&conn->half_open)) != NULL) {
		at = req->began + limits->params_time;
		if (at > now) {
			next = clock_sooner(next, at);
			break;
		}
		request_late(req);
	}
	if (conn->nstopped > 0) {
		at = conn->stopped_since + CONN_STOP_TIME;
		if (at > now)
			next = clock_sooner(next, at);
		else
			RB_FOREACH_SAFE(req, request_tree, &conn->requests,
			    next_req)
				input_unstop(req);
	}
	if (conn->state == CONN_OPEN && conn->live == 0) {
		at = conn_idle_end(conn);
		if (at > now)
			next = clock_sooner(next, at);
		else
			conn_idle(conn);
	}
	if (conn->state == CONN_CLOSING) {
		at = conn->closing_since + CONN_CLOSE_TIME;
		if (at <= now && is_taking(conn)) {
			conn->closing_since = now;
			at = now + CONN_CLOSE_TIME;
		}
		if (at > now)
			next = clock_sooner(next, at);
		else
			conn_close(conn);
	}
	output_wake(conn);
	return next;
}

void
conn_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	int64_t next;

	(void)fd;
	(void)what;
	if (conn->state == CONN_DEAD)
		return;
	conn->alarm = 0;
	next = run_alarms(conn, clock_now());
	if (conn->state != CONN_DEAD)
		conn_set_alarm(conn, next);
}

void
conn_set_alarm(struct conn *conn, int64_t at)
{
	struct timeval tv;

	if (conn->alarm != 0 && conn->alarm <= at)
		return;
	tv = clock_timeval(at - clock_now());
	conn->alarm = at;
	if (event_add(&conn->timer, &tv) == -1)
		conn_close(conn);
}
