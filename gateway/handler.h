/*
 * The boundary between FastCGI and what answers a request: the API for
 * whoever writes a server.  Nothing on the far side of it, the handler's,
 * knows of records, connections or windows; nothing on the near side knows
 * what a request is for.  cgi.c is one handler; contrib/async-server is
 * another, without CGI, linked with libfastcgi.a only.
 *
 * The life of a request
 *
 *                begin              request_end, request_cut, request_page,
 *   parameters ---------> RUNNING -----------------------------------> ENDED
 *                            \                request_fail               /
 *                             '---------------- aborted ----------------'
 *
 *   begin        all parameters are there (FCGI_PARAMS has ended).  From now
 *                on the handler may write, and must at some time end the
 *                request, once, unless aborted is called first.
 *   input        bytes of FCGI_STDIN, at least one.  The handler takes what it
 *                can and returns how many bytes that was.  If it took fewer,
 *                no more come until it calls request_input_ready.  Nothing is
 *                delivered before the first request_input_ready.
 *   input_arrived FCGI_STDIN has ended; some of it may not have been delivered.
 *                Not called for an authorizer, which has no input.
 *   input_end    FCGI_STDIN has ended and all of it has been taken.  Who never
 *                calls request_input_ready is not called either.
 *   input_failed STDIN could not be kept: EFBIG (limit spool or spool_all), an
 *                errno of the disk (ENOSPC, ...), or ENOMEM.  No more input
 *                comes; the handler ends the request, as a rule with 413, 507
 *                or 503.
 *   writable     there is room again: called once after request_reserve
 *                returned NULL or request_write took less than it was given.
 *                It may find that there is none after all, or that the handler
 *                has found some meanwhile: both are harmless.
 *   aborted      the client is gone (FCGI_ABORT_REQUEST, or the connection's
 *                end): the handler forgets the request.  It is not ended.
 *                Some web servers do not tell; a response that may go on for
 *                long needs a limit of its own.
 *
 * All seven are there, except in a handler that ends each request in begin.
 *
 * Ownership.  The request belongs to its connection.  The handler may use it
 * from begin until it ends it, or until aborted has returned, whichever is
 * first, and never after.  The handler's own context (request_set_context) is
 * the handler's to free, in aborted too.  Data given to request_write is
 * copied; data given to input is the handler's until it returns.  What
 * request_param returns lives until the parameters are dropped or taken, or
 * the request is ended.
 *
 * What may be called when.  Everything runs on the event loop's thread; there
 * are no locks, and no call-back may block or take long.  (For what blocks
 * there is pool.h.)  Any request function may be called in any call-back, a
 * timer or another request's call-back included, with these exceptions:
 *
 *   - request_input_ready not in its request's input and input_end;
 *   - between request_reserve and its commit or cancel nothing else;
 *   - in aborted, for the request that is aborted, only request_context and
 *     request_log.
 *
 * Ending a request is allowed everywhere else, and no call-back for it comes
 * after that.  These functions make call-backs before they return, after which
 * the request may have ended: request_input_ready (input, input_end) and
 * request_take_input (input_failed).  No other does.
 *
 * Input that the handler does not take waits in memory (limit stdin), then for
 * a moment with the web server, then on disk (limits spool and spool_all);
 * where the web server has windows (fcgi_flow(7)) it gets no more credit, and
 * no disk is needed.  Who does not care for the input calls
 * request_input_ready and takes all, or does not and ends the request: what
 * comes later is dropped.
 *
 * nginx stops sending input when it has the beginning of a response, though it
 * has promised the whole; with windows it goes on.  Who needs all input and is
 * behind an nginx without them (request_from_nginx, and not request_is_duplex)
 * calls request_take_input and writes nothing before input_arrived.
 *
 * Output is a CGI response (RFC 3875 section 6): header fields, "Status" among
 * them, an empty line, the body; the header in one request_write if possible.
 * If it has a Content-Length, the handler writes exactly so much, or cuts.
 * What was written is sent in order, in the background, at the end of this
 * turn of the event loop; request_end does not wait for it and needs no room.
 *
 * Back-pressure.  Output is limited per connection (limit output) and, while
 * several requests have data, by each one's share of that; where the web
 * server has windows, also by what it has given credit for.  A handler that
 * finds no room stops its source and goes on when writable is called.  There
 * is no limit of time for that: a stalled client is one that never reads.
 * Where there are windows it costs the request and what the handler keeps for
 * it; on a plain connection also what is queued there, and the others there
 * wait with it.  A handler that has a limit for this sets a timer, and calls
 * request_cut.
 *
 * Errors.  Whoever breaks the protocol loses the connection, and all requests
 * of it are aborted.  The near side answers by itself, without begin: 400
 * (parameters that are none), 408 (limit params_time), 431 (limit params), 503
 * (limits requests and half_open, or no memory), and a role that is neither
 * Responder nor Authorizer.  All else is the handler's to answer; one that
 * finds no memory in begin says request_page(req, 503).  What an unfinished
 * response is to the client depends on who is between: see request_cut.
 *
 * What it costs.  A request that waits for something takes less than 300 bytes
 * here when its parameters have been dropped, as they should be when they have
 * been read (until then: their size, 1 KiB at least).  Input and output that
 * waits is extra, and bounded by the limits.
 *
 * A server, complete (daemon.h says what else it may have; limits_set reads an
 * option -L, and listeners is where access to the sockets is set):
 *
 *	static void
 *	begin(struct request *req, void *arg)
 *	{
 *		static const char page[] =
 *		    "Content-Type: text/plain\r\n\r\nhello\n";
 *		const size_t len = sizeof page - 1;
 *
 *		(void)arg;
 *		if (request_write(req, FCGI_STDOUT, page, len) < len)
 *			request_cut(req, 1);
 *		else
 *			request_end(req, 0);
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		static const struct handler handler = { .begin = begin };
 *		static struct daemon d = { .name = "hello" };
 *		struct limits limits;
 *
 *		limits_init(&limits);
 *		daemon_prepare(&d);
 *		limits_fit(&limits, d.files, 0);
 *		(void)daemon_open(&d, &limits, "/tmp");
 *		daemon_listen(&d, "tcp:127.0.0.1:5000");
 *		d.server.handler = &handler;
 *		if (log_open(NULL, 0) == -1 || daemon_run(&d) == -1)
 *			return 1;
 *		daemon_clear(&d);
 *		return 0;
 *	}
 *
 * Its other events (timers, sockets) are libevent's, on d.base; they are
 * deleted before daemon_clear.  When the server is told to stop, d.drain is
 * called: responses that would go on for ever are to be ended then, for the
 * others are waited for (limit drain).  Requests that were on their way may
 * still begin, with request_server(req)->draining set.
 *
 * Without daemon.h: event_base_new_with_config with EV_FEATURE_EARLY_CLOSE,
 * server_init, listeners_init, listeners_open; server.handler, and a
 * server.conn_gone that calls listeners_resume; listeners_start,
 * event_base_dispatch; to stop, listeners_close and server_drain; at the end,
 * server_clear and event_base_free.  SIGPIPE must not end the process.
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
	/* arg is the server's handler_arg. */
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

