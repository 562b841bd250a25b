/*
 * The commands of a play that wait for what the gateway sends: what each one
 * does is listed in client_play.c.  All have a deadline, and say on failure
 * what came instead.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "../gateway/fcgi.h"
#include "client_play.h"

/* Is the text in what is new?  Then what is after it is new. */
static bool
matched(const struct buf *from, size_t *used, const struct buf *text)
{
	const uint8_t *at;

	if (text->len == 0 || from->len == *used)
		return text->len == 0;
	at = memmem(from->data + *used, from->len - *used, text->data,
	    text->len);
	if (at == NULL)
		return false;
	*used = (size_t)(at - from->data) + text->len;
	return true;
}

static void
expect_text(struct play *pl, char *line, bool is_err)
{
	uint16_t id = play_id(pl, &line);
	struct answer *a = play_answer(pl, id);
	const struct buf *from = is_err ? &a->err : &a->out;
	size_t *used = is_err ? &a->err_used : &a->out_used;
	struct buf text;
	bool found = false;

	play_unescape(pl, &text, line);
	WAIT_FOR(pl, found || (found = matched(from, used, &text)),
	    "line %u: %s of id %u was to have `%s', its new part is `%.*s'",
	    pl->line, is_err ? "stderr" : "stdout", id, line,
	    (int)(from->len - *used), (const char *)from->data + *used);
	buf_clear(&text);
}

static void
do_expect_stdout(struct play *pl, char *line)
{
	expect_text(pl, line, false);
}

static bool
any_has(struct play *pl, const struct buf *text)
{
	const struct answer *a;
	unsigned id;

	for (id = 1; id <= FCGI_MAX_ID; id++) {
		a = play_peer(pl)->answers[id];
		if (a != NULL && a->out.len > 0 &&
		    memmem(a->out.data, a->out.len, text->data, text->len))
			return true;
	}
	return false;
}

static void
do_expect_any(struct play *pl, char *line)
{
	struct buf text;

	play_unescape(pl, &text, line);
	WAIT_FOR(pl, any_has(pl, &text), "line %u: no request has `%s'",
	    pl->line, line);
	buf_clear(&text);
}

static void
do_expect_stderr(struct play *pl, char *line)
{
	expect_text(pl, line, true);
}

static void
do_expect_stdout_is(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	const struct answer *a = play_answer(pl, id);
	struct buf text;

	play_unescape(pl, &text, line);
	WAIT_FOR(pl, a->ended, "line %u: id %u was to end", pl->line, id);
	if (a->out.len != text.len ||
	    (text.len > 0 && memcmp(a->out.data, text.data, text.len) != 0))
		failed(play_peer(pl), "line %u: stdout of id %u is `%.*s'",
		    pl->line, id, (int)a->out.len, (const char *)a->out.data);
	buf_clear(&text);
}

static void
do_expect_stdout_bytes(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	size_t n = play_number(pl, &line, 1UL << 31);
	const struct answer *a = play_answer(pl, id);

	WAIT_FOR(pl, a->out.len >= n, "line %u: %zu bytes of id %u, not %zu",
	    pl->line, a->out.len, id, n);
}

static void
do_expect_stdout_end(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	const struct answer *a = play_answer(pl, id);

	WAIT_FOR(pl, a->out_closed || a->ended,
	    "line %u: no end of stdout of id %u", pl->line, id);
	if (!a->out_closed)
		failed(play_peer(pl),
		    "line %u: id %u ended, its stdout did not", pl->line, id);
}

static void
do_expect_end(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	const struct answer *a = play_answer(pl, id);
	const char *app = play_word(&line), *proto = play_word(&line);

	WAIT_FOR(pl, a->ended, "line %u: no END_REQUEST of id %u", pl->line,
	    id);
	if ((app != NULL && strcmp(app, "*") != 0 &&
		strtoul(app, NULL, 0) != a->app) ||
	    (proto != NULL && strtoul(proto, NULL, 0) != a->proto))
		failed(play_peer(pl),
		    "line %u: id %u ended with app=%u proto=%u", pl->line, id,
		    a->app, a->proto);
}

/* Waits for a management record, takes it off; returns its header. */
static struct fcgi_header
management(struct play *pl, uint8_t type, struct buf *content)
{
	struct buf *m = &play_peer(pl)->mgmt;
	struct fcgi_header h;
	size_t total;

	WAIT_FOR(pl, m->len > 0, "line %u: no management record", pl->line);
	h = fcgi_header_get(m->data);
	if (h.type != type)
		failed(play_peer(pl), "line %u: type %d, not %d", pl->line,
		    h.type, type);
	memset(content, 0, sizeof(*content));
	buf_add(content, m->data + FCGI_HEADER_LEN, h.content);
	total = (size_t)FCGI_HEADER_LEN + h.content + h.padding;
	m->len -= total;
	memmove(m->data, m->data + total, m->len);
	return h;
}

