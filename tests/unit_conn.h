/*
 * A web server and a handler around the code of connections and requests, in
 * one process and one event loop: for the tests of conn.c, records.c,
 * request.c, output.c and input.c.
 *
 * A rig is a server with one connection, whose other end is rig->fd; what
 * comes out of that is cut into records.  The handler is that of unit_play.h.
 */
#ifndef UNIT_CONN_H
#define UNIT_CONN_H

#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "../gateway/conn.h"
#include "../gateway/limit.h"
#include "unit_play.h"

static inline void
rig_gone(void *arg)
{
	struct rig *rig = arg;

	rig->ngone++;
}

/* Finds the records in what has come since. */
static inline void
rig_parse(struct rig *rig)
{
	struct fcgi_header h;
	size_t len;

	while (rig->got.len - rig->parsed >= FCGI_HEADER_LEN) {
		h = fcgi_header_get(rig->got.p + rig->parsed);
		len = FCGI_HEADER_LEN + (size_t)h.content + h.padding;
		if (rig->got.len - rig->parsed < len)
			break;
		if (rig->nrecords == rig->size) {
			rig->size = 2 * rig->size + 64;
			rig->records = realloc(rig->records,
			    rig->size * sizeof *rig->records);
			ATF_REQUIRE(rig->records != NULL);
		}
		rig->records[rig->nrecords].h = h;
		rig->records[rig->nrecords++].at =
		    rig->parsed + FCGI_HEADER_LEN;
		rig->parsed += len;
	}
}

static inline void
rig_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;
	uint8_t buf[65536];
	ssize_t n;

	(void)what;
	if (rig->deaf || rig->eof)
		return;
	n = read(fd, buf, sizeof buf);
	if (n > 0) {
		bytes_add(&rig->got, buf, (size_t)n);
		rig_parse(rig);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		rig->eof = 1;
		(void)event_del(rig->event);
	}
}

/* The web server stops, or goes on, reading. */
static inline void
rig_set_deaf(struct rig *rig, int deaf)
{
	rig->deaf = deaf;
	if (deaf)
		ATF_REQUIRE_EQ(0, event_del(rig->event));
	else
		ATF_REQUIRE_EQ(0, event_add(rig->event, NULL));
}

