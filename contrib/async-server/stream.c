/*
 * The ring of a stream, and its listeners.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "stream.h"
#include "task.h"

#define SLICE 256 /* listeners that are served in one turn of the loop */
#define QUIET 15000 /* ms without a message until there is a sign of life */
#define PATIENCE 1000 /* ms that a message is kept for who is stalled */
#define LOOK 20 /* ms until that is looked at again */

struct client {
	struct task task;
	TAILQ_ENTRY(client) entry;
	struct stream *stream;
	uint64_t next; /* number of the message that it wants */
	uint64_t at; /* the byte that it wants */
	int64_t heard; /* clock_now() of the last thing that it was sent */
	int stalled;
};

/* Ten thousand wait at a time: this is what each costs here. */
static_assert(sizeof(struct client) <= 80, "a listener is small");

static void stream_writable(struct request *);
static void stream_aborted(struct request *);

static const struct handler client_handler = {
	.writable = stream_writable,
	.aborted = stream_aborted,
};

static struct message *
message(struct stream *stream, uint64_t number)
{
	return &stream->messages[number % (STREAM_MESSAGES + 1)];
}

static struct clients *
list(const struct client *c)
{
	struct message *m = message(c->stream, c->next);

	return c->stalled ? &m->stalled : &m->ready;
}

/* Which message is the next byte of? */
static void
find_next(struct client *c)
{
	struct stream *s = c->stream;

	while (c->next < s->next && c->at >= message(s, c->next + 1)->start)
		c->next++;
	if (s->latest && c->next < s->next &&
	    c->at == message(s, c->next)->start) {
		c->next = s->next - 1;
		c->at = message(s, c->next)->start;
	}
}

/* Sends what the listener, who is in no list, has not had. */
static void
serve(struct client *c)
{
	struct stream *s = c->stream;
	uint64_t end;
	size_t n, sent;

	c->stalled = !task_send(&c->task);
	for (find_next(c); !c->stalled && c->next < s->next; find_next(c)) {
		end = message(s, s->latest ? c->next + 1 : s->next)->start;
		n = STREAM_BYTES - c->at % STREAM_BYTES;
		if (n > end - c->at)
			n = end - c->at;
		sent = request_write(c->task.req, FCGI_STDOUT,
		    s->ring + c->at % STREAM_BYTES, n);
		c->at += sent;
		c->stalled = sent < n;
	}
	c->heard = clock_now();
	TAILQ_INSERT_TAIL(list(c), c, entry);
}

/* It is in no list any more. */
static void
leave(struct client *c)
{
	TAILQ_REMOVE(list(c), c, entry);
}

static void
release(struct client *c)
{
	leave(c);
	c->stream->nclients--;
	free(c);
}

/* To be cut says that something is missing; to end, that nothing is. */
static void
end(struct client *c)
{
	if (c->stalled)
		request_cut(c->task.req, 1);
	else
		request_end(c->task.req, 0);
	release(c);
}

static void
stream_writable(struct request *req)
{
	struct client *c = request_context(req);

	leave(c);
	serve(c);
}

static void
stream_aborted(struct request *req)
{
	release(request_context(req));
}

/* Must the oldest message make room for another of that size? */
static int
is_full(struct stream *s, size_t len)
{
	return s->next - s->first == STREAM_MESSAGES ||
	    message(s, s->next)->start + len - message(s, s->first)->start >
	    STREAM_BYTES;
}

/* Is it too early to forget the oldest message? */
static int
is_busy(struct stream *s)
{
	struct message *oldest = message(s, s->first);

	return is_full(s, STREAM_MESSAGE) && !s->ended &&
	    (s->due == s->first ||
		(!TAILQ_EMPTY(&oldest->stalled) &&
		    oldest->added + PATIENCE > clock_now()));
}

/*
 * A timer of no time, not event_active: the loop would run an active event
 * again and again before it looks at its sockets.
 */
static void
wake(struct stream *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	(void)evtimer_add(&s->turn, &tv);
}

/* Whose turn it is. */
static void
add_waiting(struct stream *s)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&s->waiters)) != NULL && !is_busy(s)) {
		stream_unwait(s, w);
		w->add(w);
	}
}

