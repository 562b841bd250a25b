/*
 * One connection from a web server: the requests that live on it, the records
 * that come in and those that go out.
 *
 *   OPEN --> CLOSING (only writes what is queued) --> freed
 *      \___________________________________________/
 *
 * Made by a listener; belongs to its server; frees itself.  It is freed only
 * from the event loop or by server_clear, never under a caller's feet:
 * conn_close and conn_finish mark it and leave the rest to the loop.
 */
#ifndef CONN_H
#define CONN_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "log.h"
#include "outq.h"
#include "params.h"
#include "reader.h"

struct request;
struct server;

#define CONN_STOP_TIME 50 /* ms that it is stopped for a slow reader */
#define CONN_DRAIN_GRACE 1000 /* ms that requests may cross AFCGI_DRAIN */
#define CONN_DRAIN_WAIT 2000 /* ms more that the peer may take to close */
#define CONN_CLOSE_TIME 30000 /* ms without progress that closing may take */

TAILQ_HEAD(request_list, request);
RB_HEAD(request_tree, request);

enum conn_state { CONN_OPEN, CONN_CLOSING, CONN_DEAD };

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct server *server;
	char *peer; /* for the log */
	uint64_t serial;
	int fd;
	int watch_fd; /* a duplicate of it for `closed', or -1 */
	enum conn_state state;
	struct event read; /* input, while it is wanted */
	struct event closed; /* the peer's close, while input is not wanted */
	struct event write; /* the socket was full */
	struct event flush; /* activated when there is something to write */
	struct event timer; /* half-open requests, idle time, a long stop */
	struct reader reader;
	uint8_t body[FCGI_BEGIN_LEN]; /* content of a BEGIN_REQUEST, a CREDIT */
	size_t body_len;
	struct params values; /* content of a GET_VALUES */
	struct outq outq;
	struct request_tree requests; /* by id, ended ones too */
	struct request_list half_open; /* oldest first */
	struct request_list waiters; /* for room in outq, oldest first */
	struct request_list first; /* those of them without any output yet */
	uint32_t turn; /* counts the times that waiters were woken */
	struct request *current; /* of the record being read, or NULL */
	uint8_t *begun; /* bits: ids ever begun */
	size_t begun_size; /* bytes of it */
	unsigned live; /* requests that have not ended */
	unsigned nhalf_open; /* those of them in PARAMS */
	unsigned active; /* requests that queue or wait */
	int64_t idle_since; /* clock_now() when live became 0 */
	int64_t drained_at; /* when AFCGI_DRAIN was sent; 0: it was not */
	int64_t closing_since; /* when it ceased to be open */
	int unsent; /* bytes in the socket that the peer has not taken */
	int64_t alarm; /* when timer goes off; 0: never */
	unsigned nstopped; /* requests that stop the reading */
	int64_t stopped_since;
	unsigned keep:1; /* FCGI_KEEP_CONN in the last BEGIN */
	unsigned multiplexed:1; /* two requests have been live at once */
	unsigned full:1; /* reading is stopped: outq is too long */
	unsigned flow:1; /* the peer has asked for AFCGI_WINDOW */
	unsigned drain:1; /* no new requests: see conn_drain */
	unsigned blocked:1; /* the socket is full: the write event is set */
	unsigned first_woken:1; /* the last one woken was of `first' */
	unsigned reading:1; /* the read event is set */
	unsigned watching:1; /* the close is waited for instead */
	unsigned unread:1; /* the peer may still be sending */
	unsigned shut:1; /* all is written, and the peer has been told */
};

/*
 * Takes the descriptor, which must not block; on error it is closed.  peer is
 * copied.  Returns 0, or -1 with errno.
 */
int conn_new(struct server *, int fd, const char *peer);
/* Aborts every request and frees the connection at once. */
void conn_free(struct conn *);
/* Closes it soon; requests are aborted, queued output is lost. */
void conn_close(struct conn *);
/* Closes it when all queued output is written; begins nothing new. */
void conn_finish(struct conn *);

/* conn_drain.c: */
/*
 * Closes it when its last request has ended; with flow control the peer is
 * told that, and closes it.
 */
void conn_drain(struct conn *);
/* The peer has asked for the extension, fcgi_flow(7). */
void conn_set_flow(struct conn *);
/* True if it is too late to begin a request. */
int conn_is_drained(const struct conn *);
/* When no request has lived on it for too long; clock_now() time. */
int64_t conn_idle_end(const struct conn *);
/* And then. */
void conn_idle(struct conn *);

/* A request has begun: it is in the tree and counted. */
void conn_request_began(struct request *);
/* A request has ended: what is to be said of it has been queued. */
void conn_request_ended(struct request *);
struct request *conn_find(struct conn *, uint16_t id);
/* Sets or deletes the read events as the state demands. */
void conn_update_reading(struct conn *);
/* conn_clock.c: what the timer calls. */
void conn_timer_cb(evutil_socket_t, short, void *);
/* Makes the timer go off at a clock_now() time, or earlier. */
void conn_set_alarm(struct conn *, int64_t at);

/*
 * Reading may stop, for a moment, while this connection's input waits: no
 * other request lives on it.  Not for long: an FCGI_ABORT_REQUEST, or a TCP
 * peer's close, may wait behind what is not read.
 */
int conn_may_stop(const struct conn *);
/*
 * And for long: the web server sends this request on it and no other, so only
 * its own abort can wait behind what is not read.
 */
int conn_is_own(const struct conn *);
void conn_stop(struct conn *);
void conn_go_on(struct conn *);

void conn_log(const struct conn *, enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

int request_compare(const struct request *, const struct request *);
RB_PROTOTYPE(request_tree, request, by_id, request_compare)

#endif
