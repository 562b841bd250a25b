/*
 * fcgi-client: a raw FastCGI client for the tests.
 *
 *	fcgi-client [-bek] [-c bytes] [-d file] [-i id] [-P bytes]
 *	    [-p name=value] [-r role] [-t seconds] [-W | -w bytes] socket
 *	fcgi-client -n requests [-C connections] [-m live] [-R times]
 *	    [-x text | -X] [other options] socket
 *	fcgi-client -f file [-t seconds] socket
 *
 * socket is unix:path, a plain path, tcp:host:port or tcp6:[address]:port.
 *
 * The first form makes one request and writes its FCGI_STDOUT to stdout and
 * its FCGI_STDERR to stderr:
 *	-p  one parameter; may be repeated
 *	-d  the body, from a file (- is stdin)
 *	-i  request id (default 1);  -r  role, a number (default 1)
 *	-k  sets FCGI_KEEP_CONN
 *	-c  content bytes of one record of a stream, at most
 *	-P  padding after each record
 *	-w  sends that many bytes at a time, each when the last were read
 *	-W  repeats the request on a new connection for each offset of its
 *	    bytes, split there; all answers must be the same
 *	-t  seconds until the answer must be whole (default 10)
 *	-b  writes the body only: what follows the first empty line
 *	-e  writes how it ended as the last line of stdout: `end app=0 proto=0',
 *	    `closed', `cut' (inside a record, or a bad one) or `deadline'
 * Exit status: 0 END_REQUEST with zeros, 3 another appStatus, 4 another
 * protocolStatus, 5 closed or cut, 6 deadline, 1 anything else.
 *
 * The second form makes many requests, over -C connections (default 1) that
 * carry at most -m at once each (default all); without -k a connection ends
 * with its requests.  `%d' in a parameter and in -x is the request's number,
 * from 0.  Each body must be the text of -x, -R times over; or, with -X, the
 * request's own body.  The last line of stdout is
 *	requests=1000 ok=1000 connections=1 interleaved=998
 * where interleaved counts the answers that have a record of another one
 * between their first and last.
 *
 * The third form plays a script of records; its commands are described in
 * client_play.c.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../gateway/fcgi.h"
#include "client.h"

enum { EXIT_APP = 3, EXIT_PROTO, EXIT_CLOSED, EXIT_DEADLINE };

struct options {
	const char *where;
	const char *play;
	const char *body;
	int64_t timeout; /* ms */
	size_t piece;
	bool every_offset;
	bool body_only;
	bool show_end;
	struct wire wire;
	struct request req;
	struct many many;
};

static void usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: fcgi-client [-beknWX] [-C connections] [-c bytes] "
	    "[-d file] [-f file]\n"
	    "\t[-i id] [-m live] [-n requests] [-P bytes] [-p name=value] "
	    "[-R times]\n\t[-r role] [-t seconds] [-w bytes] [-x text] "
	    "socket\n");
	exit(2);
}

static unsigned long
number(const char *s, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s == '\0' || *end != '\0' || n > max)
		errx(2, "%s: not a number up to %lu", s, max);
	return n;
}