void
stream_wait(struct stream *s, struct waiter *w)
{
	w->waiting = 1;
	TAILQ_INSERT_TAIL(&s->waiters, w, entry);
	if (TAILQ_FIRST(&s->waiters) == w)
		add_waiting(s);
	if (w->waiting && s->due == s->next)
		wake(s, LOOK);
}

void
stream_unwait(struct stream *s, struct waiter *w)
{
	if (w->waiting)
		TAILQ_REMOVE(&s->waiters, w, entry);
	w->waiting = 0;
}

static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct client *c;
	int64_t now = clock_now();
	int left = SLICE;

	(void)fd;
	(void)what;
	while (s->due < s->next && left > 0) {
		c = TAILQ_FIRST(&message(s, s->due)->ready);
		if (c == NULL) {
			s->due++;
			continue;
		}
		leave(c);
		serve(c);
		left--;
	}
	/* They stand in the order in which they were served. */
	while ((c = TAILQ_FIRST(&message(s, s->next)->ready)) != NULL &&
	    c->heard + QUIET <= now && left > 0) {
		leave(c);
		c->task.text = ":\n\n";
		serve(c);
		left--;
	}
	add_waiting(s);
	if (left == 0 || s->due < s->next)
		wake(s, 0);
	else if (!TAILQ_EMPTY(&s->waiters))
		wake(s, LOOK);
	else if (s->nclients > 0)
		wake(s, c != NULL ? c->heard + QUIET - now : QUIET);
}

void
stream_init(struct stream *s, struct event_base *base, uint64_t first)
{
	size_t i;

	memset(s, 0, sizeof *s);
	for (i = 0; i < STREAM_MESSAGES + 1; i++) {
		TAILQ_INIT(&s->messages[i].ready);
		TAILQ_INIT(&s->messages[i].stalled);
	}
	TAILQ_INIT(&s->waiters);
	s->first = s->next = s->due = first;
	(void)evtimer_assign(&s->turn, base, turn_cb, s);
}

void
stream_listen(struct stream *s, struct request *req, const char *text,
    uint64_t from)
{
	struct client *c;

	if (task_is_head(req)) {
		task_reply(req, 200, STREAM_FIELDS, NULL);
		return;
	}
	if ((c = task_new(req, &client_handler, sizeof *c)) == NULL)
		return;
	request_drop_params(req); /* it may wait for days without them */
	request_input_ready(req);
	c->stream = s;
	c->task.text = text;
	c->next = from;
	c->at = message(s, from)->start;
	s->nclients++;
	serve(c);
	if (s->ended)
		end(c);
	else if (!evtimer_pending(&s->turn, NULL))
		wake(s, QUIET);
}

/* The oldest message makes room. */
static void
forget(struct stream *s)
{
	struct message *m = message(s, s->first);
	struct client *c, *other;

	TAILQ_FOREACH_SAFE(c, &m->ready, entry, other) {
		leave(c);
		serve(c);
	}
	TAILQ_FOREACH_SAFE(c, &m->stalled, entry, other) {
		request_log(c->task.req, LEVEL_INFO,
		    "a listener that takes nothing is dropped");
		end(c);
	}
	s->first++;
	if (s->due < s->first)
		s->due = s->first;
}

void
stream_add(struct stream *s, const char *text, size_t len)
{
	uint64_t start = message(s, s->next)->start;
	size_t at = start % STREAM_BYTES, part = STREAM_BYTES - at;

	while (is_full(s, len))
		forget(s);
	if (part > len)
		part = len;
	memcpy(s->ring + at, text, part);
	memcpy(s->ring, text + part, len - part);
	message(s, s->next)->added = clock_now();
	s->next++;
	message(s, s->next)->start = start + len;
	wake(s, 0);
}

void
stream_end(struct stream *s)
{
	struct client *c, *other;
	struct message *m;
	uint64_t n;

	s->ended = 1;
	for (n = s->first; n <= s->next; n++) {
		m = message(s, n);
		TAILQ_FOREACH_SAFE(c, &m->ready, entry, other)
			end(c);
		TAILQ_FOREACH_SAFE(c, &m->stalled, entry, other)
			end(c);
	}
	add_waiting(s);
	(void)evtimer_del(&s->turn);
}
