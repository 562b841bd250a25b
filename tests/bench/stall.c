/*
 * HTTP clients that stall: each sends its request and never reads.  With -u it
 * also sends a body of a gigabyte, as far as anybody takes it.  Prints "ready"
 * once all requests have been sent; at TERM, how many of the connections the
 * server has closed, and how many bytes of bodies it took.  They leave with a
 * reset: a mere end would wait behind what the server does not read.
 *
 *	stall [-c clients] [-u] port path
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY (1L << 30)
/*
 * As over Ethernet.  With the segments of the loopback interface the kernel
 * would keep megabytes for each, which tells nothing of the server.
 */
#define SEGMENT 1448

static volatile sig_atomic_t ended;

static void
on_term(int sig)
{
	(void)sig;
	ended = 1;
}

static int
stall_begin(struct sockaddr_in *address, const char *request, size_t len)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd, segment = SEGMENT;

	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment,
	    sizeof(segment));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (struct sockaddr *)address, sizeof(*address)) == -1 ||
	    write(fd, request, len) != (ssize_t)len ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		err(1, "connect");
	return fd;
}

/* Sends what the server takes, a piece from each in turn. */
static long
stall_upload(struct pollfd *pfds, long *left, int n)
{
	static char buf[16384];
	ssize_t w;
	size_t want;
	long took = 0;
	int i;

	for (i = 0; i < n; i++) {
		if ((pfds[i].revents & POLLOUT) == 0)
			continue;
		want = sizeof(buf);
		if (left[i] < (long)want)
			want = (size_t)left[i];
		w = write(pfds[i].fd, buf, want);
		if (w == -1 && errno != EAGAIN)
			continue; /* poll will tell */
		if (w > 0) {
			left[i] -= w;
			took += w;
		}
		if (left[i] == 0)
			pfds[i].events = 0;
	}
	return took;
}

/* Takes connections that have been closed out of the game; returns how many. */
static int
stall_closed(struct pollfd *pfds, int n)
{
	int i, closed = 0;

	for (i = 0; i < n; i++) {
		if ((pfds[i].revents & (POLLHUP | POLLERR | POLLRDHUP)) == 0)
			continue;
		(void)close(pfds[i].fd);
		pfds[i].fd = -1;
		pfds[i].revents = 0;
		closed++;
	}
	return closed;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sigaction action = { .sa_handler = on_term };
	struct pollfd *pfds;
	char *request;
	long *left, took = 0;
	int i, ch, len, closed = 0, n = 1, upload = 0;

	while ((ch = getopt(argc, argv, "c:u")) != -1) {
		if (ch == 'c')
			n = (int)strtol(optarg, NULL, 10);
		else if (ch == 'u')
			upload = 1;
		else
			goto usage;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2 || n < 1)
		goto usage;
	address.sin_port = htons((uint16_t)strtol(argv[0], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = asprintf(&request,
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %ld\r\n\r\n",
	    upload ? "POST" : "GET", argv[1], upload ? BODY : 0);
	pfds = calloc((size_t)n, sizeof(*pfds));
	left = calloc((size_t)n, sizeof(*left));
	if (len == -1 || pfds == NULL || left == NULL)
		err(1, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGTERM, &action, NULL);
	for (i = 0; i < n; i++) {
		pfds[i].fd = stall_begin(&address, request, (size_t)len);
		pfds[i].events = (short)(POLLRDHUP | (upload ? POLLOUT : 0));
		left[i] = BODY;
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (!ended) {
		if (poll(pfds, (nfds_t)n, 100) < 1)
			continue;
		closed += stall_closed(pfds, n);
		took += stall_upload(pfds, left, n);
	}
	(void)printf("clients=%d closed=%d took=%ld\n", n, closed, took);
	free(left);
	free(pfds);
	free(request);
	return 0;
usage:
	(void)fprintf(stderr, "usage: stall [-c clients] [-u] port path\n");
	return 2;
}