/*
 * A parameter's value, or NULL: there is none, or they have been dropped or
 * taken.
 */
const char *request_param(const struct request *, const char *name);
/* Frees the parameters: nobody needs them any more. */
void request_drop_params(struct request *);
/* Hands the parameters over: *to is overwritten and is the caller's. */
void request_take_params(struct request *, struct params *to);
/* True if the web server is nginx, by the parameter SERVER_SOFTWARE. */
int request_from_nginx(const struct request *);

/*
 * Content of a record at most.  With its header it fills web servers' buffers
 * without a rest.
 */
#define REQUEST_RECORD (32768 - FCGI_HEADER_LEN)

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
 * Copies up to len bytes of FCGI_STDERR, without asking for writable.  Returns
 * how many there was room for.
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
/* request_page if nothing has been written yet, else request_cut. */
void request_fail(struct request *, int status);

/* Input may be delivered (again). */
void request_input_ready(struct request *);
/* True once FCGI_STDIN has ended, though it may not have been delivered. */
int request_input_arrived(const struct request *);
/*
 * True if input comes on while output goes, whichever web server it is: both
 * directions have a window.
 */
int request_is_duplex(const struct request *);
/*
 * From now on never leave input with the web server: take it all, to memory
 * and to disk, even while the handler takes none.
 */
void request_take_input(struct request *);

/* Logs a line that names the connection and the request. */
void request_log(const struct request *, enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
