/*
 * A connection of fcgi-client: writes what was queued, in pieces if asked,
 * and takes records apart as they come.  Called by all three modes.
 *
 * It is strict about what it receives: an unknown record type, a record for
 * an id that was not begun or has ended, data after a stream's end, or more of
 * it than there was credit for fails the run at once.  A version byte that is
 * not 1 is how the gateway shows a cut answer: nothing after it is read, and
 * the state becomes PEER_CUT.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/sockios.h>
#endif

#include "../gateway/fcgi.h"
#include "client.h"

#define DRAIN_MS 200 /* a reader that takes longer than this has paused */

static const char *type_names[] = { "type 0", "BEGIN_REQUEST", "ABORT_REQUEST",
	"END_REQUEST", "PARAMS", "STDIN", "STDOUT", "STDERR", "DATA",
	"GET_VALUES", "GET_VALUES_RESULT", "UNKNOWN_TYPE" };

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (len > b->size - b->len) {
		b->size = (b->len + len) * 2;
		if ((b->data = realloc(b->data, b->size)) == NULL)
			err(1, "realloc");
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Says what was wanted and the last records that came; ends the program. */
void
failed(const struct peer *p, const char *fmt, ...)
{
	static const char *states[] = { "open", "closed by the other side",
		"cut by the other side" };
	va_list ap;
	unsigned i;

	(void)fprintf(stderr, "fcgi-client: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n");
	if (p == NULL)
		exit(1);
	(void)fprintf(stderr,
	    "fcgi-client: connection %d is %s, %zu of %zu queued bytes sent, "
	    "%u records came%s\n",
	    p->number, states[p->state], p->sent, p->out.len, p->records,
	    p->records == 0 ? "" : ", the last of them:");
	i = p->records > CLIENT_HISTORY ? p->records - CLIENT_HISTORY : 0;
	for (; i < p->records; i++)
		(void)fprintf(stderr, "fcgi-client:   %s\n",
		    p->history[i % CLIENT_HISTORY]);
	exit(1);
}

/* where: see client_connect. */
struct peer *
peer_new(const char *where, int number)
{
	struct peer *p;

	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->answers = calloc(FCGI_MAX_ID + 1, sizeof(*p->answers))) == NULL)
		err(1, "calloc");
	p->number = number;
	p->fd = client_connect(where, &p->local);
	if (fcntl(p->fd, F_SETFL, O_NONBLOCK) == -1)
		err(1, "fcntl");
	return p;
}

static void
answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	buf_clear(&a->out);
	buf_clear(&a->err);
	free(a);
}

void
peer_free(struct peer *p)
{
	unsigned i;

	if (p == NULL)
		return;
	if (p->fd != -1)
		(void)close(p->fd);
	for (i = 0; i <= FCGI_MAX_ID; i++)
		answer_free(p->answers[i]);
	for (i = 0; i < CLIENT_HISTORY; i++)
		free(p->history[i]);
	free(p->answers);
	buf_clear(&p->out);
	buf_clear(&p->in);
	buf_clear(&p->mgmt);
	free(p);
}

/* No more will be sent; the other side's answers are still read. */
void
peer_shut(struct peer *p)
{
	(void)shutdown(p->fd, SHUT_WR);
}

/* Forgets what came for id before: it is (again) the id of a request. */
struct answer *
peer_begin(struct peer *p, uint16_t id)
{
	answer_free(p->answers[id]);
	if ((p->answers[id] = calloc(1, sizeof(struct answer))) == NULL)
		err(1, "calloc");
	return p->answers[id];
}

/* Where in a->out the body begins: after the first empty line, LF or CRLF. */
size_t
answer_body(const struct answer *a)
{
	const struct buf *b = &a->out;
	size_t i, line = 0;

	for (i = 0; i < b->len; i++) {
		if (b->data[i] != '\n')
			continue;
		if (i == line || (i == line + 1 && b->data[line] == '\r'))
			return i + 1;
		line = i + 1;
	}
	return b->len;
}

static void
history_add(struct peer *p, const struct fcgi_header *h, const uint8_t *c)
{
	char text[49], *line;
	unsigned slot = p->records % CLIENT_HISTORY;
	size_t i;

	for (i = 0; i < h->content && i < sizeof(text) - 1; i++)
		text[i] = isprint(c[i]) ? (char)c[i] : '.';
	text[i] = '\0';
	if (asprintf(&line, "version %d %s id %d, %d bytes: %s%s", h->version,
		h->type < sizeof(type_names) / sizeof(type_names[0]) ?
		    type_names[h->type] :
		    "unknown type",
		h->id, h->content, text, i < h->content ? "..." : "") == -1)
		err(1, "asprintf");
	free(p->history[slot]);
	p->history[slot] = line;
	p->records++;
}

/* Counts a record against the credit, and gives more if the play says so. */
static void
record_cost(struct peer *p, struct answer *a, const struct fcgi_header *h)
{
	static const struct wire plain = { FCGI_MAX_CONTENT, 0 };

	if (!a->windowed)
		return;
	a->credit -= AFCGI_COST(h->content);
	if (a->credit < 0)
		failed(p, "id %d: more than its credit: %lld", h->id,
		    (long long)-a->credit);
	if (a->window != 0 && a->credit < a->window / 2)
		send_credit(p, &plain, h->id,
		    (uint32_t)(a->window - a->credit));
}

