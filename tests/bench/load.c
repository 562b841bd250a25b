/*
 * A load generator that speaks FastCGI itself: NUMBER requests for one script
 * over ONE connection, INFLIGHT of them at a time, multiplexed.  Prints wall
 * time, how many answers were right (the text expected, exit code 0), and how
 * often consecutive records belonged to different requests.
 *
 *	load [-i inflight] [-n number] [-x text] socket script
 *
 * -x: what the body must hold.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../gateway/fcgi.h"
#include "now.h"

#define REQUEST_MAX 2048
#define BODY_MAX 1024

struct request {
	char body[BODY_MAX]; /* the output so far */
	size_t len;
};

struct load {
	int fd;
	int number, inflight;
	int sent, done, good;
	const char *text;
	struct request *requests; /* by id, from 1 */
	uint8_t *out; /* a request ready to send but for its id */
	size_t out_len, out_off;
	uint8_t in[FCGI_HEADER_LEN + FCGI_MAX_CONTENT + 255];
	size_t in_len;
	unsigned last_id;
	long records, switches;
};

static size_t
param_put(uint8_t *p, const char *name, const char *value)
{
	size_t n, name_len = strlen(name), value_len = strlen(value);

	n = (size_t)fcgi_length_put(p, (uint32_t)name_len);
	n += (size_t)fcgi_length_put(p + n, (uint32_t)value_len);
	memcpy(p + n, name, name_len);
	memcpy(p + n + name_len, value, value_len);
	return n + name_len + value_len;
}

/* Encodes request id: BEGIN, PARAMS, the end of PARAMS, the end of STDIN. */
static size_t
request_put(uint8_t *p, uint16_t id, const char *script)
{
	const char *name = strrchr(script, '/');
	uint8_t *params;
	size_t n;

	fcgi_begin_put(p, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
	p += FCGI_HEADER_LEN + FCGI_BEGIN_LEN;
	params = p + FCGI_HEADER_LEN;
	n = param_put(params, "REQUEST_METHOD", "GET");
	n += param_put(params + n, "QUERY_STRING", "");
	n += param_put(params + n, "SERVER_PROTOCOL", "HTTP/1.1");
	n += param_put(params + n, "SERVER_NAME", "localhost");
	n += param_put(params + n, "SERVER_PORT", "80");
	n += param_put(params + n, "REMOTE_ADDR", "127.0.0.1");
	n += param_put(params + n, "SCRIPT_NAME", name == NULL ? "" : name);
	n += param_put(params + n, "SCRIPT_FILENAME", script);
	fcgi_header_put(p, FCGI_PARAMS, id, (uint16_t)n);
	fcgi_header_put(params + n, FCGI_PARAMS, id, 0);
	fcgi_header_put(params + n + FCGI_HEADER_LEN, FCGI_STDIN, id, 0);
	return FCGI_HEADER_LEN + FCGI_BEGIN_LEN + FCGI_HEADER_LEN + n +
	    2 * FCGI_HEADER_LEN;
}

/* What is longer than a page is not kept. */
static void
request_output(struct request *r, const uint8_t *p, size_t n)
{
	if (n > BODY_MAX - 1 - r->len)
		n = BODY_MAX - 1 - r->len;
	memcpy(r->body + r->len, p, n);
	r->len += n;
}

static void
request_end(struct load *l, struct request *r, const uint8_t *p)
{
	r->body[r->len] = '\0';
	l->done++;
	if (fcgi_get32(p) == 0 && p[4] == FCGI_REQUEST_COMPLETE &&
	    strstr(r->body, l->text) != NULL)
		l->good++;
	else
		warnx("request %ld: status %u, protocol status %u, body \"%s\"",
		    (long)(r - l->requests), fcgi_get32(p), p[4], r->body);
}

static void
record_took(struct load *l, const struct fcgi_header *h, const uint8_t *p)
{
	if (h->id == 0 || h->id > l->number)
		errx(1, "record of type %u for id %u", h->type, h->id);
	l->records++;
	if (h->id != l->last_id)
		l->switches++;
	l->last_id = h->id;
	if (h->type == FCGI_STDOUT)
		request_output(&l->requests[h->id], p, h->content);
	else if (h->type == FCGI_STDERR)
		(void)write(STDERR_FILENO, p, h->content);
	else if (h->type == FCGI_END_REQUEST)
		request_end(l, &l->requests[h->id], p);
}

static void
load_read(struct load *l)
{
	struct fcgi_header h;
	size_t off = 0, len;
	ssize_t n;

	n = read(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		errx(1, "connection closed, %d of %d done", l->done, l->number);
	if (n == -1)
		return;
	l->in_len += (size_t)n;
	while (l->in_len - off >= FCGI_HEADER_LEN) {
		h = fcgi_header_get(l->in + off);
		len = (size_t)FCGI_HEADER_LEN + h.content + h.padding;
		if (l->in_len - off < len)
			break;
		record_took(l, &h, l->in + off + FCGI_HEADER_LEN);
		off += len;
	}
	memmove(l->in, l->in + off, l->in_len - off);
	l->in_len -= off;
}

static void
load_write(struct load *l, const char *script)
{
	ssize_t n;

	if (l->out_off == l->out_len) {
		l->out_len = request_put(l->out, (uint16_t)++l->sent, script);
		l->out_off = 0;
	}
	n = write(l->fd, l->out + l->out_off, l->out_len - l->out_off);
	if (n == -1 && errno != EAGAIN)
		err(1, "write");
	if (n > 0)
		l->out_off += (size_t)n;
}

static void
load_run(struct load *l, const char *script)
{
	struct pollfd pfd = { .fd = l->fd };

	while (l->done < l->number) {
		pfd.events = POLLIN;
		if (l->out_off < l->out_len ||
		    (l->sent < l->number && l->sent - l->done < l->inflight))
			pfd.events |= POLLOUT;
		if (poll(&pfd, 1, 60000) < 1)
			errx(1, "nothing for 60 s, %d done", l->done);
		if (pfd.revents & (POLLIN | POLLHUP | POLLERR))
			load_read(l);
		if (pfd.revents & POLLOUT)
			load_write(l, script);
	}
}

static int
load_connect(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		errx(1, "%s: too long", path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		err(1, "%s", path);
	return fd;
}

int
main(int argc, char *argv[])
{
	static struct load l = { .number = 1, .text = "hello, world" };
	double start, wall;
	int ch;

	while ((ch = getopt(argc, argv, "i:n:x:")) != -1) {
		if (ch == 'i')
			l.inflight = (int)strtol(optarg, NULL, 10);
		else if (ch == 'n')
			l.number = (int)strtol(optarg, NULL, 10);
		else if (ch == 'x')
			l.text = optarg;
		else
			goto usage;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2 || l.number < 1 || l.number > FCGI_MAX_ID ||
	    strlen(argv[1]) > REQUEST_MAX / 4)
		goto usage;
	if (l.inflight < 1)
		l.inflight = l.number;
	l.requests = calloc((size_t)l.number + 1, sizeof(*l.requests));
	l.out = calloc(1, REQUEST_MAX);
	if (l.requests == NULL || l.out == NULL)
		err(1, NULL);
	l.fd = load_connect(argv[0]);
	start = now();
	load_run(&l, argv[1]);
	wall = now() - start;
	(void)printf("wall=%.3f rate=%.1f good=%d records=%ld switches=%ld\n",
	    wall, l.number / wall, l.good, l.records, l.switches);
	return l.good == l.number ? 0 : 1;
usage:
	(void)fprintf(stderr,
	    "usage: load [-i inflight] [-n number] [-x text] "
	    "socket script\n");
	return 2;
}
