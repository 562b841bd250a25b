/*
 * Many who listen to a stream of server-sent events over HTTP/1.1, each on a
 * connection of its own, and one who posts lines to it, on another.  What is to
 * be done comes in lines on standard input; each is answered with a line of
 * name=value.
 *
 *	listeners port path
 *
 *	listen N	N more; until they have the headers of their responses
 *	stall N		likewise, but they never read again, and take little
 *	post N MS BYTES	a line each MS ms, of so many bytes; until all who
 *			listen have had the last one
 *
 * For 10 s without anything new is waited.  The first two tell how many listen
 * and stall, how many have failed, why there are no more, and how long it took.
 * "post" tells how many lines were posted, how many were missing, summed over
 * those who listen, and in ms: p50 and p99 of the time from a post to a
 * listener; the time until all have it, its median over the lines (all) and its
 * maximum (max).
 */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "now.h"
#include "response.h"

#define AT_ONCE 256 /* requests without a response at a time */
#define PATIENCE 10 /* seconds */
#define LINE_BYTES 512 /* the chat's limit */
/* An address has 28,000; while half of them are free one is found soon. */
#define PORTS 10000
/* Of those who stall: as over Ethernet (see stall.c), and little of it. */
#define SEGMENT 1448
#define STALL_BUFFER 4096

struct listener {
	int fd; /* -1: closed */
	int begun; /* it has its header */
	int stalls;
	uint64_t next; /* number of the message that it has not had */
	struct response response;
};

static struct sockaddr_in address = { .sin_family = AF_INET };
static const char *path;
static int queue; /* of epoll */

static struct listener **listeners;
static int nlisteners, nlistening, nstalling, nfailed;
static const char *why = "-";

static struct listener poster = { .fd = -1 };
static int posting; /* its answer has not come */
static uint64_t number; /* of the next message */

/* Of the messages of one "post". */
static uint64_t first;
static double *posted, *last; /* when, by whoever had it last */
static float *times;
static size_t ntimes, nmissing;

static int
float_compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The q-th part of the sorted values. */
static double
part(const float *values, size_t n, double q)
{
	size_t i = (size_t)(q * (double)n);

	return n == 0 ? 0 : (double)values[i < n ? i : n - 1];
}

static void
listener_close(struct listener *l)
{
	if (l == &poster)
		errx(1, "the poster's connection was closed");
	if (!l->begun)
		nfailed++;
	else if (l->stalls)
		nstalling--;
	else
		nlistening--;
	(void)close(l->fd);
	l->fd = -1;
}

static void
listener_begun(struct listener *l)
{
	struct epoll_event event = { .data.ptr = l };

	l->begun = 1;
	l->next = number;
	if (l == &poster)
		posting = 0; /* 204 has no body */
	else if (!l->stalls)
		nlistening++;
	else {
		nstalling++;
		(void)epoll_ctl(queue, EPOLL_CTL_MOD, l->fd, &event);
	}
}

static void
listener_message(struct listener *l, uint64_t n, double t)
{
	if (n < l->next || n >= number)
		return; /* of history */
	l->next = n + 1;
	if (n < first)
		return;
	nmissing--;
	times[ntimes++] = (float)(t - posted[n - first]);
	last[n - first] = t;
}

static void
listener_read(struct listener *l)
{
	static char buf[65536];
	enum response_event event;
	double t;
	size_t used;
	ssize_t n;
	char *p;

	n = read(l->fd, buf, l->stalls ? 1 : sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	t = now();
	for (p = buf; n > 0; p += used, n -= (ssize_t)used) {
		event = response_read(&l->response, p, (size_t)n, &used);
		if (event == RESPONSE_MORE)
			return;
		if (event == RESPONSE_BEGUN)
			listener_begun(l);
		else if (event == RESPONSE_MESSAGE)
			listener_message(l, l->response.number, t);
		else
			break;
		if (n == (ssize_t)used)
			return;
	}
	listener_close(l);
}

/* Waits for so many seconds at most; returns 0 if nothing has come. */
static int
events(double seconds)
{
	struct epoll_event ready[256];
	struct listener *l;
	int i, n;

	n = epoll_wait(queue, ready, 256,
	    seconds > 0 ? (int)(seconds * 1000) + 1 : 0);
	for (i = 0; i < n; i++) {
		l = ready[i].data.ptr;
		if (l->fd != -1)
			listener_read(l);
	}
	return n > 0;
}

static int
connection_open(int n, int stalls)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd, on = 1, segment = SEGMENT, buffer = STALL_BUFFER;

	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	if (stalls) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment,
		    sizeof(segment));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer,
		    sizeof(buffer));
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(n / PORTS));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
listener_open(struct listener *l)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = l };

	if ((l->fd = connection_open(nlisteners, l->stalls)) == -1)
		return -1;
	if (epoll_ctl(queue, EPOLL_CTL_ADD, l->fd, &event) == -1)
		err(1, "epoll");
	return 0;
}