static void
record_stream(struct peer *p, struct answer *a, const struct fcgi_header *h,
    const uint8_t *content)
{
	bool *closed = h->type == FCGI_STDOUT ? &a->out_closed : &a->err_closed;

	if (*closed)
		failed(p, "%s of id %d after the end of that stream",
		    type_names[h->type], h->id);
	if (h->content == 0) {
		*closed = true;
		return;
	}
	record_cost(p, a, h);
	buf_add(h->type == FCGI_STDOUT ? &a->out : &a->err, content,
	    h->content);
	if (h->type != FCGI_STDOUT)
		return;
	if (a->records++ == 0)
		a->first = p->records;
	a->last = p->records;
}

static void
record_application(struct peer *p, const struct fcgi_header *h,
    const uint8_t *content)
{
	struct answer *a = p->answers[h->id];

	if (p->lenient && (a == NULL || a->ended))
		a = peer_begin(p, h->id);
	if (a == NULL || a->ended)
		failed(p, "a record for id %d, which %s", h->id,
		    a == NULL ? "was never begun" : "has ended");
	switch (h->type) {
	case FCGI_STDOUT:
	case FCGI_STDERR:
		record_stream(p, a, h, content);
		break;
	case AFCGI_CREDIT:
		if (!a->windowed || h->content != AFCGI_CREDIT_LEN)
			failed(p, "credit that was not asked for");
		a->granted += fcgi_get32(content);
		break;
	case FCGI_END_REQUEST:
		if (h->content != FCGI_END_LEN)
			failed(p, "END_REQUEST of %d bytes", h->content);
		a->ended = true;
		a->app = fcgi_get32(content);
		a->proto = content[4];
		break;
	default:
		failed(p, "record type %d for id %d", h->type, h->id);
	}
}

/* Takes the whole records off p->in. */
static void
records_parse(struct peer *p)
{
	struct fcgi_header h;
	size_t off = 0, total;

	while (!p->bad_record && p->in.len - off >= FCGI_HEADER_LEN) {
		h = fcgi_header_get(p->in.data + off);
		if (h.version != FCGI_VERSION_1) {
			p->bad_record = true;
			h.content = 0;
			history_add(p, &h, p->in.data);
			break;
		}
		total = (size_t)FCGI_HEADER_LEN + h.content + h.padding;
		if (p->in.len - off < total)
			break;
		history_add(p, &h, p->in.data + off + FCGI_HEADER_LEN);
		if (h.id == FCGI_NULL_ID)
			buf_add(&p->mgmt, p->in.data + off, total);
		else
			record_application(p, &h,
			    p->in.data + off + FCGI_HEADER_LEN);
		off += total;
	}
	if (off > 0) {
		memmove(p->in.data, p->in.data + off, p->in.len - off);
		p->in.len -= off;
	}
}

static void
peer_read(struct peer *p)
{
	uint8_t data[65536];
	ssize_t n;

	n = read(p->fd, data, sizeof(data));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->state = n == 0 && p->in.len == 0 && !p->bad_record ?
		    PEER_CLOSED :
		    PEER_CUT;
		return;
	}
	buf_add(&p->in, data, (size_t)n);
	records_parse(p);
}

/* Waits until the other side has read all of the last piece, if it reads. */
static void
piece_wait(struct peer *p)
{
#ifdef SIOCOUTQ
	int64_t deadline = now_ms() + DRAIN_MS;
	struct timespec ms = { 0, 200000 };
	int queued = 0;

	while (p->local && now_ms() < deadline &&
	    ioctl(p->fd, SIOCOUTQ, &queued) == 0 && queued > 0)
		(void)nanosleep(&ms, NULL);
#else
	(void)p;
#endif
}

static void
peer_write(struct peer *p)
{
	size_t len = p->out.len - p->sent;
	ssize_t n;

	if (p->piece != 0 && len > p->piece)
		len = p->piece;
	if (p->head > p->sent && len > p->head - p->sent)
		len = p->head - p->sent;
	n = send(p->fd, p->out.data + p->sent, len, MSG_NOSIGNAL);
	if (n == -1) {
		/* What the other side said before it closed is still read. */
		if (errno != EAGAIN && errno != EINTR)
			p->sent = p->out.len;
		return;
	}
	p->sent += (size_t)n;
	if (p->piece != 0 || p->head >= p->sent)
		piece_wait(p);
	if (p->sent == p->out.len && p->head == 0)
		p->sent = p->out.len = 0;
}

/* Reads and writes what can be, and returns; waits for at most wait ms. */
void
peer_pump(struct peer **peers, size_t n, int64_t wait)
{
	struct pollfd *fds;
	size_t i;

	if ((fds = calloc(n, sizeof(*fds))) == NULL)
		err(1, "calloc");
	for (i = 0; i < n; i++) {
		fds[i].fd = -1;
		if (peers[i] == NULL || peers[i]->fd == -1 ||
		    peers[i]->state != PEER_OPEN)
			continue;
		fds[i].events = (short)((peers[i]->paused ? 0 : POLLIN) |
		    (peers[i]->sent < peers[i]->out.len ? POLLOUT : 0));
		if (fds[i].events != 0)
			fds[i].fd = peers[i]->fd;
	}
	if (poll(fds, (nfds_t)n, wait < 0 ? 0 : (int)wait) == -1 &&
	    errno != EINTR)
		err(1, "poll");
	for (i = 0; i < n; i++) {
		if (fds[i].fd == -1)
			continue;
		if (fds[i].revents & POLLOUT)
			peer_write(peers[i]);
		if (!peers[i]->paused &&
		    (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
			peer_read(peers[i]);
	}
	free(fds);
}
