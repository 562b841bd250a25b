/*
 * HTTP clients that ask for one small page again and again, each on a
 * connection of its own that it keeps.  Prints wall time, how many answers were
 * right (200, with the text expected) and wrong, how many requests had no
 * answer in the end, how many clients starved, that is, had less than a tenth
 * of the right answers that each has on average, and latencies in milliseconds,
 * in which a request without an answer counts with the time that it has waited.
 *
 *	clients [-c clients] [-n each] [-p pause] [-s seconds] [-w wait]
 *	    [-x text] port path
 *
 * -c: how many (1).  -n: how many requests each makes (as many as the seconds
 * allow).  -p: milliseconds from one request of a client to its next, half as
 * many to half as many again; 0, the default, for none.  -s: seconds after
 * which no request is begun (3).  -w: seconds after which a request is given up
 * when those are over (3).  -x: what each body must hold.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"

#define ANSWER_MAX 4096

struct client {
	int fd; /* -1: not connected */
	int busy; /* a request is under way */
	int left; /* requests to make */
	int good; /* right answers */
	double next; /* when the next one is due */
	double sent; /* when the present one was sent */
	char answer[ANSWER_MAX + 1];
	size_t len;
};

static int nclients = 1, each = -1;
static double pause_time, seconds = 3, patience = 3;
static const char *text = "hello, world";
static struct sockaddr_in address = { .sin_family = AF_INET };
static char *request;
static size_t request_len;
static struct client *clients;
static struct pollfd *pfds;

static double *times;
static size_t ntimes, room;
static int good, bad, unanswered, starved;

static double
pause_next(void)
{
	return pause_time * (0.5 + drand48());
}

static void
time_add(double t)
{
	double *more;

	if (ntimes == room) {
		room = room == 0 ? 4096 : room * 2;
		if ((more = realloc(times, room * sizeof(*times))) == NULL)
			err(1, NULL);
		times = more;
	}
	times[ntimes++] = t;
}

static int
time_compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The q-th part of the sorted times, in milliseconds. */
static double
time_at(double q)
{
	size_t i = (size_t)(q * (double)ntimes);

	if (ntimes == 0)
		return 0;
	return times[i < ntimes ? i : ntimes - 1] * 1000;
}

static void
client_close(struct client *c)
{
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = -1;
}