/* Takes one pair of short lengths off the front as "NAME=VALUE". */
static bool
take_pair(const struct buf *b, size_t *off, char *pair, size_t size)
{
	const uint8_t *p = b->data + *off;
	size_t left = b->len - *off, name, value;

	if (left < 2 || (p[0] | p[1]) & 0x80 ||
	    left - 2 < (size_t)p[0] + p[1] || size < 260)
		return false;
	name = p[0];
	value = p[1];
	memcpy(pair, p + 2, name);
	pair[name] = '=';
	memcpy(pair + name + 1, p + 2 + name, value);
	pair[name + 1 + value] = '\0';
	*off += 2 + name + value;
	return true;
}

/* Does "NAME=VALUE" match "NAME=VALUE" or "NAME=*"? */
static bool
pair_matches(const char *pair, const char *want)
{
	size_t n = strlen(want);

	if (n >= 2 && strcmp(want + n - 2, "=*") == 0)
		return strncmp(pair, want, n - 1) == 0;
	return strcmp(pair, want) == 0;
}

static void
do_expect_values(struct play *pl, char *line)
{
	char *want[16], pair[300];
	struct buf content;
	size_t n = 0, i, off = 0;

	while (n < 16 && (want[n] = play_word(&line)) != NULL)
		n++;
	(void)management(pl, FCGI_GET_VALUES_RESULT, &content);
	while (off < content.len) {
		if (!take_pair(&content, &off, pair, sizeof(pair)))
			failed(play_peer(pl), "line %u: bad pairs", pl->line);
		for (i = 0; i < n && !pair_matches(pair, want[i]); i++)
			continue;
		if (i == n)
			failed(play_peer(pl), "line %u: %s was not expected",
			    pl->line, pair);
		want[i] = want[--n];
	}
	if (n > 0)
		failed(play_peer(pl), "line %u: %s is missing", pl->line,
		    want[0]);
	buf_clear(&content);
}

static void
do_expect_unknown(struct play *pl, char *line)
{
	unsigned long type = play_number(pl, &line, 255);
	struct buf content;

	(void)management(pl, FCGI_UNKNOWN_TYPE, &content);
	if (content.len != FCGI_UNKNOWN_LEN || content.data[0] != type)
		failed(play_peer(pl), "line %u: another UNKNOWN_TYPE",
		    pl->line);
	buf_clear(&content);
}

static void
do_expect_drain(struct play *pl, char *line)
{
	struct buf content;

	(void)line;
	(void)management(pl, AFCGI_DRAIN, &content);
	if (content.len != 0)
		failed(play_peer(pl), "line %u: DRAIN of %zu bytes", pl->line,
		    content.len);
	buf_clear(&content);
}

static void
do_expect_credit(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	uint64_t n = play_number(pl, &line, UINT32_MAX);
	const struct answer *a = play_answer(pl, id);

	WAIT_FOR(pl, a->granted >= n,
	    "line %u: credit of id %u: %llu in all, not %llu", pl->line, id,
	    (unsigned long long)a->granted, (unsigned long long)n);
}

static void
do_expect_no_record(struct play *pl, char *line)
{
	int64_t until = now_ms() + (int64_t)play_number(pl, &line, 3600000);
	const struct peer *p = play_peer(pl);
	unsigned before = p->records;

	while (now_ms() < until && p->state == PEER_OPEN)
		play_pump(pl, until - now_ms());
	if (p->state != PEER_OPEN || p->records != before)
		failed(p, "line %u: silence was expected", pl->line);
}

static void
expect_closed(struct play *pl, bool cut)
{
	struct peer *p = play_peer(pl);
	int64_t deadline = now_ms() + pl->timeout;

	while (p->state == PEER_OPEN && now_ms() < deadline)
		play_pump(pl, deadline - now_ms());
	if (p->state == PEER_OPEN)
		failed(p, "line %u: the connection was to be closed", pl->line);
	if (cut && p->state != PEER_CUT)
		failed(p, "line %u: the connection was to be cut", pl->line);
}

static void
do_expect_close(struct play *pl, char *line)
{
	(void)line;
	expect_closed(pl, false);
}

static void
do_expect_cut(struct play *pl, char *line)
{
	(void)line;
	expect_closed(pl, true);
}

const struct command expect_commands[] = {
	{ "expect-any", do_expect_any, false },
	{ "expect-close", do_expect_close, false },
	{ "expect-credit", do_expect_credit, false },
	{ "expect-cut", do_expect_cut, false },
	{ "expect-drain", do_expect_drain, false },
	{ "expect-end", do_expect_end, false },
	{ "expect-no-record", do_expect_no_record, false },
	{ "expect-stderr", do_expect_stderr, false },
	{ "expect-stdout", do_expect_stdout, false },
	{ "expect-stdout-bytes", do_expect_stdout_bytes, false },
	{ "expect-stdout-end", do_expect_stdout_end, false },
	{ "expect-stdout-is", do_expect_stdout_is, false },
	{ "expect-unknown", do_expect_unknown, false },
	{ "expect-values", do_expect_values, false },
	{ NULL, NULL, false },
};
