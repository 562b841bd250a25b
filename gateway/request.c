/*
 * A request's streams from the peer, and its end, whoever ends it: first what
 * is to be said of it is queued, then finish() takes it from the live ones; it
 * is freed when that has been written.  What else a handler may do with it is
 * in handler.c.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "limit.h"
#include "output.h"
#include "page.h"
#include "request.h"
#include "server.h"

static const char *
request_state_name(enum request_state state)
{
	static const char *const names[] = { "params", "running", "ended" };

	return names[state];
}

static void
request_set_state(struct request *req, enum request_state state)
{
	log_debug("conn %llu request %u: %s -> %s",
	    (unsigned long long)req->conn->serial, req->id,
	    request_state_name(req->state), request_state_name(state));
	if (req->state == REQUEST_PARAMS) {
		TAILQ_REMOVE(&req->conn->half_open, req, half_open);
		req->conn->nhalf_open--;
	}
	req->state = state;
}

struct request *
request_new(struct conn *conn, uint16_t id, uint8_t role)
{
	struct request *req;

	if ((req = calloc(1, sizeof *req)) == NULL)
		return NULL;
	req->conn = conn;
	req->id = id;
	req->role = role;
	req->state = REQUEST_PARAMS;
	req->began = clock_now();
	params_init(&req->params);
	conn_request_began(req);
	return req;
}

static void
say_end(struct request *req, uint32_t app_status, uint8_t status)
{
	if (output_end(req, app_status, status) == -1)
		conn_close(req->conn);
}

/* What only a live request needs: its end, as the handler sees it. */
static void
finish(struct request *req)
{
	request_set_state(req, REQUEST_ENDED);
	params_clear(&req->params);
	conn_request_ended(req);
	input_clear(req);
	output_unwait(req);
	req->context = NULL;
}

void
request_free(struct request *req)
{
	struct conn *conn;

	if (req == NULL)
		return;
	conn = req->conn;
	if (req->state != REQUEST_ENDED)
		finish(req);
	output_forget(req);
	if (conn->current == req)
		conn->current = NULL;
	RB_REMOVE(request_tree, &conn->requests, req);
	free(req);
}

void
request_params(struct request *req, const uint8_t *p, size_t n)
{
	size_t max = (size_t)req->conn->server->limits->params;

	if (req->state != REQUEST_PARAMS)
		return;
	if (params_append(&req->params, p, n, max) == 0)
		return;
	if (errno == E2BIG) {
		request_log(req, LEVEL_WARNING,
		    "more than %zu bytes of parameters (limit params)", max);
		request_page(req, 431);
	} else {
		request_log(req, LEVEL_ERROR, "%s", strerror(errno));
		request_page(req, 503);
	}
}

void
request_params_end(struct request *req)
{
	struct server *server = req->conn->server;
	const char *wrong;
	int status;

	if (req->state != REQUEST_PARAMS)
		return;
	request_set_state(req, REQUEST_RUNNING);
	if ((wrong = params_decode(&req->params)) != NULL) {
		status = errno == ENOMEM ? 503 : 400;
		request_log(req, LEVEL_WARNING, "bad parameters: %s", wrong);
		request_page(req, status);
		return;
	}
	if (req->role == FCGI_AUTHORIZER) /* section 6.3: it has no input */
		req->input.ended = 1;
	server->handler->begin(req, server->handler_arg);
}

int
request_credit(struct request *req, uint32_t bytes)
{
	if (req->state == REQUEST_ENDED)
		return 0;
	if (!req->window.on)
		window_open(&req->window, req->conn->server->limits->window);
	if (window_add(&req->window, bytes) == -1)
		return -1;
	output_credited(req);
	return 0;
}

void
request_input(struct request *req, const uint8_t *p, size_t n)
{
	if (req->state == REQUEST_RUNNING)
		input_add(req, p, n);
}

void
request_input_end(struct request *req)
{
	if (req->state == REQUEST_RUNNING)
		input_end(req);
}

/*
 * The handler is told last: what it does then must find the request ended.
 * Its context stays readable for it.
 */
void
request_abort(struct request *req)
{
	void *context = req->context;
	int known = req->state == REQUEST_RUNNING;

	if (req->state == REQUEST_ENDED)
		return;
	request_log(req, LEVEL_DEBUG, "aborted");
	if (req->conn->state == CONN_OPEN)
		say_end(req, 1, FCGI_REQUEST_COMPLETE);
	finish(req);
	if (!known)
		return;
	req->context = context;
	req->conn->server->handler->aborted(req);
	req->context = NULL;
}

void
request_refuse(struct request *req, enum fcgi_status status)
{
	say_end(req, 0, (uint8_t)status);
	finish(req);
}

void
request_late(struct request *req)
{
	request_log(req, LEVEL_WARNING,
	    "no end of the parameters in %lld ms (limit params_time)",
	    (long long)req->conn->server->limits->params_time);
	request_page(req, 408);
}

void
request_wake(struct request *req)
{
	if (req->state == REQUEST_RUNNING)
		req->conn->server->handler->writable(req);
}

void
request_end(struct request *req, uint32_t app_status)
{
	if (req->window.cut)
		say_end(req, app_status == 0 ? 1 : app_status, AFCGI_CUT);
	else
		say_end(req, app_status, FCGI_REQUEST_COMPLETE);
	finish(req);
}

void
request_cut(struct request *req, uint32_t app_status)
{
	struct conn *conn = req->conn;

	req->window.cut = req->window.on;
	if (req->window.on || conn->live > 1 || conn->state != CONN_OPEN) {
		request_end(req, app_status == 0 ? 1 : app_status);
		return;
	}
	if (output_poison(conn) == -1)
		conn_close(conn);
	finish(req);
	conn_finish(conn);
}

void
request_write_page(struct request *req, int status)
{
	char page[FCGI_HEADER_LEN + PAGE_SIZE_MAX];
	size_t len = page_write(page + FCGI_HEADER_LEN, status);

	if (window_room(&req->window, len) < len) {
		req->window.cut = 1;
		return;
	}
	window_spend(&req->window, len);
	fcgi_header_put((uint8_t *)page, FCGI_STDOUT, req->id, (uint16_t)len);
	if (output_raw(req->conn, page, FCGI_HEADER_LEN + len) == -1)
		conn_close(req->conn);
	else
		req->queued += FCGI_HEADER_LEN + len;
}

void
request_page(struct request *req, int status)
{
	const struct conn *conn = req->conn;

	/* its credit may be on the way: a page would not be counted */
	if (conn->flow && req->state == REQUEST_PARAMS && !req->window.on) {
		request_refuse(req, FCGI_OVERLOADED);
		return;
	}
	request_write_page(req, status);
	request_end(req, 0);
}
