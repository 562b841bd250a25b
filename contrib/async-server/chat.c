/*
 * GET chat and POST chat: who posts a line of text, says it to all who listen.
 *
 * A line is answered with 204 when it stands in the stream; that everybody has
 * had it is nothing to wait for, but a flood of them waits for the listeners.
 * A listener whose connection was lost tells the id of the last line that it
 * had, as browsers do in Last-Event-ID, or in the query, as "after=ID", and
 * gets those that came since.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "async.h"
#include "task.h"

#define HISTORY 20 /* lines for who comes first */
#define LINE_BYTES 512

struct post {
	struct task task;
	struct waiter waiter;
	struct stream *stream;
	size_t len;
	char line[LINE_BYTES];
};

/* The number of the first line that it wants. */
static uint64_t
first_wanted(const struct stream *s, const struct request *req)
{
	const char *last = request_param(req, "HTTP_LAST_EVENT_ID");
	int64_t id;

	id = last != NULL ? task_number(last, INT64_MAX) :
			    task_query(req, "after", INT64_MAX, -1);
	if (id >= 0 && (uint64_t)id < s->next) /* else it is another server's */
		return (uint64_t)id < s->first ? s->first : (uint64_t)id + 1;
	return s->next - s->first < HISTORY ? s->first : s->next - HISTORY;
}

static void
chat_begin(struct request *req, void *arg)
{
	struct stream *s = &((struct async *)arg)->chat;

	stream_listen(s, req, STREAM_FIELDS "\r\nretry: 1000\n\n",
	    first_wanted(s, req));
}

const struct handler chat_handler = { .begin = chat_begin };

static void
post_begin(struct request *req, void *arg)
{
	const char *length = request_param(req, "CONTENT_LENGTH");
	struct post *post;

	if (length != NULL && *length != '\0' &&
	    task_number(length, LINE_BYTES) == -1) {
		task_reply(req, 413, "", NULL);
		return;
	}
	if ((post = task_new(req, &post_handler, sizeof *post)) == NULL)
		return;
	post->stream = &((struct async *)arg)->chat;
	request_input_ready(req);
}

static size_t
post_input(struct request *req, const uint8_t *p, size_t n)
{
	struct post *post = request_context(req);

	if (n > sizeof post->line - post->len) {
		task_reply(req, 413, "", NULL);
		free(post);
		return n;
	}
	memcpy(post->line + post->len, p, n);
	post->len += n;
	return n;
}

/* Bytes of the character at p, of left, as RFC 3629 has it; 0: it is none. */
static size_t
character(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 :
	    *p < 0xc0	     ? 0 :
	    *p < 0xe0	     ? 2 :
	    *p < 0xf0	     ? 3 :
	    *p < 0xf8	     ? 4 :
			       0;
	uint32_t c = n == 1 ? *p : *p & (0x7fU >> n);
	size_t i;

	if (n > left)
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) ? 0 : n;
}

static int
is_line(const char *line, size_t len)
{
	const uint8_t *p = (const uint8_t *)line;
	size_t n;

	for (; len > 0; p += n, len -= n)
		if ((n = character(p, len)) == 0)
			return 0;
	return p > (const uint8_t *)line;
}

/* Everybody has had what was said before, or as good as everybody. */
static void
say(struct waiter *waiter)
{
	struct post *post = (struct post *)(void *)((char *)waiter -
	    offsetof(struct post, waiter));
	struct stream *s = post->stream;
	char text[STREAM_MESSAGE];

	stream_add(s, text,
	    (size_t)snprintf(text, sizeof text, "id: %llu\ndata: %.*s\n\n",
		(unsigned long long)s->next, (int)post->len, post->line));
	task_reply(post->task.req, 204, "", NULL);
	free(post);
}

static void
post_end(struct request *req)
{
	struct post *post = request_context(req);

	if (is_line(post->line, post->len)) {
		post->waiter.add = say;
		stream_wait(post->stream, &post->waiter);
	} else {
		task_reply(req, 400, "", NULL);
		free(post);
	}
}

static void
post_aborted(struct request *req)
{
	struct post *post = request_context(req);

	stream_unwait(post->stream, &post->waiter);
	free(post);
}

const struct handler post_handler = {
	.begin = post_begin,
	.input = post_input,
	.input_end = post_end,
	.aborted = post_aborted,
};
