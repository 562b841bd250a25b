/*
 * The CGI programs that the measurements run, as one static program so that
 * the cost of a process is the kernel's and not the dynamic linker's.  What
 * it does is its name, given by links:
 *
 *	hello	a short page
 *	sleep1	a short page after one second
 *	drip	QUERY_STRING lines (20), one a second, each the time at which it
 *		is written
 *	gush	QUERY_STRING megabytes of body
 *	sink	reads its body, answers how many bytes there were
 *	echo	sends its body back while it reads it
 *	silent	puts its pid into the file QUERY_STRING, then neither reads
 *		nor writes for 100 seconds
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER "Content-Type: text/plain\n\n"

static char buf[65536];

/* Writes all of it or exits: nothing is left to do for a client that left. */
static void
put(const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		if ((w = write(STDOUT_FILENO, p, n)) == -1)
			_exit(1);
		p += w;
		n -= (size_t)w;
	}
}

static void
put_string(const char *s)
{
	put(s, strlen(s));
}

static void
drip(const char *lines)
{
	struct timespec ts;
	long n;

	for (n = *lines == '\0' ? 20 : strtol(lines, NULL, 10); n > 0; n--) {
		(void)clock_gettime(CLOCK_MONOTONIC, &ts);
		(void)snprintf(buf, sizeof(buf), "%lld.%09ld\n",
		    (long long)ts.tv_sec, ts.tv_nsec);
		put_string(buf);
		(void)sleep(1);
	}
}

static void
gush(const char *megabytes)
{
	long n;

	memset(buf, 'x', sizeof(buf));
	for (n = strtol(megabytes, NULL, 10) * 16; n > 0; n--)
		put(buf, sizeof(buf));
}

static void
put_number(long long n)
{
	(void)snprintf(buf, sizeof(buf), "%lld\n", n);
	put_string(buf);
}

static long long
drain(int echo)
{
	long long total = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		total += n;
		if (echo)
			put(buf, (size_t)n);
	}
	return total;
}

static void
silent(const char *file)
{
	FILE *f;

	if ((f = fopen(file, "w")) == NULL)
		err(1, "%s", file);
	(void)fprintf(f, "%ld\n", (long)getpid());
	(void)fclose(f);
	(void)sleep(100);
}

int
main(int argc, char *argv[])
{
	const char *name, *query;
	long long total = 0;

	(void)argc;
	name = strrchr(argv[0], '/');
	name = name == NULL ? argv[0] : name + 1;
	if ((query = getenv("QUERY_STRING")) == NULL)
		query = "";
	if (strcmp(name, "silent") == 0)
		silent(query);
	if (strcmp(name, "sleep1") == 0)
		(void)sleep(1);
	if (strcmp(name, "sink") == 0)
		total = drain(0);
	put_string(HEADER);
	if (strcmp(name, "drip") == 0)
		drip(query);
	else if (strcmp(name, "gush") == 0)
		gush(query);
	else if (strcmp(name, "echo") == 0)
		drain(1);
	else if (strcmp(name, "sink") == 0)
		put_number(total);
	else
		put_string("hello, world\n");
	return 0;
}