/* A connection of the loopback interface is there at once, or never. */
static void
client_connect(struct client *c)
{
	int on = 1;

	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    connect(c->fd, (struct sockaddr *)&address, sizeof(address)) ==
		-1 ||
	    fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1)
		err(1, "connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void
client_send(struct client *c, double t)
{
	if (c->fd == -1)
		client_connect(c);
	c->sent = t;
	c->next = t + pause_next();
	c->busy = 1;
	c->left--;
	c->len = 0;
	if (write(c->fd, request, request_len) != (ssize_t)request_len)
		client_close(c);
}

/* The length that the answer's header announces: -1: none, chunked. */
static long
answer_length(const char *header)
{
	const char *p = strcasestr(header, "\r\nContent-Length:");

	return p == NULL ? -1 : strtol(p + 17, NULL, 10);
}

/* Is the answer whole?  A body in chunks is small and has no empty line. */
static int
answer_whole(struct client *c)
{
	const char *end;
	long length;

	c->answer[c->len] = '\0';
	if ((end = strstr(c->answer, "\r\n\r\n")) == NULL)
		return 0;
	end += 4;
	if ((length = answer_length(c->answer)) >= 0)
		return c->len - (size_t)(end - c->answer) >= (size_t)length;
	return c->len >= 5 && strcmp(c->answer + c->len - 5, "0\r\n\r\n") == 0;
}

static void
client_end(struct client *c, double t)
{
	c->busy = 0;
	c->answer[c->len] = '\0';
	time_add(t - c->sent);
	if (answer_whole(c) && strncmp(c->answer + 8, " 200", 4) == 0 &&
	    strstr(c->answer, text) != NULL)
		c->good++;
	else if (bad++ == 0)
		warnx("wrong answer: \"%s\"", c->answer);
	if (c->fd != -1 && strcasestr(c->answer, "\r\nConnection: close"))
		client_close(c);
}

static void
client_read(struct client *c)
{
	ssize_t n;

	n = read(c->fd, c->answer + c->len, ANSWER_MAX - c->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		client_close(c);
	else
		c->len += (size_t)n;
	if (c->busy && (n <= 0 || c->len == ANSWER_MAX || answer_whole(c)))
		client_end(c, now());
}

static void
request_make(const char *port, const char *path)
{
	int n;

	address.sin_port = htons((uint16_t)strtol(port, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n = asprintf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
	    path);
	if (n == -1)
		err(1, NULL);
	request_len = (size_t)n;
}

/* Begins what is due; returns how many are under way or to come. */
static int
clients_begin(double t, int over, double *next)
{
	struct client *c;
	int i, open = 0;

	for (i = 0; i < nclients; i++) {
		c = &clients[i];
		if (!c->busy && !over && c->left != 0) {
			if (c->next <= t)
				client_send(c, t);
			else if (c->next < *next)
				*next = c->next;
			open++;
		} else if (c->busy)
			open++;
		pfds[i] = (struct pollfd) { .fd = c->fd, .events = POLLIN };
		if (c->busy && c->fd == -1)
			client_end(c, t);
	}
	return open;
}

static void
clients_run(double start)
{
	double next, t, end = start + seconds;
	int i;

	for (;;) {
		t = now();
		if (t >= end + patience)
			break;
		next = t < end ? end : end + patience;
		if (clients_begin(t, t >= end, &next) == 0)
			break;
		t = (next - t) * 1000;
		if (poll(pfds, (nfds_t)nclients, (int)t + 1) == -1 &&
		    errno != EINTR)
			err(1, "poll");
		for (i = 0; i < nclients; i++)
			if (pfds[i].fd != -1 && pfds[i].revents != 0)
				client_read(&clients[i]);
	}
}

static void
clients_count(void)
{
	int i;

	for (i = 0; i < nclients; i++) {
		good += clients[i].good;
		if (!clients[i].busy)
			continue;
		unanswered++;
		time_add(now() - clients[i].sent);
	}
	for (i = 0; i < nclients; i++)
		if (clients[i].good * 10.0 * nclients < good)
			starved++;
}

/* Times to begin are spread, so that the clients do not march in step. */
static void
clients_init(double start)
{
	int i;

	clients = calloc((size_t)nclients, sizeof(*clients));
	pfds = calloc((size_t)nclients, sizeof(*pfds));
	if (clients == NULL || pfds == NULL)
		err(1, NULL);
	for (i = 0; i < nclients; i++) {
		clients[i].fd = -1;
		clients[i].left = each;
		clients[i].next = start + drand48() * pause_time;
	}
}

int
main(int argc, char *argv[])
{
	double start, wall;
	int ch;

	while ((ch = getopt(argc, argv, "c:n:p:s:w:x:")) != -1) {
		if (ch == 'c')
			nclients = (int)strtol(optarg, NULL, 10);
		else if (ch == 'n')
			each = (int)strtol(optarg, NULL, 10);
		else if (ch == 'p')
			pause_time = strtod(optarg, NULL) / 1000;
		else if (ch == 's')
			seconds = strtod(optarg, NULL);
		else if (ch == 'w')
			patience = strtod(optarg, NULL);
		else if (ch == 'x')
			text = optarg;
		else
			goto usage;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2 || nclients < 1)
		goto usage;
	request_make(argv[0], argv[1]);
	start = now();
	clients_init(start);
	clients_run(start);
	wall = now() - start;
	clients_count();
	qsort(times, ntimes, sizeof(*times), time_compare);
	(void)printf("wall=%.3f good=%d bad=%d unanswered=%d starved=%d "
		     "p50=%.3f p99=%.3f max=%.3f\n",
	    wall, good, bad, unanswered, starved, time_at(0.5), time_at(0.99),
	    time_at(1));
	return bad == 0 && unanswered == 0 ? 0 : 1;
usage:
	(void)fprintf(stderr,
	    "usage: clients [-c clients] [-n each] [-p pause] [-s seconds] "
	    "[-w wait]\n\t[-x text] port path\n");
	return 2;
}
