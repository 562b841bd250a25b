/*
 * One FastCGI request, as its connection sees it.  Handlers see it through
 * handler.h, which describes its life; this is the other side.
 *
 *   PARAMS --> RUNNING --> ENDED --> freed when FCGI_END_REQUEST is written
 *      \________________/
 *
 * It is made by FCGI_BEGIN_REQUEST and belongs to its connection, which finds
 * it by its id until the last byte of its last record has left: so a peer
 * cannot reuse an id before it can know that the request has ended.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <stdint.h>

#include "handler.h"
#include "input.h"
#include "params.h"
#include "window.h"

struct conn;

enum request_state { REQUEST_PARAMS, REQUEST_RUNNING, REQUEST_ENDED };

struct request {
	RB_ENTRY(request) by_id;
	TAILQ_ENTRY(request) half_open; /* in REQUEST_PARAMS, oldest first */
	TAILQ_ENTRY(request) waiter; /* while `waiting' */
	struct conn *conn;
	void *context; /* the handler's */
	struct params params;
	struct input input;
	struct window window;
	int64_t began; /* clock_now() */
	uint32_t turn; /* the conn's, when it began to wait */
	size_t queued; /* bytes in the connection's queue */
	uint16_t id;
	uint8_t role;
	enum request_state state;
	unsigned waiting:1; /* for room: the handler wants writable */
	unsigned active:1; /* waiting, or with output in the queue */
	unsigned wrote:1; /* has had output */
	unsigned first:1; /* waits among those that have not */
	unsigned wrote_errors:1; /* FCGI_STDERR has been used */
};

/* Counts it with its connection.  Returns NULL with errno ENOMEM. */
struct request *request_new(struct conn *, uint16_t id, uint8_t role);
/* Tells nobody.  Accepts NULL. */
void request_free(struct request *);

/* Content, and the end, of the streams from the peer. */
void request_params(struct request *, const uint8_t *, size_t);
void request_params_end(struct request *);
void request_input(struct request *, const uint8_t *, size_t);
void request_input_end(struct request *);
/*
 * The peer takes so many bytes more; the first of it makes the request a
 * windowed one.  Returns 0, or -1 if that is more than a window may be.
 */
int request_credit(struct request *, uint32_t bytes);
/* The client is gone; tells the handler if it knows the request. */
void request_abort(struct request *);
/* Ends it before it has begun, with a protocolStatus. */
void request_refuse(struct request *, enum fcgi_status);
/* PARAMS have not ended in time. */
void request_late(struct request *);
/* The room that it was refused may be there now. */
void request_wake(struct request *);

#endif