static void
read_body(const char *path, struct buf *b)
{
	uint8_t data[65536];
	ssize_t n;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0 && (fd = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	while ((n = read(fd, data, sizeof(data))) > 0)
		buf_add(b, data, (size_t)n);
	if (n == -1)
		err(1, "%s", path);
	if (fd != STDIN_FILENO)
		(void)close(fd);
}

static void
add_param(struct request *req, const char *pair)
{
	req->params =
	    realloc(req->params, (req->nparams + 1) * sizeof(*req->params));
	if (req->params == NULL)
		err(1, "realloc");
	req->params[req->nparams++] = pair;
}

static void
set_option(struct options *o, int ch, const char *arg)
{
	switch (ch) {
	case 'b':
		o->body_only = true;
		break;
	case 'C':
		o->many.connections = (unsigned)number(arg, 100000);
		break;
	case 'c':
		o->wire.chunk = number(arg, FCGI_MAX_CONTENT);
		break;
	case 'd':
		o->body = arg;
		break;
	case 'e':
		o->show_end = true;
		break;
	case 'f':
		o->play = arg;
		break;
	case 'i':
		o->req.id = (uint16_t)number(arg, FCGI_MAX_ID);
		break;
	case 'k':
		o->req.keep = true;
		break;
	case 'm':
		o->many.live = (unsigned)number(arg, FCGI_MAX_ID);
		break;
	case 'n':
		o->many.requests = (unsigned)number(arg, 10000000);
		break;
	case 'P':
		o->wire.padding = (uint8_t)number(arg, 255);
		break;
	case 'p':
		add_param(&o->req, arg);
		break;
	case 'R':
		o->many.times = (unsigned)number(arg, 10000000);
		break;
	case 'r':
		o->req.role = (uint16_t)number(arg, 65535);
		break;
	case 't':
		o->timeout = (int64_t)number(arg, 86400) * 1000;
		break;
	case 'W':
		o->every_offset = true;
		break;
	case 'w':
		o->piece = number(arg, 1000000000);
		break;
	case 'X':
		o->many.echo = true;
		break;
	case 'x':
		o->many.expect = arg;
		break;
	default:
		usage();
	}
}

/* Makes the request and waits for its end, the connection's, or too long. */
static struct peer *
exchange(const struct options *o, size_t head)
{
	struct peer *p = peer_new(o->where, 1);
	struct answer *a = peer_begin(p, o->req.id);
	int64_t deadline = now_ms() + o->timeout;

	p->piece = o->piece;
	p->head = head;
	send_request(p, &o->wire, &o->req);
	while (!a->ended && p->state == PEER_OPEN && now_ms() < deadline)
		peer_pump(&p, 1, deadline - now_ms());
	return p;
}

static void
print_answer(const struct options *o, const struct answer *a)
{
	size_t from = o->body_only ? answer_body(a) : 0;

	if (a->err.len > 0)
		(void)fwrite(a->err.data, 1, a->err.len, stderr);
	if (a->out.len > from)
		(void)fwrite(a->out.data + from, 1, a->out.len - from, stdout);
	if (o->show_end && a->out.len > from &&
	    a->out.data[a->out.len - 1] != '\n')
		(void)putchar('\n');
}

/* Says how it ended, if asked; returns the exit status that says so too. */
static int
print_end(const struct options *o, const struct peer *p, const struct answer *a)
{
	const char *how = p->state == PEER_OPEN ? "deadline" :
	    p->state == PEER_CUT		? "cut" :
						  "closed";

	if (a->ended) {
		if (o->show_end)
			(void)printf("end app=%u proto=%u\n", a->app, a->proto);
		return a->proto != 0 ? EXIT_PROTO : a->app != 0 ? EXIT_APP : 0;
	}
	if (o->show_end)
		(void)printf("%s\n", how);
	return p->state == PEER_OPEN ? EXIT_DEADLINE : EXIT_CLOSED;
}

static int
run_one(const struct options *o)
{
	struct peer *p = exchange(o, 0);
	const struct answer *a = p->answers[o->req.id];
	int status;

	print_answer(o, a);
	status = print_end(o, p, a);
	if (fflush(stdout) != 0)
		err(1, "stdout");
	peer_free(p);
	return status;
}

static bool
buf_equal(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static int
run_every_offset(const struct options *o)
{
	struct peer *whole = exchange(o, 0), *p, *dry;
	const struct answer *first = whole->answers[o->req.id], *a;
	size_t k, total;

	if (!first->ended)
		failed(whole, "no end of the request that is not split");
	dry = peer_new(o->where, 2);
	send_request(dry, &o->wire, &o->req);
	total = dry->out.len;
	peer_free(dry);
	for (k = 1; k < total; k++) {
		p = exchange(o, k);
		a = p->answers[o->req.id];
		if (!a->ended)
			failed(p, "split at %zu: no end of the request", k);
		if (a->app != first->app || a->proto != first->proto ||
		    !buf_equal(&a->out, &first->out) ||
		    !buf_equal(&a->err, &first->err))
			failed(p, "split at %zu: another answer", k);
		peer_free(p);
	}
	print_answer(o, first);
	(void)printf("offsets=%zu\n", total - 1);
	peer_free(whole);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct options o;
	struct buf body;
	int ch, status;

	memset(&o, 0, sizeof(o));
	memset(&body, 0, sizeof(body));
	o.timeout = 10000;
	o.wire.chunk = FCGI_MAX_CONTENT;
	o.req.id = 1;
	o.req.role = FCGI_RESPONDER;
	o.many.connections = 1;
	o.many.times = 1;
	while ((ch = getopt(argc, argv, "bC:c:d:ef:i:km:n:P:p:R:r:t:Ww:Xx:")) !=
	    -1)
		set_option(&o, ch, optarg);
	if (argc - optind != 1 || o.wire.chunk == 0)
		usage();
	o.where = argv[optind];
	if (o.body != NULL)
		read_body(o.body, &body);
	o.req.body = body.data;
	o.req.body_len = body.len;
	if (o.play != NULL)
		status = play_run(o.where, o.play, o.timeout);
	else if (o.many.requests != 0)
		status = many_run(o.where, &o.many, &o.wire, &o.req, o.timeout);
	else
		status = o.every_offset ? run_every_offset(&o) : run_one(&o);
	free(o.req.params);
	buf_clear(&body);
	return status;
}
