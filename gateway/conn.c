/*
 * Life and events of a connection.  See records.c for what comes in, output.c
 * for what goes out, and conn_clock.c for what comes of waiting.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/tree.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "conn.h"
#include "limit.h"
#include "output.h"
#include "records.h"
#include "request.h"
#include "server.h"

RB_GENERATE(request_tree, request, by_id, request_compare)

int
request_compare(const struct request *a, const struct request *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

static const char *
conn_state_name(enum conn_state state)
{
	static const char *const names[] = { "open", "closing", "dead" };

	return names[state];
}

static void
conn_set_state(struct conn *conn, enum conn_state state)
{
	log_debug("conn %llu: %s -> %s", (unsigned long long)conn->serial,
	    conn_state_name(conn->state), conn_state_name(state));
	conn->state = state;
}

/* In the middle of a record is no place to end, unless we ended first. */
static void
closed_by_peer(const struct conn *conn, int error)
{
	int partial = reader_partial(&conn->reader) && !conn->unread;

	conn_log(conn, partial ? LEVEL_WARNING : LEVEL_DEBUG,
	    "closed by peer%s: %s", partial ? " inside a record" : "",
	    error == 0 ? "end of file" : strerror(error));
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	ssize_t n;

	(void)what;
	n = read(fd, conn->server->scratch, SERVER_SCRATCH);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		closed_by_peer(conn, n == 0 ? 0 : errno);
		conn_close(conn);
		return;
	}
	if (conn->state != CONN_OPEN)
		return; /* closing: the peer may say what it likes */
	if (records_read(conn, conn->server->scratch, (size_t)n) == -1 &&
	    conn->state == CONN_OPEN) {
		conn_close(conn);
		return;
	}
	conn_update_reading(conn);
}

/*
 * While nothing is read: the peer has closed, or the connection has an error,
 * or more input is there that must wait.
 */
static void
closed_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if ((what & EV_CLOSED) == 0 && error == 0)
		return;
	closed_by_peer(conn, error);
	conn_close(conn);
}

/*
 * libevent reports an error of a socket as readable and writable, again and
 * again.  So the watch is for changes only (EV_ET), on a descriptor of its
 * own, since one descriptor cannot have both kinds of events.
 */
static int
watch(struct conn *conn)
{
	conn->watch_fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 3);
	if (conn->watch_fd == -1) {
		conn_log(conn, LEVEL_WARNING, "cannot be watched: %s",
		    strerror(errno));
		return 0;
	}
	(void)event_assign(&conn->closed, conn->server->base, conn->watch_fd,
	    EV_CLOSED | EV_READ | EV_ET | EV_PERSIST, closed_cb, conn);
	return event_add(&conn->closed, NULL);
}

static void
unwatch(struct conn *conn)
{
	if (conn->watch_fd == -1)
		return;
	(void)event_del(&conn->closed);
	(void)close(conn->watch_fd);
	conn->watch_fd = -1;
}

/* All that a closing connection had to say has been written. */
static void
written_all(struct conn *conn)
{
	if (!conn->unread) {
		conn_free(conn);
		return;
	}
	/*
	 * To close with input unread would reset the connection, and what we
	 * have written could be lost: wait for the peer.
	 */
	if (!conn->shut)
		(void)shutdown(conn->fd, SHUT_WR);
	conn->shut = 1;
}

static void
write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->state == CONN_DEAD || output_write(conn) == -1) {
		conn_free(conn);
		return;
	}
	output_wake(conn);
	if (conn->state == CONN_CLOSING) { /* the peer reads */
		conn->closing_since = clock_now();
		conn->unsent = INT_MAX;
	}
	if (conn->state == CONN_CLOSING && conn->outq.bytes == 0)
		written_all(conn);
	else if (conn->state != CONN_DEAD)
		conn_update_reading(conn);
}

int
conn_new(struct server *server, int fd, const char *peer)
{
	struct conn *conn;

	if ((conn = calloc(1, sizeof *conn)) == NULL) {
		(void)close(fd);
		return -1;
	}
	conn->server = server;
	conn->fd = fd;
	conn->watch_fd = -1;
	conn->serial = ++server->serial;
	conn->peer = strdup(peer);
	conn->idle_since = clock_now();
	params_init(&conn->values);
	outq_init(&conn->outq, &server->store);
	RB_INIT(&conn->requests);
	TAILQ_INIT(&conn->half_open);
	TAILQ_INIT(&conn->waiters);
	TAILQ_INIT(&conn->first);
	(void)event_assign(&conn->read, server->base, fd, EV_READ | EV_PERSIST,
	    read_cb, conn);
	(void)event_assign(&conn->write, server->base, fd, EV_WRITE, write_cb,
	    conn);
	(void)event_assign(&conn->flush, server->base, -1, 0, write_cb, conn);
	(void)event_assign(&conn->timer, server->base, -1, 0, conn_timer_cb,
	    conn);
	TAILQ_INSERT_TAIL(&server->conns, conn, entry);
	server->nconns++;
	if (conn->peer == NULL || event_add(&conn->read, NULL) == -1) {
		conn_free(conn);
		errno = ENOMEM;
		return -1;
	}
	conn->reading = 1;
	conn_set_alarm(conn, conn->idle_since + server->limits->conn_idle);
	conn_log(conn, LEVEL_DEBUG, "accepted");
	return 0;
}

