/*
 * How a connection ends in peace.  A plain one is closed as soon as nothing
 * lives on it, and a request that is on its way then is lost.  With flow
 * control the peer is told first (AFCGI_DRAIN), and it is the peer who closes:
 *
 *   told --CONN_DRAIN_GRACE--> nothing new is begun --CONN_DRAIN_WAIT--> closed
 *
 * the second as soon as nothing lives on it, should the peer not close.
 */
#include <sys/types.h>

#include "clock.h"
#include "conn.h"
#include "limit.h"
#include "output.h"
#include "server.h"

static void
say_drain(struct conn *conn)
{
	uint8_t buf[FCGI_HEADER_LEN];

	afcgi_drain_put(buf);
	if (output_raw(conn, buf, sizeof buf) == -1) {
		conn_close(conn);
		return;
	}
	conn->drained_at = clock_now();
	conn_set_alarm(conn, conn_idle_end(conn));
}

void
conn_drain(struct conn *conn)
{
	if (conn->drain || conn->state != CONN_OPEN)
		return;
	conn->drain = 1;
	if (conn->flow)
		say_drain(conn);
	else if (conn->live == 0)
		conn_finish(conn);
}

void
conn_set_flow(struct conn *conn)
{
	if (conn->flow)
		return;
	conn->flow = 1;
	if (conn->drain)
		say_drain(conn);
}

int
conn_is_drained(const struct conn *conn)
{
	return conn->drained_at != 0 &&
	    clock_now() >= conn->drained_at + CONN_DRAIN_GRACE;
}

int64_t
conn_idle_end(const struct conn *conn)
{
	int64_t since = conn->idle_since;

	if (conn->drained_at == 0)
		return since + conn->server->limits->conn_idle;
	if (since < conn->drained_at + CONN_DRAIN_GRACE)
		since = conn->drained_at + CONN_DRAIN_GRACE;
	return since + CONN_DRAIN_WAIT;
}

/*
 * No request has lived on it for long.  One may be on its way: who can be
 * told not to send it is told first.
 */
void
conn_idle(struct conn *conn)
{
	if (conn->drained_at != 0)
		conn_finish(conn);
	else if (conn->flow)
		conn_drain(conn);
	else
		conn_close(conn);
}
