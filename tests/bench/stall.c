/*
 * HTTP clients that stall: each sends its request and never reads.  With -u it
 * also sends a body of a gigabyte, as far as anybody takes it.  Prints "ready"
 * once all requests have been sent; at TERM, how many of the connections the
 * server has closed, and how many bytes of bodies it took.  They leave with a
 * reset: a mere end would wait behind what the server does not read.  They must
 * not take the processor from others either: epoll, for poll(2) looks at all of
 * them each time.
 *
 *	stall [-c clients] [-u] port path
 */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <fcntl.h>
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

struct stall {
	int fd;
	long left; /* of its body */
};

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

/* Sends a piece of what the server takes.  Returns how many bytes it took. */
static long
stall_upload(struct stall *stall)
{
	static char buf[16384];
	size_t want = sizeof(buf);
	ssize_t w;

	if (stall->left < (long)want)
		want = (size_t)stall->left;
	if (want == 0 || (w = write(stall->fd, buf, want)) == -1)
		return 0; /* if it has been closed, that is told too */
	stall->left -= w;
	return w;
}

static void
stall_watch(int epoll, struct stall *stall, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = stall };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, stall->fd, &event) == -1)
		err(1, "epoll_ctl");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sigaction action = { .sa_handler = on_term };
	struct epoll_event events[64];
	struct stall *stalls, *stall;
	char *request;
	long took = 0;
	int i, ch, len, epoll, ready, closed = 0, n = 1, upload = 0;

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
	stalls = calloc((size_t)n, sizeof(*stalls));
	if (len == -1 || stalls == NULL || (epoll = epoll_create1(0)) == -1)
		err(1, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGTERM, &action, NULL);
	for (i = 0; i < n; i++) {
		stalls[i].fd = stall_begin(&address, request, (size_t)len);
		stalls[i].left = BODY;
		stall_watch(epoll, &stalls[i],
		    EPOLLRDHUP | (upload ? EPOLLOUT : 0));
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (!ended) {
		ready = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < ready; i++) {
			stall = events[i].data.ptr;
			if (upload)
				took += stall_upload(stall);
			if ((events[i].events &
				(EPOLLHUP | EPOLLERR | EPOLLRDHUP)) == 0)
				continue;
			(void)close(stall->fd);
			closed++;
		}
	}
	(void)printf("clients=%d closed=%d took=%ld\n", n, closed, took);
	free(stalls);
	free(request);
	return 0;
usage:
	(void)fprintf(stderr, "usage: stall [-c clients] [-u] port path\n");
	return 2;
}