void
conn_free(struct conn *conn)
{
	struct server *server = conn->server;
	struct request *req;

	conn_set_state(conn, CONN_DEAD);
	while ((req = RB_MIN(request_tree, &conn->requests)) != NULL) {
		request_abort(req);
		request_free(req);
	}
	(void)event_del(&conn->read);
	unwatch(conn);
	(void)event_del(&conn->write);
	(void)event_del(&conn->flush);
	(void)event_del(&conn->timer);
	(void)close(conn->fd);
	outq_clear(&conn->outq);
	params_clear(&conn->values);
	TAILQ_REMOVE(&server->conns, conn, entry);
	server->nconns--;
	free(conn->begun);
	free(conn->peer);
	free(conn);
	if (server->conn_gone != NULL)
		server->conn_gone(server->conn_gone_arg);
}

void
conn_close(struct conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	conn_set_state(conn, CONN_DEAD);
	conn_update_reading(conn);
	(void)event_del(&conn->write);
	event_active(&conn->flush, EV_WRITE, 0);
}

void
conn_finish(struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return;
	conn_set_state(conn, CONN_CLOSING);
	conn->closing_since = clock_now();
	conn->unsent = INT_MAX;
	conn_set_alarm(conn, conn->closing_since + CONN_CLOSE_TIME);
	conn_update_reading(conn);
	output_flush(conn);
}

/* While input is not wanted, the peer's close still is. */
void
conn_update_reading(struct conn *conn)
{
	unsigned reading, watching;

	conn->full = output_clogged(conn);
	reading = conn->state == CONN_CLOSING ||
	    (conn->state == CONN_OPEN && conn->nstopped == 0 && !conn->full);
	watching = conn->state == CONN_OPEN && !reading;
	if (reading == conn->reading && watching == conn->watching)
		return;
	if (conn->reading && !reading)
		(void)event_del(&conn->read);
	if (conn->watching && !watching)
		unwatch(conn);
	if ((reading && !conn->reading && event_add(&conn->read, NULL) == -1) ||
	    (watching && !conn->watching && watch(conn) == -1)) {
		conn_close(conn);
		return;
	}
	conn->reading = reading;
	conn->watching = watching;
}

struct request *
conn_find(struct conn *conn, uint16_t id)
{
	struct request key;

	key.id = id;
	return RB_FIND(request_tree, &conn->requests, &key);
}

void
conn_request_began(struct request *req)
{
	struct conn *conn = req->conn;
	struct request *other;

	RB_INSERT(request_tree, &conn->requests, req);
	TAILQ_INSERT_TAIL(&conn->half_open, req, half_open);
	conn->nhalf_open++;
	conn_set_alarm(conn, req->began + conn->server->limits->params_time);
	if (++conn->live < 2)
		return;
	conn->multiplexed = 1;
	if (conn->nstopped > 0)
		RB_FOREACH(other, request_tree, &conn->requests)
			input_unstop(other);
}

void
conn_request_ended(struct request *req)
{
	struct conn *conn = req->conn;

	if (!req->input.ended)
		conn->unread = 1;
	if (--conn->live > 0)
		return;
	conn->idle_since = clock_now();
	if (!conn->keep || (conn->drain && !conn->flow))
		conn_finish(conn);
	else if (conn->drain)
		conn_set_alarm(conn, conn_idle_end(conn));
}

int
conn_may_stop(const struct conn *conn)
{
	return conn->live == 1 && !conn->multiplexed;
}

int
conn_is_own(const struct conn *conn)
{
	return conn_may_stop(conn) && !conn->keep;
}

void
conn_stop(struct conn *conn)
{
	if (conn->nstopped++ > 0)
		return;
	conn->stopped_since = clock_now();
	conn_set_alarm(conn, conn->stopped_since + CONN_STOP_TIME);
	conn_update_reading(conn);
}

void
conn_go_on(struct conn *conn)
{
	if (--conn->nstopped == 0)
		conn_update_reading(conn);
}

void
conn_log(const struct conn *conn, enum log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (level == LEVEL_DEBUG && !log_debugging())
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_line(level, "conn %llu (%s): %s", (unsigned long long)conn->serial,
	    conn->peer, text);
}
