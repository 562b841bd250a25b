/*
 * A web server that speaks fcgi_flow(7), for the tests of window.c, output.c,
 * input.c and conn_drain.c: puts together what it sends, and keeps its half of
 * the windows by what has come.
 */
#ifndef UNIT_FLOW_H
#define UNIT_FLOW_H

#include "unit_input.h"

static inline void
add_credit(struct bytes *b, uint16_t id, uint32_t bytes)
{
	afcgi_credit_put(bytes_room(b, FCGI_HEADER_LEN + AFCGI_CREDIT_LEN), id,
	    bytes);
}

static inline void
add_question(struct bytes *b)
{
	struct bytes pairs = { 0 };

	bytes_pair(&pairs, AFCGI_WINDOW, "");
	bytes_record(b, FCGI_GET_VALUES, FCGI_NULL_ID, pairs.p, pairs.len, 0);
	bytes_free(&pairs);
}

/* A windowed request that is kept, but for its STDIN. */
static inline void
add_windowed(struct bytes *b, uint16_t id, uint32_t credit, const char *mode,
    const char *size, const char *status)
{
	struct bytes whole = { 0 };

	add_request(&whole, id, FCGI_KEEP_CONN, mode, size, status);
	bytes_add(b, whole.p, FCGI_HEADER_LEN + FCGI_BEGIN_LEN);
	add_credit(b, id, credit);
	bytes_add(b, whole.p + FCGI_HEADER_LEN + FCGI_BEGIN_LEN,
	    whole.len - FCGI_HEADER_LEN - FCGI_BEGIN_LEN);
	bytes_free(&whole);
}

/* Sends it, and has the gateway take it. */
static inline void
rig_say(struct rig *rig, struct bytes *b)
{
	rig_send(rig, b);
	rig_settle(rig);
	b->len = 0;
}

/* The connection is negotiated. */
static inline struct rig *
rig_flow(const char *limits)
{
	struct rig *rig = rig_new(limits);
	struct bytes in = { 0 };

	add_question(&in);
	rig_say(rig, &in);
	rig_wait(rig, FCGI_GET_VALUES_RESULT, FCGI_NULL_ID, 1);
	bytes_free(&in);
	return rig;
}

/* What the output of a request has cost. */
static inline size_t
rig_cost(const struct rig *rig, uint16_t id)
{
	size_t i, sum = 0;

	for (i = 0; i < rig->nrecords; i++)
		if (rig->records[i].h.id == id &&
		    rig->records[i].h.content > 0 &&
		    (rig->records[i].h.type == FCGI_STDOUT ||
			rig->records[i].h.type == FCGI_STDERR))
			sum += AFCGI_COST((size_t)rig->records[i].h.content);
	return sum;
}

/* The credit that came for its STDIN. */
static inline size_t
rig_credit(const struct rig *rig, uint16_t id)
{
	size_t i, sum = 0;

	for (i = 0; i < rig->nrecords; i++)
		if (rig->records[i].h.id == id &&
		    rig->records[i].h.type == AFCGI_CREDIT) {
			ATF_REQUIRE_EQ(AFCGI_CREDIT_LEN,
			    rig->records[i].h.content);
			sum += fcgi_get32(rig->got.p + rig->records[i].at);
		}
	return sum;
}

/* One that sends a large STDIN as its window allows. */
struct upload {
	struct rig *rig;
	uint16_t id;
	size_t size; /* of all the input */
	size_t most; /* content of a record */
	size_t at; /* sent so far */
	size_t cost; /* of that */
	struct bytes out; /* put together, being sent */
	size_t sent; /* of out */
};

static inline void
upload_fill(struct upload *u)
{
	uint8_t buf[FCGI_MAX_CONTENT];
	size_t left, n;

	left = window_start(u->rig->limits.window) + rig_credit(u->rig, u->id) -
	    u->cost;
	while (u->at < u->size && left > FCGI_HEADER_LEN) {
		n = u->size - u->at < u->most ? u->size - u->at : u->most;
		if (n > left - FCGI_HEADER_LEN)
			n = left - FCGI_HEADER_LEN;
		unit_pattern(buf, n, (uint32_t)u->at);
		add_stdin(&u->out, u->id, buf, n);
		u->at += n;
		u->cost += AFCGI_COST(n);
		left -= AFCGI_COST(n);
		if (u->at == u->size)
			add_stdin(&u->out, u->id, NULL, 0);
	}
}

/* Sends what may be sent and is taken; true when all has been. */
static inline int
upload_go_on(void *arg)
{
	struct upload *u = arg;
	ssize_t n;

	upload_fill(u);
	if (u->out.len == u->sent)
		return u->at == u->size;
	n = write(u->rig->fd, u->out.p + u->sent, u->out.len - u->sent);
	if (n == -1)
		return errno != EAGAIN; /* closed: so be it */
	u->sent += (size_t)n;
	if (u->sent < u->out.len)
		return 0;
	u->out.len = u->sent = 0;
	return u->at == u->size;
}

/* And the handler that takes it. */
struct both {
	struct upload *u;
	struct play *play;
};

/* Sends, and has the handler take; true when it has all of it. */
static inline int
both_go_on(void *arg)
{
	struct both *b = arg;
	int sent = upload_go_on(b->u);

	return takes_all(b->play) && sent;
}

#endif
