/*
 * FCGI_STDIN: who has it, memory or disk, and may more come?
 */
#include <sys/types.h>

#include <errno.h>
#include <string.h>

#include <event2/buffer.h>

#include "conn.h"
#include "input.h"
#include "limit.h"
#include "output.h"
#include "request.h"
#include "server.h"
#include "spool.h"

static void fetched(void *);
static void drained(void *);
static void failed(void *, int);

static const struct spool_ops spool_ops = { fetched, drained, failed };

static size_t
in_memory(const struct input *in)
{
	return in->memory == NULL ? 0 : evbuffer_get_length(in->memory);
}

static void
stop(struct request *req)
{
	if (req->input.stopped)
		return;
	req->input.stopped = 1;
	conn_stop(req->conn);
}

static void
go_on(struct request *req)
{
	if (!req->input.stopped)
		return;
	req->input.stopped = 0;
	conn_go_on(req->conn);
}

/* So much input has been consumed: is it time to say so? */
static void
credit(struct request *req, size_t n)
{
	uint32_t bytes = window_consume(&req->window, n);

	if (bytes == 0 || req->input.ended || req->state != REQUEST_RUNNING)
		return;
	if (output_credit(req, bytes) == -1)
		conn_close(req->conn);
}

static void
credit_kept(struct request *req, size_t n)
{
	if (n > req->input.owed)
		n = req->input.owed;
	req->input.owed -= n;
	credit(req, n);
}

void
input_clear(struct request *req)
{
	struct input *in = &req->input;

	spool_free(in->spool);
	in->spool = NULL;
	if (in->memory != NULL)
		evbuffer_free(in->memory);
	in->memory = NULL;
	in->ready = 0;
	in->owed = 0;
	go_on(req);
}

static void
fail(struct request *req, int error)
{
	req->input.failed = 1;
	input_clear(req);
	if (req->state == REQUEST_RUNNING)
		req->conn->server->handler->input_failed(req, error);
}

static int
over_limit(const struct request *req)
{
	const struct server *server = req->conn->server;

	return spool_size(req->input.spool) >= server->limits->spool ||
	    server->spooled >= server->limits->spool_all;
}

static void
add_to_spool(struct request *req, const uint8_t *p, size_t n)
{
	struct input *in = &req->input;

	if (spool_add(in->spool, p, n) == -1) {
		fail(req, errno);
		return;
	}
	if (over_limit(req)) {
		if (in->flow || !conn_is_own(req->conn)) {
			fail(req, EFBIG);
			return;
		}
		stop(req);
	}
	if (spool_full(in->spool) && !req->window.on)
		stop(req);
}

static void
add_to_memory(struct request *req, const uint8_t *p, size_t n)
{
	struct input *in = &req->input;
	struct server *server = req->conn->server;

	if ((in->memory == NULL && (in->memory = evbuffer_new()) == NULL) ||
	    evbuffer_add(in->memory, p, n) == -1) {
		fail(req, ENOMEM);
		return;
	}
	if (in_memory(in) < (size_t)server->limits->stdin_mem)
		return;
	if (req->window.on && !in->flow)
		return;
	if (conn_may_stop(req->conn) && !in->stalled && !in->flow) {
		stop(req);
		return;
	}
	request_log(req, LEVEL_DEBUG, "input goes to disk");
	in->spool = spool_new(server->disk, server->spool_dir, &server->spooled,
	    &spool_ops, req);
	if (in->spool == NULL)
		fail(req, errno);
}

/* What the handler has not taken. */
static void
keep(struct request *req, const uint8_t *p, size_t n)
{
	struct input *in = &req->input;

	in->owed += n;
	if (in->spool != NULL)
		add_to_spool(req, p, n);
	else
		add_to_memory(req, p, n);
	if (in->flow && (in->spool == NULL || !spool_full(in->spool)))
		credit_kept(req, in->owed);
}

void
input_add(struct request *req, const uint8_t *p, size_t n)
{
	struct input *in = &req->input;
	size_t taken;

	if (in->failed || in->ended)
		return;
	if (in->ready && in->spool == NULL && in_memory(in) == 0) {
		taken = req->conn->server->handler->input(req, p, n);
		if (req->state != REQUEST_RUNNING)
			return;
		credit(req, taken);
		if (taken == n)
			return;
		in->ready = 0;
		p += taken;
		n -= taken;
	}
	keep(req, p, n);
}

static void
tell_end(struct request *req)
{
	struct input *in = &req->input;

	if (!in->ended || !in->ready || in->done || in->spool != NULL ||
	    in_memory(in) > 0)
		return;
	in->done = 1;
	req->conn->server->handler->input_end(req);
}

void
input_end(struct request *req)
{
	if (req->input.ended)
		return;
	req->input.ended = 1;
	req->conn->server->handler->input_arrived(req);
	if (req->state == REQUEST_RUNNING)
		tell_end(req);
}

/* Gives the handler what is in memory.  Returns -1 if the request ended. */
static int
give(struct request *req)
{
	struct input *in = &req->input;
	struct evbuffer_iovec vec;
	size_t taken;

	while (in->ready && in_memory(in) > 0) {
		(void)evbuffer_peek(in->memory, -1, NULL, &vec, 1);
		taken = req->conn->server->handler->input(req, vec.iov_base,
		    vec.iov_len);
		if (req->state != REQUEST_RUNNING)
			return -1;
		(void)evbuffer_drain(in->memory, taken);
		credit_kept(req, taken);
		if (taken < vec.iov_len)
			in->ready = 0;
	}
	return 0;
}

void
input_deliver(struct request *req)
{
	struct input *in = &req->input;
	size_t low = (size_t)req->conn->server->limits->stdin_mem / 2;

	if (in->failed)
		return;
	in->ready = 1;
	if (give(req) == -1)
		return;
	if (in->spool != NULL && spool_bytes(in->spool) == 0) {
		spool_free(in->spool);
		in->spool = NULL;
		in->stalled = 0;
	}
	if (in->spool != NULL && in_memory(in) <= low)
		spool_fetch(in->spool, in->memory);
	if (in->spool == NULL && in_memory(in) == 0 && in->memory != NULL) {
		evbuffer_free(in->memory);
		in->memory = NULL;
	}
	if (in->spool == NULL ? in_memory(in) <= low :
				!over_limit(req) && !spool_full(in->spool))
		go_on(req);
	tell_end(req);
}

void
input_unstop(struct request *req)
{
	struct input *in = &req->input;

	if (!in->stopped)
		return;
	if (in->spool != NULL) {
		/* a slow disk goes on by itself; a full one does not */
		if (over_limit(req) && (in->flow || !conn_is_own(req->conn)))
			fail(req, EFBIG);
		return;
	}
	in->stalled = 1;
	go_on(req);
}

void
input_flow(struct request *req)
{
	req->input.flow = 1;
	input_unstop(req);
	credit_kept(req, req->input.owed);
}

static void
fetched(void *arg)
{
	struct request *req = arg;

	if (req->input.ready)
		input_deliver(req);
}

static void
drained(void *arg)
{
	struct request *req = arg;

	credit_kept(req, req->input.owed);
	if (!over_limit(req))
		go_on(req);
}

static void
failed(void *arg, int error)
{
	/* EFBIG is for our own limits; here it is the disk's */
	fail(arg, error == EFBIG ? ENOSPC : error);
}
