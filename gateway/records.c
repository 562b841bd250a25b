/*
 * Records in.  header() decides whether the record may come now, which ends
 * the connection if it may not; data() passes its content on in pieces; end()
 * acts upon the records that mean something as a whole.  The request that a
 * record belongs to is looked up once and kept in conn->current, which is NULL
 * for records that are to be ignored: of requests that have ended.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "limit.h"
#include "output.h"
#include "records.h"
#include "request.h"
#include "server.h"

#define VALUES_MAX 4096 /* bytes of a GET_VALUES that are looked at */

static int
broken(const struct conn *conn, const char *what, const struct fcgi_header *h)
{
	conn_log(conn, LEVEL_WARNING,
	    "protocol error: %s (version %u, type %u, id %u, length %u)", what,
	    h->version, h->type, h->id, h->content);
	return -1;
}

static int
begun(const struct conn *conn, uint16_t id)
{
	size_t byte = id / 8U;

	return byte < conn->begun_size &&
	    (conn->begun[byte] & 1U << id % 8U) != 0;
}

/* Returns 0, or -1 with errno ENOMEM. */
static int
mark_begun(struct conn *conn, uint16_t id)
{
	size_t byte = id / 8U, size;
	uint8_t *p;

	if (byte >= conn->begun_size) {
		size = conn->begun_size == 0 ? 16 : conn->begun_size;
		while (byte >= size)
			size *= 2;
		if ((p = realloc(conn->begun, size)) == NULL)
			return -1;
		memset(p + conn->begun_size, 0, size - conn->begun_size);
		conn->begun = p;
		conn->begun_size = size;
	}
	conn->begun[byte] |= (uint8_t)(1U << id % 8U);
	return 0;
}

/* A record of a stream of one request, or its ABORT_REQUEST. */
static int
check_stream(struct conn *conn, const struct fcgi_header *h)
{
	struct request *req;

	if (h->id == FCGI_NULL_ID)
		return broken(conn, "a request's record with id 0", h);
	if ((req = conn_find(conn, h->id)) == NULL) {
		if (!begun(conn, h->id))
			return broken(conn, "an id that never began", h);
		return 0;
	}
	if (req->state == REQUEST_ENDED)
		return 0;
	if (h->type == FCGI_PARAMS && req->state != REQUEST_PARAMS)
		return broken(conn, "PARAMS after their end", h);
	if (h->type == FCGI_STDIN && req->state == REQUEST_PARAMS)
		return broken(conn, "STDIN before the end of PARAMS", h);
	if (h->type == FCGI_STDIN &&
	    window_receive(&req->window, h->content) == -1)
		return broken(conn, "more STDIN than its window", h);
	if (h->type == AFCGI_CREDIT && req->state != REQUEST_PARAMS &&
	    !req->window.on)
		return broken(conn, "CREDIT for a request without a window", h);
	conn->current = req;
	return 0;
}

static int
header(void *arg, const struct fcgi_header *h)
{
	struct conn *conn = arg;
	const struct request *req;

	if (conn->state != CONN_OPEN)
		return -1;
	conn->current = NULL;
	conn->body_len = 0;
	if (h->version != FCGI_VERSION_1)
		return broken(conn, "unknown version", h);
	switch (h->type) {
	case FCGI_BEGIN_REQUEST:
		if (h->id == FCGI_NULL_ID)
			return broken(conn, "BEGIN_REQUEST with id 0", h);
		if (h->content != FCGI_BEGIN_LEN)
			return broken(conn, "BEGIN_REQUEST of a wrong length",
			    h);
		req = conn_find(conn, h->id);
		if (req != NULL)
			return broken(conn, "an id begun again while live", h);
		return 0;
	case FCGI_ABORT_REQUEST:
	case FCGI_PARAMS:
	case FCGI_STDIN:
	case FCGI_DATA:
		return check_stream(conn, h);
	case AFCGI_CREDIT:
		if (!conn->flow) /* then it is of an unknown type */
			return 0;
		if (h->content != AFCGI_CREDIT_LEN)
			return broken(conn, "CREDIT of a wrong length", h);
		return check_stream(conn, h);
	default:
		return 0;
	}
}

/* header() has seen to it that it fits. */
static void
keep_body(struct conn *conn, const uint8_t *p, size_t n)
{
	memcpy(conn->body + conn->body_len, p, n);
	conn->body_len += n;
}

static void
data(void *arg, const struct fcgi_header *h, const uint8_t *p, size_t n)
{
	struct conn *conn = arg;

	if (conn->state != CONN_OPEN)
		return;
	switch (h->type) {
	case FCGI_BEGIN_REQUEST:
		keep_body(conn, p, n);
		break;
	case AFCGI_CREDIT:
		if (conn->current != NULL)
			keep_body(conn, p, n);
		break;
	case FCGI_PARAMS:
		if (conn->current != NULL)
			request_params(conn->current, p, n);
		break;
	case FCGI_STDIN:
		if (conn->current != NULL)
			request_input(conn->current, p, n);
		break;
	case FCGI_GET_VALUES:
		if (h->id == FCGI_NULL_ID)
			(void)params_append(&conn->values, p, n, VALUES_MAX);
		break;
	default: /* FCGI_DATA is for the Filter role, which is refused */
		break;
	}
}

