/*
 * What a handler may do with a request, but end it; see handler.h.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "handler.h"
#include "output.h"
#include "request.h"

struct server *
request_server(const struct request *req)
{
	return req->conn->server;
}

enum fcgi_role
request_role(const struct request *req)
{
	return (enum fcgi_role)req->role;
}

void *
request_context(const struct request *req)
{
	return req->context;
}

void
request_set_context(struct request *req, void *context)
{
	req->context = context;
}

const char *
request_param(const struct request *req, const char *name)
{
	return params_get(&req->params, name);
}

void
request_drop_params(struct request *req)
{
	params_clear(&req->params);
}

int
request_from_nginx(const struct request *req)
{
	const char *software = request_param(req, "SERVER_SOFTWARE");

	return software != NULL && strncmp(software, "nginx/", 6) == 0;
}

void
request_take_params(struct request *req, struct params *to)
{
	*to = req->params;
	params_init(&req->params);
}

uint8_t *
request_reserve(struct request *req, size_t want, size_t *room)
{
	return output_reserve(req, want, room);
}

void
request_commit(struct request *req, enum fcgi_type type, size_t len)
{
	output_commit(req, type, len);
}

void
request_cancel(struct request *req)
{
	output_cancel(req);
}

size_t
request_write(struct request *req, enum fcgi_type type, const void *data,
    size_t len)
{
	const uint8_t *p = data;
	uint8_t *to;
	size_t left = len, room;

	while (left > 0) {
		if ((to = output_reserve(req, left, &room)) == NULL)
			break;
		memcpy(to, p, room);
		output_commit(req, type, room);
		p += room;
		left -= room;
	}
	return len - left;
}

size_t
request_write_errors(struct request *req, const void *data, size_t len)
{
	size_t n = 0, part, room;

	while (n < len && (room = output_room(req)) > 0) {
		part = request_write(req, FCGI_STDERR,
		    (const uint8_t *)data + n, len - n < room ? len - n : room);
		if (part == 0)
			break;
		n += part;
	}
	return n;
}

void
request_fail(struct request *req, int status)
{
	if (req->wrote)
		request_cut(req, 1);
	else
		request_page(req, status);
}

void
request_input_ready(struct request *req)
{
	input_deliver(req);
}

int
request_input_arrived(const struct request *req)
{
	return req->input.ended;
}

int
request_is_duplex(const struct request *req)
{
	return req->window.on;
}

void
request_take_input(struct request *req)
{
	input_flow(req);
}

void
request_log(const struct request *req, enum log_level level, const char *fmt,
    ...)
{
	char text[768];
	va_list ap;

	if (level == LEVEL_DEBUG && !log_debugging())
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (level >= LEVEL_WARNING)
		log_line(level, "conn %llu request %u: %s (from %s)",
		    (unsigned long long)req->conn->serial, req->id, text,
		    req->conn->peer);
	else
		log_line(level, "conn %llu request %u: %s",
		    (unsigned long long)req->conn->serial, req->id, text);
}
