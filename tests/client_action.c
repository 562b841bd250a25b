/*
 * The commands of a play that send, or do something else than wait for the
 * gateway's records: what each one does is listed in client_play.c.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gateway/fcgi.h"
#include "client_play.h"

#define UNTIL_MS 20 /* between two tries of until */

static void
do_begin(struct play *pl, char *line)
{
	static const char *roles[] = { "", "responder", "authorizer",
		"filter" };
	uint16_t id = play_id(pl, &line), role = FCGI_RESPONDER;
	uint8_t flags = 0;
	const char *w;
	size_t i;

	while ((w = play_word(&line)) != NULL) {
		for (i = 1; i < 4 && strcmp(w, roles[i]) != 0; i++)
			continue;
		if (i < 4)
			role = (uint16_t)i;
		else if (strcmp(w, "keep") == 0)
			flags = FCGI_KEEP_CONN;
		else
			role = (uint16_t)strtoul(w, NULL, 0);
	}
	/* A play may begin a live id; what comes for it is still checked. */
	if (play_peer(pl)->answers[id] == NULL ||
	    play_peer(pl)->answers[id]->ended)
		(void)peer_begin(play_peer(pl), id);
	send_begin(play_peer(pl), &pl->wire, id, role, flags);
}

static void
add_pairs(struct play *pl, struct buf *pairs, char *line)
{
	struct buf pair, value;
	char *w, *eq;
	uint8_t len[8];
	size_t n;

	memset(pairs, 0, sizeof(*pairs));
	while ((w = play_word(&line)) != NULL) {
		if ((eq = strchr(w, '=')) != NULL)
			*eq++ = '\0';
		play_unescape(pl, &pair, w);
		play_unescape(pl, &value, eq);
		n = (size_t)fcgi_length_put(len, (uint32_t)pair.len);
		n += (size_t)fcgi_length_put(len + n, (uint32_t)value.len);
		buf_add(pairs, len, n);
		buf_add(pairs, pair.data, pair.len);
		buf_add(pairs, value.data, value.len);
		buf_clear(&pair);
		buf_clear(&value);
	}
}

static void
do_params(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	struct buf pairs;

	add_pairs(pl, &pairs, line);
	if (pairs.len == 0)
		send_record(play_peer(pl), &pl->wire, FCGI_PARAMS, id, NULL, 0);
	send_stream(play_peer(pl), &pl->wire, FCGI_PARAMS, id, pairs.data,
	    pairs.len);
	buf_clear(&pairs);
}

static void
do_stdin(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	struct buf text;

	play_unescape(pl, &text, line);
	if (text.len == 0)
		send_record(play_peer(pl), &pl->wire, FCGI_STDIN, id, NULL, 0);
	send_stream(play_peer(pl), &pl->wire, FCGI_STDIN, id, text.data,
	    text.len);
	buf_clear(&text);
}

static void
do_stdin_bytes(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	size_t n = play_number(pl, &line, 1UL << 31);
	char *xs;

	if ((xs = malloc(n)) == NULL)
		err(1, "malloc");
	memset(xs, 'x', n);
	send_stream(play_peer(pl), &pl->wire, FCGI_STDIN, id, xs, n);
	free(xs);
}

static void
do_abort(struct play *pl, char *line)
{
	send_record(play_peer(pl), &pl->wire, FCGI_ABORT_REQUEST,
	    play_id(pl, &line), NULL, 0);
}

static void
do_credit(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);

	send_credit(play_peer(pl), &pl->wire, id,
	    (uint32_t)play_number(pl, &line, UINT32_MAX));
}

static void
do_window(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	struct answer *a = play_answer(pl, id);

	a->window = (uint32_t)play_number(pl, &line, AFCGI_WINDOW_MAX);
	send_credit(play_peer(pl), &pl->wire, id, a->window);
}

static void
do_get_values(struct play *pl, char *line)
{
	struct buf pairs;

	add_pairs(pl, &pairs, line);
	send_record(play_peer(pl), &pl->wire, FCGI_GET_VALUES, FCGI_NULL_ID,
	    pairs.data, pairs.len);
	buf_clear(&pairs);
}

static void
do_record(struct play *pl, char *line)
{
	uint8_t type = (uint8_t)play_number(pl, &line, 255);
	uint16_t id = play_id(pl, &line);
	struct buf content;

	play_unhex(pl, &content, line);
	send_record(play_peer(pl), &pl->wire, type, id, content.data,
	    content.len);
	buf_clear(&content);
}

static void
do_header(struct play *pl, char *line)
{
	uint8_t h[FCGI_HEADER_LEN];
	uint8_t version = (uint8_t)play_number(pl, &line, 255);
	uint8_t type = (uint8_t)play_number(pl, &line, 255);
	uint16_t id = play_id(pl, &line);
	uint16_t content = (uint16_t)play_number(pl, &line, FCGI_MAX_CONTENT);

	fcgi_header_put(h, type, id, content);
	h[0] = version;
	h[6] = (uint8_t)play_number(pl, &line, 255);
	buf_add(&play_peer(pl)->out, h, sizeof(h));
}

