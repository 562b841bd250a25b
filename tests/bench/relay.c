/*
 * The floor that streams are measured against: the least that a gateway must
 * do for the bytes of a script.  One process writes to a pipe, one reads from
 * a unix socket, and the relay between them moves what comes, by read and
 * write or by splice.  Prints MB/s, and the processor time of the relay alone
 * in seconds for a GB.
 *
 *	relay [-su] megabytes
 *
 * -s: by splice.  -u: the other way, from the socket to the pipe, as uploads
 * go.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"

#define PIECE 65536

static char buf[PIECE];

static double
processor_time(void)
{
	struct rusage ru;

	(void)getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
put(int fd, const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		if ((w = write(fd, p, n)) == -1)
			err(1, "write");
		p += w;
		n -= (size_t)w;
	}
}

/* The process that writes all, on out alone. */
static void
source(int out, long megabytes)
{
	long n;

	memset(buf, 'x', sizeof(buf));
	for (n = megabytes * ((1L << 20) / PIECE); n > 0; n--)
		put(out, buf, sizeof(buf));
	_exit(0);
}

/* The process that reads all; it succeeds if that was all. */
static void
sink(int in, long megabytes)
{
	long left = megabytes << 20;
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		left -= n;
	_exit(n == 0 && left == 0 ? 0 : 1);
}

static void
relay(int in, int out, int by_splice)
{
	ssize_t n;

	for (;;) {
		if (by_splice)
			n = splice(in, NULL, out, NULL, PIECE, SPLICE_F_MOVE);
		else
			n = read(in, buf, sizeof(buf));
		if (n == -1)
			err(1, "relay");
		if (n == 0)
			return;
		if (!by_splice)
			put(out, buf, (size_t)n);
	}
}

static pid_t
process(void (*body)(int, long), int fd, const int others[3], long megabytes)
{
	pid_t pid;
	int i;

	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		for (i = 0; i < 3; i++)
			(void)close(others[i]);
		body(fd, megabytes);
	}
	return pid;
}

int
main(int argc, char *argv[])
{
	int ch, up = 0, by_splice = 0, pipes[2], sockets[2], status;
	int first[2], second[2]; /* to write to, and to read from */
	double start, wall, cpu;
	long megabytes;
	pid_t pid;

	while ((ch = getopt(argc, argv, "su")) != -1) {
		if (ch == 's')
			by_splice = 1;
		else if (ch == 'u')
			up = 1;
		else
			goto usage;
	}
	if (argc - optind != 1 ||
	    (megabytes = strtol(argv[optind], NULL, 10)) < 1)
		goto usage;
	if (pipe(pipes) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == -1)
		err(1, NULL);
	first[0] = up ? sockets[0] : pipes[1];
	first[1] = up ? sockets[1] : pipes[0];
	second[0] = up ? pipes[1] : sockets[0];
	second[1] = up ? pipes[0] : sockets[1];
	start = now();
	(void)process(source, first[0],
	    (const int[3]) { first[1], second[0], second[1] }, megabytes);
	pid = process(sink, second[1],
	    (const int[3]) { first[0], first[1], second[0] }, megabytes);
	(void)close(first[0]);
	(void)close(second[1]);
	relay(first[1], second[0], by_splice);
	(void)close(second[0]);
	cpu = processor_time();
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "not everything arrived");
	wall = now() - start;
	(void)printf("rate=%.1f cpu=%.3f\n", (double)megabytes / wall,
	    cpu * 1024 / (double)megabytes);
	return 0;
usage:
	(void)fprintf(stderr, "usage: relay [-su] megabytes\n");
	return 2;
}
