/*
 * Records of fcgi-client: puts them into a peer's queue; client_peer.c sends
 * them.  Nothing here refuses anything: a hostile play may ask for whatever
 * it likes.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "../gateway/fcgi.h"
#include "client.h"

/* One record, len at most FCGI_MAX_CONTENT, followed by w's padding. */
void
send_record(struct peer *p, const struct wire *w, uint8_t type, uint16_t id,
    const void *content, size_t len)
{
	uint8_t header[FCGI_HEADER_LEN], padding[256];

	if (len > FCGI_MAX_CONTENT)
		errx(1, "a record of %zu bytes", len);
	fcgi_header_put(header, type, id, (uint16_t)len);
	header[6] = w->padding;
	memset(padding, 0xa5, sizeof(padding));
	buf_add(&p->out, header, sizeof(header));
	buf_add(&p->out, content, len);
	buf_add(&p->out, padding, w->padding);
}

/* The bytes as records of one stream, none if there are none; not its end. */
void
send_stream(struct peer *p, const struct wire *w, uint8_t type, uint16_t id,
    const void *data, size_t len)
{
	const uint8_t *at = data;
	size_t n;

	for (; len > 0; at += n, len -= n) {
		n = len < w->chunk ? len : w->chunk;
		send_record(p, w, type, id, at, n);
	}
}

void
send_begin(struct peer *p, const struct wire *w, uint16_t id, uint16_t role,
    uint8_t flags)
{
	uint8_t body[FCGI_HEADER_LEN + FCGI_BEGIN_LEN];

	fcgi_begin_put(body, id, role, flags);
	send_record(p, w, FCGI_BEGIN_REQUEST, id, body + FCGI_HEADER_LEN,
	    FCGI_BEGIN_LEN);
}

/* Also counts it: what exceeds it fails the run. */
void
send_credit(struct peer *p, const struct wire *w, uint16_t id, uint32_t bytes)
{
	struct answer *a = p->answers[id];
	uint8_t content[AFCGI_CREDIT_LEN];

	if (a != NULL) {
		a->windowed = true;
		a->credit += bytes;
	}
	fcgi_put32(content, bytes);
	send_record(p, w, AFCGI_CREDIT, id, content, sizeof(content));
}

/* Appends "NAME=VALUE", or "NAME" with an empty value, as a pair. */
void
pair_add(struct buf *b, const char *pair)
{
	const char *eq = strchr(pair, '=');
	size_t name = eq != NULL ? (size_t)(eq - pair) : strlen(pair);
	size_t value = eq != NULL ? strlen(eq + 1) : 0;
	uint8_t len[4];

	buf_add(b, len, (size_t)fcgi_length_put(len, (uint32_t)name));
	buf_add(b, len, (size_t)fcgi_length_put(len, (uint32_t)value));
	buf_add(b, pair, name);
	if (eq != NULL)
		buf_add(b, eq + 1, value);
}

/* A whole request: both streams, and the ends of both. */
void
send_request(struct peer *p, const struct wire *w, const struct request *r)
{
	struct buf params;
	size_t i;

	memset(&params, 0, sizeof(params));
	for (i = 0; i < r->nparams; i++)
		pair_add(&params, r->params[i]);
	send_begin(p, w, r->id, r->role, r->keep ? FCGI_KEEP_CONN : 0);
	send_stream(p, w, FCGI_PARAMS, r->id, params.data, params.len);
	send_record(p, w, FCGI_PARAMS, r->id, NULL, 0);
	send_stream(p, w, FCGI_STDIN, r->id, r->body, r->body_len);
	send_record(p, w, FCGI_STDIN, r->id, NULL, 0);
	buf_clear(&params);
}
