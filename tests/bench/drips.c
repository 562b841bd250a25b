/*
 * HTTP clients that listen: each asks once for the program drip, whose lines
 * are the times at which they were written, and takes note of how late they
 * come.  Prints "ready" once every client has had a line, and in the end how
 * many lines there were, how many clients got all of theirs, and delays in
 * seconds.  HTTP/1.0, so that nothing is between the lines.
 *
 *	drips [-c clients] [-l lines] [-s seconds] port path
 *
 * -c: how many (1).  -l: lines that each is to get (20).  -s: when those who
 * have not got them are given up (60).
 */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"

#define LINE_MAX_LEN 64
#define TIME_FRACTION 9 /* digits of a time after its point */
#define EVENTS 256

struct client {
	int fd;
	int sent; /* the request is on its way */
	int lines; /* so far */
	char line[LINE_MAX_LEN]; /* the present one, as far as it is here */
	size_t len;
};

static int nclients = 1, nlines = 20;
static double seconds = 60;
static struct client *clients;
static char *request;
static size_t request_len;
static int poll_fd, begun, whole, open_clients;
static long total;
static double delay_max, delay_sum;

/* Connects without waiting: the server's queue may be full. */
static void
client_connect(struct client *c, const struct sockaddr_in *address)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		err(1, "socket");
	if (connect(c->fd, (const struct sockaddr *)address,
		sizeof(*address)) == -1 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event) == -1)
		err(1, "epoll");
	open_clients++;
}

static void
client_close(struct client *c)
{
	(void)close(c->fd);
	c->fd = -1;
	open_clients--;
}

static void
client_send(struct client *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (write(c->fd, request, request_len) != (ssize_t)request_len) {
		client_close(c);
		return;
	}
	c->sent = 1;
	if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event) == -1)
		err(1, "epoll");
}

/* What is not a time is of the header, or of a page that tells of an error. */
static int
line_is_time(const char *line)
{
	size_t digits = strspn(line, "0123456789");

	if (digits == 0 || line[digits] != '.')
		return 0;
	line += digits + 1;
	return strlen(line) == TIME_FRACTION &&
	    strspn(line, "0123456789") == TIME_FRACTION;
}

static void
client_line(struct client *c, double t)
{
	double delay;

	c->line[c->len] = '\0';
	c->len = 0;
	if (!line_is_time(c->line))
		return;
	delay = t - strtod(c->line, NULL);
	delay_sum += delay;
	if (delay > delay_max)
		delay_max = delay;
	total++;
	if (++c->lines == nlines)
		whole++;
	if (c->lines == 1 && ++begun == nclients) {
		(void)printf("ready\n");
		(void)fflush(stdout);
	}
}

static void
client_read(struct client *c)
{
	static char buf[4096];
	double t;
	ssize_t n, i;

	n = read(c->fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	t = now();
	for (i = 0; i < n; i++) {
		if (buf[i] == '\n')
			client_line(c, t);
		else if (c->len < sizeof(c->line) - 1)
			c->line[c->len++] = buf[i];
	}
}

static void
clients_run(double end)
{
	struct epoll_event events[EVENTS];
	struct client *c;
	double t;
	int i, n;

	while (open_clients > 0 && (t = now()) < end) {
		n = epoll_wait(poll_fd, events, EVENTS,
		    (int)((end - t) * 1000) + 1);
		if (n == -1 && errno != EINTR)
			err(1, "epoll");
		for (i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (c->sent)
				client_read(c);
			else
				client_send(c);
		}
	}
}

static void
clients_init(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct rlimit rl;
	int i;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	address.sin_port = htons((uint16_t)strtol(port, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	clients = calloc((size_t)nclients, sizeof(*clients));
	if (clients == NULL || (poll_fd = epoll_create1(0)) == -1)
		err(1, NULL);
	for (i = 0; i < nclients; i++)
		client_connect(&clients[i], &address);
}

int
main(int argc, char *argv[])
{
	int ch, n;

	while ((ch = getopt(argc, argv, "c:l:s:")) != -1) {
		if (ch == 'c')
			nclients = (int)strtol(optarg, NULL, 10);
		else if (ch == 'l')
			nlines = (int)strtol(optarg, NULL, 10);
		else if (ch == 's')
			seconds = strtod(optarg, NULL);
		else
			goto usage;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2 || nclients < 1)
		goto usage;
	n = asprintf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n",
	    argv[1]);
	if (n == -1)
		err(1, NULL);
	request_len = (size_t)n;
	clients_init(argv[0]);
	clients_run(now() + seconds);
	(void)printf("clients=%d begun=%d whole=%d lines=%ld delay_mean=%.6f "
		     "delay_max=%.6f\n",
	    nclients, begun, whole, total,
	    total > 0 ? delay_sum / (double)total : 0, delay_max);
	return whole == nclients ? 0 : 1;
usage:
	(void)fprintf(stderr,
	    "usage: drips [-c clients] [-l lines] [-s seconds] port path\n");
	return 2;
}