static void
do_raw(struct play *pl, char *line)
{
	struct buf bytes;

	play_unhex(pl, &bytes, line);
	buf_add(&play_peer(pl)->out, bytes.data, bytes.len);
	buf_clear(&bytes);
}

static void
do_chunk(struct play *pl, char *line)
{
	if ((pl->wire.chunk = play_number(pl, &line, FCGI_MAX_CONTENT)) == 0)
		pl->wire.chunk = FCGI_MAX_CONTENT;
}

static void
do_padding(struct play *pl, char *line)
{
	pl->wire.padding = (uint8_t)play_number(pl, &line, 255);
}

static void
do_split(struct play *pl, char *line)
{
	pl->piece = play_number(pl, &line, 1UL << 31);
	play_peer(pl)->piece = pl->piece;
}

static void
do_flush(struct play *pl, char *line)
{
	struct peer *p = play_peer(pl);

	(void)line;
	WAIT_FOR(pl, p->sent >= p->out.len || p->state != PEER_OPEN,
	    "line %u: all bytes were to be taken", pl->line);
}

static void
do_half_close(struct play *pl, char *line)
{
	do_flush(pl, line);
	peer_shut(play_peer(pl));
}

static void
do_close(struct play *pl, char *line)
{
	(void)line;
	peer_free(play_peer(pl));
	pl->peers[pl->current] = NULL;
}

static void
do_stop_reading(struct play *pl, char *line)
{
	(void)line;
	play_peer(pl)->paused = true;
}

static void
do_resume(struct play *pl, char *line)
{
	(void)line;
	play_peer(pl)->paused = false;
}

static void
do_lenient(struct play *pl, char *line)
{
	(void)line;
	play_peer(pl)->lenient = true;
}

static void
do_connection(struct play *pl, char *line)
{
	pl->current = (unsigned)play_number(pl, &line, MAX_PEERS - 1);
	if (pl->current >= pl->npeers)
		pl->npeers = pl->current + 1;
	if (pl->peers[pl->current] == NULL)
		pl->peers[pl->current] = peer_new(pl->where, (int)pl->current);
	play_peer(pl)->piece = pl->piece;
}

static void
do_sleep(struct play *pl, char *line)
{
	int64_t until = now_ms() + (int64_t)play_number(pl, &line, 3600000);

	while (now_ms() < until)
		play_pump(pl, until - now_ms());
}

static void
do_run(struct play *pl, char *line)
{
	if (system(line) != 0)
		failed(play_peer(pl), "line %u: failed: %s", pl->line, line);
}

static void
do_until(struct play *pl, char *line)
{
	int64_t deadline = now_ms() + pl->timeout, next;

	while (system(line) != 0) {
		if (now_ms() >= deadline)
			failed(play_peer(pl), "line %u: in vain: %s", pl->line,
			    line);
		next = now_ms() + UNTIL_MS;
		while (now_ms() < next)
			play_pump(pl, next - now_ms());
	}
}

static void
do_timeout(struct play *pl, char *line)
{
	pl->timeout = (int64_t)play_number(pl, &line, 3600) * 1000;
}

static void
do_count(struct play *pl, char *line)
{
	uint16_t id = play_id(pl, &line);
	const struct answer *a = play_answer(pl, id);

	(void)printf("id=%u stdout=%zu stderr=%zu records=%u\n", id, a->out.len,
	    a->err.len, a->records);
}

static void
do_print(struct play *pl, char *line)
{
	const struct answer *a = play_answer(pl, play_id(pl, &line));

	(void)fwrite(a->out.data, 1, a->out.len, stdout);
}

const struct command action_commands[] = {
	{ "abort", do_abort, false },
	{ "begin", do_begin, false },
	{ "chunk", do_chunk, false },
	{ "close", do_close, false },
	{ "connection", do_connection, true },
	{ "count", do_count, false },
	{ "credit", do_credit, false },
	{ "flush", do_flush, false },
	{ "get-values", do_get_values, false },
	{ "lenient", do_lenient, false },
	{ "half-close", do_half_close, false },
	{ "header", do_header, false },
	{ "padding", do_padding, false },
	{ "params", do_params, false },
	{ "print", do_print, false },
	{ "raw", do_raw, false },
	{ "record", do_record, false },
	{ "resume", do_resume, false },
	{ "run", do_run, true },
	{ "sleep", do_sleep, false },
	{ "split", do_split, false },
	{ "stdin", do_stdin, false },
	{ "stdin-bytes", do_stdin_bytes, false },
	{ "stop-reading", do_stop_reading, false },
	{ "timeout", do_timeout, false },
	{ "until", do_until, true },
	{ "window", do_window, false },
	{ NULL, NULL, false },
};