/* Sends a request, all of it at once: it is small. */
static void
listener_ask(struct listener *l, const char *method, const char *fields,
    const char *body)
{
	char request[2048];
	int n;

	n = snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", method, path,
	    fields, body);
	memset(&l->response, 0, sizeof(l->response));
	if (write(l->fd, request, (size_t)n) != n)
		err(1, "request");
}

/* One more, if it can be had. */
static int
listener_add(int stalls)
{
	struct listener *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		err(1, NULL);
	l->stalls = stalls;
	if (listener_open(l) == -1) {
		why = strerrorname_np(errno);
		free(l);
		return -1;
	}
	listeners[nlisteners++] = l;
	listener_ask(l, "GET", "", "");
	return 0;
}

static void
add(int n, int stalls)
{
	double start = now(), heard = start;
	int waiting, goal = nlisteners + n;

	listeners = realloc(listeners, (size_t)goal * sizeof(*listeners));
	if (listeners == NULL)
		err(1, NULL);
	for (;;) {
		waiting = nlisteners - nlistening - nstalling - nfailed;
		if (waiting == 0 && nlisteners == goal)
			break;
		if (now() - heard > PATIENCE) {
			why = "no answer";
			break;
		}
		if (waiting < AT_ONCE && nlisteners < goal) {
			if (listener_add(stalls) == -1)
				goal = nlisteners;
			if (waiting % 16 != 0)
				continue;
			waiting = 0;
		}
		if (events(waiting > 0 ? PATIENCE : 0))
			heard = now();
	}
	(void)printf("listening=%d stalling=%d failed=%d why=%s wall=%.3f\n",
	    nlistening, nstalling, nlisteners - nlistening - nstalling, why,
	    now() - start);
}

/* A line: its number, and as much more as it takes. */
static void
post_line(size_t bytes)
{
	char fields[128], line[LINE_BYTES + 1];
	int n;

	memset(line, 'x', sizeof(line));
	n = snprintf(line, sizeof(line), "%llu ", (unsigned long long)number);
	line[n] = 'x';
	line[bytes > (size_t)n ? bytes : (size_t)n + 1] = '\0';
	(void)snprintf(fields, sizeof(fields),
	    "Content-Type: text/plain\r\nContent-Length: %zu\r\n",
	    strlen(line));
	posted[number++ - first] = now();
	nmissing += (size_t)nlistening;
	posting = 1;
	listener_ask(&poster, "POST", fields, line);
}

static void
post_report(size_t n)
{
	float *alls;
	size_t i;

	if ((alls = calloc(n + 1, sizeof(*alls))) == NULL)
		err(1, NULL);
	for (i = 0; i < n; i++)
		if (last[i] > 0)
			alls[i] = (float)(last[i] - posted[i]);
	qsort(alls, n, sizeof(*alls), float_compare);
	qsort(times, ntimes, sizeof(*times), float_compare);
	(void)printf("posted=%zu missing=%zu p50=%.3f p99=%.3f all=%.3f "
		     "max=%.3f\n",
	    n, nmissing, part(times, ntimes, 0.5) * 1000,
	    part(times, ntimes, 0.99) * 1000, part(alls, n, 0.5) * 1000,
	    part(alls, n, 1) * 1000);
	free(alls);
}

static void
post(size_t n, double pause, size_t bytes)
{
	double t, due = now(), heard = due;
	size_t left;

	if (poster.fd == -1 && listener_open(&poster) == -1)
		err(1, "connection");
	posted = calloc(n, sizeof(*posted));
	last = calloc(n, sizeof(*last));
	times = calloc(n * (size_t)nlistening + 1, sizeof(*times));
	if (posted == NULL || last == NULL || times == NULL)
		err(1, NULL);
	first = number;
	ntimes = nmissing = 0;
	for (left = n; left > 0 || nmissing > 0 || posting;) {
		t = now();
		if (!posting && left > 0 && t >= due) {
			post_line(bytes);
			left--;
			due += pause;
		} else if (t - heard > PATIENCE)
			break;
		if (events(!posting && left > 0 ? due - t : PATIENCE))
			heard = now();
	}
	post_report(n);
	free(posted);
	free(last);
	free(times);
}

int
main(int argc, char *argv[])
{
	struct rlimit files;
	struct timespec ts;
	double pause;
	size_t bytes, n;
	char line[128];
	int count;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: listeners port path\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	path = argv[2];
	/* The numbers of earlier runs, which the stream may tell, are lower. */
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	first = number =
	    (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		err(1, "getrlimit");
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if ((queue = epoll_create1(0)) == -1)
		err(1, "epoll");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "listen %d", &count) == 1)
			add(count, 0);
		else if (sscanf(line, "stall %d", &count) == 1)
			add(count, 1);
		else if (sscanf(line, "post %zu %lf %zu", &n, &pause, &bytes) ==
			3 &&
		    n > 0 && bytes <= LINE_BYTES)
			post(n, pause / 1000, bytes);
		else
			errx(2, "what is \"%s\"?", line);
		(void)fflush(stdout);
	}
	return 0;
}