/* Makes another connection take the place of the first. */
static inline void
rig_connect(struct rig *rig)
{
	int fds[2];

	ATF_REQUIRE_EQ(0,
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	rig->fd = fds[0];
	rig->eof = rig->deaf = 0;
	rig->event = event_new(rig->base, rig->fd, EV_READ | EV_PERSIST,
	    rig_read_cb, rig);
	ATF_REQUIRE(rig->event != NULL);
	ATF_REQUIRE_EQ(0, event_add(rig->event, NULL));
	ATF_REQUIRE_EQ(0, conn_new(&rig->server, fds[1], "test"));
}

static inline void
rig_disconnect(struct rig *rig)
{
	if (rig->event != NULL)
		event_free(rig->event);
	rig->event = NULL;
	if (rig->fd != -1)
		ATF_REQUIRE_EQ(0, close(rig->fd));
	rig->fd = -1;
}

/* limits: as -L, or NULL. */
static inline struct rig *
rig_new(const char *limits)
{
	struct rig *rig = calloc(1, sizeof *rig);

	ATF_REQUIRE(rig != NULL);
	ATF_REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	STAILQ_INIT(&rig->plays);
	ATF_REQUIRE((rig->base = event_base_new()) != NULL);
	limits_init(&rig->limits);
	rig->limits.connections = 20;
	if (limits != NULL)
		ATF_REQUIRE(limits_set(&rig->limits, limits) == NULL);
	ATF_REQUIRE_EQ(0,
	    server_init(&rig->server, rig->base, &rig->limits, "."));
	rig->handler.begin = play_begin;
	rig->handler.input = play_input;
	rig->handler.input_arrived = play_input_arrived;
	rig->handler.input_end = play_input_end;
	rig->handler.input_failed = play_input_failed;
	rig->handler.writable = play_writable;
	rig->handler.aborted = play_aborted;
	rig->server.handler = &rig->handler;
	rig->server.handler_arg = rig;
	rig->server.conn_gone = rig_gone;
	rig->server.conn_gone_arg = rig;
	rig_connect(rig);
	return rig;
}

static inline void
rig_free(struct rig *rig)
{
	struct play *play;

	server_clear(&rig->server);
	ATF_CHECK_EQ(0, rig->server.nconns);
	ATF_CHECK_EQ(0, rig->server.spooled);
	rig_disconnect(rig);
	while ((play = STAILQ_FIRST(&rig->plays)) != NULL) {
		STAILQ_REMOVE_HEAD(&rig->plays, entry);
		ATF_CHECK(play->req == NULL);
		bytes_free(&play->in);
		free(play);
	}
	event_base_free(rig->base);
	bytes_free(&rig->got);
	free(rig->records);
	free(rig);
}

static inline struct conn *
rig_conn(const struct rig *rig)
{
	return TAILQ_FIRST(&rig->server.conns);
}

/* Runs the loop until the gateway has read all that there is to read. */
static inline void
rig_settle(struct rig *rig)
{
	int64_t deadline = unit_deadline();
	int left;

	do {
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
		if (rig_conn(rig) == NULL)
			return;
		ATF_REQUIRE_EQ(0, ioctl(rig_conn(rig)->fd, FIONREAD, &left));
		ATF_REQUIRE(unit_now() < deadline);
	} while (left > 0);
	(void)event_base_loop(rig->base, EVLOOP_NONBLOCK);
}

struct rig_sending {
	struct rig *rig;
	const uint8_t *p;
	size_t left;
};

static inline int
rig_sent(void *arg)
{
	struct rig_sending *s = arg;
	ssize_t n;

	while (s->left > 0) {
		n = write(s->rig->fd, s->p, s->left);
		if (n == -1)
			return errno != EAGAIN; /* closed: so be it */
		s->p += n;
		s->left -= (size_t)n;
	}
	return 1;
}

/* Sends it all, while the loop runs. */
static inline void
rig_send(struct rig *rig, const struct bytes *b)
{
	struct rig_sending s = { rig, b->p, b->len };

	ATF_REQUIRE(unit_loop(rig->base, rig_sent, &s));
}

/* A piece at a time, each read by itself; piece 0: cut in two at first. */
static inline void
rig_send_cut(struct rig *rig, const struct bytes *b, size_t first, size_t piece)
{
	struct bytes part;
	size_t at;

	for (at = 0; at < b->len; at += part.len) {
		part.p = b->p + at;
		part.len = at == 0 && first > 0 ? first : piece;
		if (part.len > b->len - at)
			part.len = b->len - at;
		rig_send(rig, &part);
		rig_settle(rig);
	}
}

/* A whole request but for its STDIN: name, value, ..., NULL. */
static inline void
add_request(struct bytes *b, uint16_t id, uint8_t flags, const char *mode,
    const char *size, const char *status)
{
	struct bytes pairs = { 0 };

	bytes_begin(b, id, FCGI_RESPONDER, flags);
	bytes_pair(&pairs, "MODE", mode);
	if (size != NULL)
		bytes_pair(&pairs, "SIZE", size);
	if (status != NULL)
		bytes_pair(&pairs, "STATUS", status);
	bytes_record(b, FCGI_PARAMS, id, pairs.p, pairs.len, 0);
	bytes_record(b, FCGI_PARAMS, id, NULL, 0, 0);
	bytes_free(&pairs);
}

static inline void
add_stdin(struct bytes *b, uint16_t id, const void *data, size_t len)
{
	bytes_record(b, FCGI_STDIN, id, data, len, 0);
}

/* The content of a stream of one request, so far. */
static inline void
rig_stream(const struct rig *rig, uint8_t type, uint16_t id, struct bytes *out)
{
	size_t i;

	out->len = 0;
	for (i = 0; i < rig->nrecords; i++)
		if (rig->records[i].h.type == type &&
		    rig->records[i].h.id == id)
			bytes_add(out, rig->got.p + rig->records[i].at,
			    rig->records[i].h.content);
}

/* How many records of a type there are for an id. */
static inline size_t
rig_count(const struct rig *rig, uint8_t type, uint16_t id)
{
	size_t i, n = 0;

	for (i = 0; i < rig->nrecords; i++)
		n += rig->records[i].h.type == type &&
		    rig->records[i].h.id == id;
	return n;
}

/* The last END_REQUEST of an id: appStatus, and protocolStatus. */
static inline void
rig_end(const struct rig *rig, uint16_t id, uint32_t *app, uint8_t *protocol)
{
	size_t i;

	*app = UINT32_MAX;
	*protocol = UINT8_MAX;
	for (i = 0; i < rig->nrecords; i++)
		if (rig->records[i].h.type == FCGI_END_REQUEST &&
		    rig->records[i].h.id == id) {
			*app = fcgi_get32(rig->got.p + rig->records[i].at);
			*protocol = rig->got.p[rig->records[i].at + 4];
		}
}

struct rig_waiting {
	const struct rig *rig;
	uint8_t type;
	uint16_t id;
	size_t n;
};

static inline int
rig_has_come(void *arg)
{
	const struct rig_waiting *w = arg;

	return rig_count(w->rig, w->type, w->id) >= w->n;
}

/* Waits until n records of a type and id have come. */
static inline void
rig_wait(struct rig *rig, uint8_t type, uint16_t id, size_t n)
{
	struct rig_waiting w = { rig, type, id, n };

	ATF_REQUIRE_MSG(unit_loop(rig->base, rig_has_come, &w),
	    "%zu records of type %u for id %u have not come", n, type, id);
}

static inline void
rig_wait_end(struct rig *rig, uint16_t id)
{
	rig_wait(rig, FCGI_END_REQUEST, id, 1);
}

static inline int
rig_is_eof(void *arg)
{
	return ((struct rig *)arg)->eof;
}

static inline void
rig_wait_eof(struct rig *rig)
{
	ATF_REQUIRE_MSG(unit_loop(rig->base, rig_is_eof, rig),
	    "the connection is not closed");
}

/* The newest request of an id that the handler knows. */
static inline struct play *
rig_play(const struct rig *rig, uint16_t id)
{
	ATF_REQUIRE_MSG(rig->by_id[id] != NULL, "request %u never began", id);
	return rig->by_id[id];
}

static inline void
rig_check_text(const struct rig *rig, uint8_t type, uint16_t id,
    const char *want)
{
	struct bytes out = { 0 };

	rig_stream(rig, type, id, &out);
	bytes_add(&out, "", 1);
	ATF_CHECK_STREQ(want, (const char *)out.p);
	bytes_free(&out);
}

static inline void
rig_check_end(const struct rig *rig, uint16_t id, uint32_t app,
    uint8_t protocol)
{
	uint32_t got_app;
	uint8_t got_protocol;

	ATF_CHECK_EQ(1, rig_count(rig, FCGI_END_REQUEST, id));
	rig_end(rig, id, &got_app, &got_protocol);
	ATF_CHECK_EQ_MSG(app, got_app, "%u, not %u", got_app, app);
	ATF_CHECK_EQ(protocol, got_protocol);
}

/* The request's STDOUT is what a "write" of so many bytes is, and whole. */
static inline void
rig_check_pattern(const struct rig *rig, uint16_t id, size_t size)
{
	struct bytes out = { 0 };
	uint8_t *want = malloc(size + 1);

	ATF_REQUIRE(want != NULL);
	unit_pattern(want, size, id * 31U);
	rig_stream(rig, FCGI_STDOUT, id, &out);
	ATF_REQUIRE_EQ(size, out.len);
	ATF_CHECK_EQ_MSG(0, memcmp(want, out.p, size), "request %u", id);
	free(want);
	bytes_free(&out);
}

#endif
