/*
 * The boundary between FastCGI and what answers a request: the project's
 * internal API.  Nothing on the far side of it knows of records, connections
 * or windows; nothing on the near side knows of scripts.
 *
 * The life of a request
 *
 *   begin        all parameters are there (FCGI_PARAMS has ended).  From now
 *                on the handler may write, and must at some time end the
 *                request with exactly one of request_end, request_cut and
 *                request_page.
 *   input        bytes of FCGI_STDIN.  The handler takes what it can and
 *                returns how many bytes that was.  If it took fewer, no more
 *                come until it calls request_input_ready; what waits is kept
 *                in memory, then on disk, or left with the web server.
 *                Nothing is delivered before the first request_input_ready.
 *   input_arrived FCGI_STDIN has ended; some of it may not have been delivered.
 *   input_end    FCGI_STDIN has ended and all of it has been taken.
 *   input_failed STDIN could not be kept: errno is ENOSPC, EFBIG, ENOMEM, ...
 *                The handler ends the request.
 *   writable     there is room again: called once after request_reserve
 *                returned NULL or request_write took less than it was given.
 *   aborted      the client is gone (FCGI_ABORT_REQUEST, or the connection's
 *                end): the handler forgets the request.  It is not ended.
 *
 * Ownership.  The request belongs to its connection.  The handler may use it
 * from begin until it ends it, or until aborted is called, whichever is
 * first, and never after.  The handler's own context (request_set_context) is
 * the handler's to free.
 *
 * What may be called when.  Everything runs on the event loop's thread.  The
 * handler may call any request function inside any of its call-backs but one:
 * request_input_ready must not be called from input, input_end or aborted.
 * Ending the request is allowed everywhere but in aborted; no call-back for
 * the request comes after it.
 *
 * Back-pressure.  Output is limited per connection (limits.output) and, while
 * several requests have data, by each one's share of that; where the web
 * server has windows (fcgi_flow(7)), also by what it has given credit for.  A
 * handler that finds no room stops its source and goes on when writable is
 * called, which a web server may put off for as long as it likes.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi.h"
#include "log.h"

struct params;
struct request;
struct server;

struct handler {
	void (*begin)(struct request *, void *arg);
	size_t (*input)(struct request *, const uint8_t *, size_t);
	void (*input_arrived)(struct request *);
	void (*input_end)(struct request *);
	void (*input_failed)(struct request *, int error);
	void (*writable)(struct request *);
	void (*aborted)(struct request *);
};

struct server *request_server(const struct request *);
/* FCGI_RESPONDER or FCGI_AUTHORIZER. */
enum fcgi_role request_role(const struct request *);
void *request_context(const struct request *);
void request_set_context(struct request *, void *);
/* A parameter's value, or NULL; gone after request_take_params. */
const char *request_param(const struct request *, const char *name);
/* Hands the parameters over: *to is overwritten and is the caller's. */
void request_take_params(struct request *, struct params *to);

/*
 * Room for the content of one record of at most want bytes (want > 0), to be
 * filled in and given to request_commit or request_cancel before any other
 * call.  Returns NULL when there is no room now: writable will be called.
 */
uint8_t *request_reserve(struct request *, size_t want, size_t *room);
/* type is FCGI_STDOUT or FCGI_STDERR; len bytes of the room, at least one. */
void request_commit(struct request *, enum fcgi_type, size_t len);
void request_cancel(struct request *);
/*
 * Copies up to len bytes into records.  Returns how many there was room for;
 * if that is fewer than len, writable will be called.
 */
size_t request_write(struct request *, enum fcgi_type, const void *,
    size_t len);
/*
 * Copies up to len bytes of FCGI_STDERR, without ever asking for writable.
 * Returns how many there was room for.
 */
size_t request_write_errors(struct request *, const void *, size_t len);

/* The response is complete.  app_status is FCGI_END_REQUEST's appStatus. */
void request_end(struct request *, uint32_t app_status);
/*
 * The response is not complete though a part has been sent: the client must
 * not take it for whole.  With flow control END_REQUEST says so.  Without it
 * the connection is closed without FCGI_END_REQUEST, if no other request is
 * live there; else END_REQUEST has to do.  It carries app_status, which is made
 * non-zero.
 */
void request_cut(struct request *, uint32_t app_status);
/*
 * Writes a short page with the given HTTP status, past all limits but the
 * credit, in place of a response: nothing may have been written before, and
 * request_end follows, which cuts the response if there was no credit.
 */
void request_write_page(struct request *, int status);
/* The two in one. */
void request_page(struct request *, int status);

/* Input may be delivered (again). */
void request_input_ready(struct request *);
/* True once FCGI_STDIN has ended, though it may not have been delivered. */
int request_input_arrived(const struct request *);
/* From now on never leave input with the web server: take it all. */
void request_take_input(struct request *);

/* Logs a line that names the connection and the request. */
void request_log(const struct request *, enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