/*
 * It begins though the peer has been told not to: the answer says that nothing
 * has been done for it, and the records that follow are ignored.
 */
static int
refuse_late(struct conn *conn, uint16_t id)
{
	uint8_t buf[FCGI_HEADER_LEN + FCGI_END_LEN];

	conn_log(conn, LEVEL_DEBUG, "request %u refused: draining", id);
	conn->unread = 1;
	fcgi_end_put(buf, id, 0, FCGI_OVERLOADED);
	return output_raw(conn, buf, sizeof buf);
}

static int
begin_request(struct conn *conn, const struct fcgi_header *h)
{
	const struct limits *limits = conn->server->limits;
	uint16_t role = fcgi_get16(conn->body);
	struct request *req;

	if (mark_begun(conn, h->id) == -1)
		goto nomem;
	if (conn_is_drained(conn))
		return refuse_late(conn, h->id);
	conn->keep = (conn->body[2] & FCGI_KEEP_CONN) != 0;
	if ((req = request_new(conn, h->id, (uint8_t)role)) == NULL)
		goto nomem;
	if (role != FCGI_RESPONDER && role != FCGI_AUTHORIZER) {
		request_log(req, LEVEL_WARNING, "role %u refused", role);
		request_refuse(req, FCGI_UNKNOWN_ROLE);
	} else if (conn->live > (unsigned)limits->requests) {
		request_log(req, LEVEL_WARNING,
		    "refused: more than %u live requests (limit requests)",
		    conn->live - 1);
		request_page(req, 503);
	} else if (conn->nhalf_open > (unsigned)limits->half_open) {
		request_log(req, LEVEL_WARNING,
		    "refused: more than %u requests without their PARAMS "
		    "(limit half_open)",
		    conn->nhalf_open - 1);
		request_page(req, 503);
	}
	return 0;
nomem:
	conn_log(conn, LEVEL_ERROR, "out of memory for request %u", h->id);
	return -1;
}

/* Section 4.1: names that are not known are left out of the answer. */
static int
get_values(struct conn *conn)
{
	const struct limits *limits = conn->server->limits;
	const struct {
		const char *name;
		int64_t value;
	} known[] = {
		{ "FCGI_MAX_CONNS", limits->connections },
		{ "FCGI_MAX_REQS", conn->server->max_requests },
		{ "FCGI_MPXS_CONNS", 1 },
		{ AFCGI_WINDOW, window_start(limits->window) },
	};
	uint8_t buf[256], *p = buf + FCGI_HEADER_LEN;
	const char *wrong;
	char value[24];
	size_t i, name_len, value_len;
	int flow;

	wrong = params_decode(&conn->values);
	if (wrong != NULL)
		conn_log(conn, LEVEL_WARNING, "GET_VALUES: %s", wrong);
	for (i = 0; wrong == NULL && i < sizeof known / sizeof known[0]; i++) {
		if (params_get(&conn->values, known[i].name) == NULL)
			continue;
		(void)snprintf(value, sizeof value, "%lld",
		    (long long)known[i].value);
		name_len = strlen(known[i].name);
		value_len = strlen(value);
		p += fcgi_length_put(p, (uint32_t)name_len);
		p += fcgi_length_put(p, (uint32_t)value_len);
		memcpy(p, known[i].name, name_len);
		p += name_len;
		memcpy(p, value, value_len);
		p += value_len;
	}
	flow = wrong == NULL && params_get(&conn->values, AFCGI_WINDOW) != NULL;
	params_clear(&conn->values);
	fcgi_header_put(buf, FCGI_GET_VALUES_RESULT, FCGI_NULL_ID,
	    (uint16_t)(p - buf - FCGI_HEADER_LEN));
	if (output_raw(conn, buf, (size_t)(p - buf)) == -1)
		return -1;
	if (flow)
		conn_set_flow(conn);
	return 0;
}

static int
management(struct conn *conn, const struct fcgi_header *h)
{
	uint8_t buf[FCGI_HEADER_LEN + FCGI_UNKNOWN_LEN];

	if (h->type == FCGI_GET_VALUES)
		return get_values(conn);
	fcgi_unknown_put(buf, h->type);
	return output_raw(conn, buf, sizeof buf);
}

static int
end(void *arg, const struct fcgi_header *h)
{
	struct conn *conn = arg;
	struct request *req = conn->current;

	if (conn->state != CONN_OPEN)
		return -1;
	if (h->type == FCGI_BEGIN_REQUEST)
		return begin_request(conn, h);
	if (h->id == FCGI_NULL_ID)
		return management(conn, h);
	if (req == NULL)
		return 0;
	if (h->type == FCGI_ABORT_REQUEST)
		request_abort(req);
	else if (h->type == FCGI_PARAMS && h->content == 0)
		request_params_end(req);
	else if (h->type == FCGI_STDIN && h->content == 0)
		request_input_end(req);
	else if (h->type == AFCGI_CREDIT &&
	    request_credit(req, fcgi_get32(conn->body)) == -1)
		return broken(conn, "more CREDIT than a window may be", h);
	return 0;
}

int
records_read(struct conn *conn, const uint8_t *p, size_t n)
{
	static const struct reader_ops ops = { header, data, end };

	return reader_feed(&conn->reader, &ops, conn, p, n);
}
