/*
 * The log, log.c:
 *   - a line is a time stamp, a level and the text; debug lines only if wanted
 *   - bytes that are not printable ASCII are made visible: no text can forge
 *     a line
 *   - long lines are cut, threads' lines are not mixed
 *   - a file that is moved away is opened anew; one that cannot be is kept
 *   - lines that find no room are counted, and the count is logged
 *   - a log that nobody reads stops neither the writer nor the end
 *   - until it is opened, and with no file, lines go to standard error
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../gateway/log.h"
#include "unit.h"

#define LOST " log lines lost"
#define STAMP \
	"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

/* A whole file as a string. */
static void
read_file(const char *path, struct bytes *out)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	ATF_REQUIRE_MSG(fd != -1, "%s", path);
	out->len = 0;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		bytes_add(out, buf, (size_t)n);
	bytes_add(out, "", 1);
	ATF_REQUIRE_EQ(0, close(fd));
}

static int
matches(const char *text, const char *pattern)
{
	regex_t regex;
	int rc;

	ATF_REQUIRE_EQ(0, regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB));
	rc = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return rc == 0;
}

/* Every line of the file begins as a line must; returns how many there are. */
static size_t
check_lines(const struct bytes *file)
{
	char *copy = strdup((const char *)file->p), *rest = copy, *line;
	size_t n = 0;

	ATF_REQUIRE(copy != NULL);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0') {
			ATF_CHECK(rest == NULL);
			break;
		}
		ATF_CHECK_MSG(matches(line,
				  STAMP "(debug|info|warning|error) .*$"),
		    "%s", line);
		n++;
	}
	free(copy);
	return n;
}

/* Level by level, with and without debug. */
ATF_TC_WITHOUT_HEAD(lines);
ATF_TC_BODY(lines, tc)
{
	struct bytes file = { 0 };
	int debug;

	for (debug = 0; debug < 2; debug++) {
		(void)unlink("log");
		ATF_REQUIRE_EQ(0, log_open("log", debug));
		ATF_CHECK_EQ(debug, log_debugging() != 0);
		log_debug("one %d", 1);
		log_info("two %s", "2");
		log_warning("three");
		log_error("four %%");
		log_close();
		read_file("log", &file);
		ATF_CHECK_EQ(debug ? 4 : 3, check_lines(&file));
		ATF_CHECK(matches((char *)file.p, "Z info two 2\n"));
		ATF_CHECK(matches((char *)file.p, "Z warning three\n"));
		ATF_CHECK(matches((char *)file.p, "Z error four %\n"));
		ATF_CHECK_EQ(debug, matches((char *)file.p, "debug one 1\n"));
	}
	bytes_free(&file);
}

/* Each byte from 1 to 255: one line; those that are not ASCII are shown. */
ATF_TC_WITHOUT_HEAD(control_bytes);
ATF_TC_BODY(control_bytes, tc)
{
	struct bytes file = { 0 };
	char text[8], want[16];
	unsigned c;
	size_t i;

	ATF_REQUIRE_EQ(0, log_open("log", 0));
	for (c = 1; c < 256; c++) {
		(void)snprintf(text, sizeof text, "<%c>", (char)c);
		log_info("%s", text);
	}
	log_info("%s", "x\n2026-01-01T00:00:00.000Z error forged");
	log_close();
	read_file("log", &file);
	ATF_CHECK_EQ(256, check_lines(&file));
	for (c = 1; c < 256; c++) {
		if (c < ' ' || c >= 0x7f)
			(void)snprintf(want, sizeof want, "<\\x%02x>", c);
		else
			(void)snprintf(want, sizeof want, "<%c>", (char)c);
		ATF_CHECK_MSG(strstr((char *)file.p, want) != NULL, "%s", want);
	}
	ATF_CHECK(strstr((char *)file.p, "error forged") != NULL);
	for (i = 0; i + 1 < file.len; i++)
		ATF_CHECK(file.p[i] == '\n' ||
		    (file.p[i] >= ' ' && file.p[i] < 0x7f));
	bytes_free(&file);
}

/* However long a text is, and whatever it grows to, it is one line. */
ATF_TC_WITHOUT_HEAD(long_lines);
ATF_TC_BODY(long_lines, tc)
{
	struct bytes file = { 0 };
	char *text = malloc(100001);
	size_t len;

	ATF_REQUIRE(text != NULL);
	ATF_REQUIRE_EQ(0, log_open("log", 0));
	for (len = 0; len <= 100000; len = len * 3 / 2 + 1) {
		memset(text, len % 2 == 0 ? 'x' : '\n', len);
		text[len] = '\0';
		log_info("%s", text);
	}
	log_info("last");
	log_close();
	read_file("log", &file);
	ATF_CHECK(check_lines(&file) > 20);
	ATF_CHECK(matches((char *)file.p, "info last\n"));
	bytes_free(&file);
	free(text);
}

static void *
log_much(void *arg)
{
	int i;

	for (i = 0; i < 500; i++)
		log_info("thread %d line %d end", *(int *)arg, i);
	return NULL;
}

/* Four threads at once: all lines are there, each in one piece. */
ATF_TC_WITHOUT_HEAD(threads);
ATF_TC_BODY(threads, tc)
{
	struct bytes file = { 0 };
	pthread_t threads[4];
	int numbers[4], i;

	ATF_REQUIRE_EQ(0, log_open("log", 0));
	for (i = 0; i < 4; i++) {
		numbers[i] = i;
		ATF_REQUIRE_EQ(0,
		    pthread_create(&threads[i], NULL, log_much, &numbers[i]));
	}
	for (i = 0; i < 4; i++)
		ATF_REQUIRE_EQ(0, pthread_join(threads[i], NULL));
	log_close();
	read_file("log", &file);
	ATF_CHECK_EQ(2000, check_lines(&file));
	for (i = 0; i < 2000; i++) {
		char want[64];

		(void)snprintf(want, sizeof want, " thread %d line %d end\n",
		    i / 500, i % 500);
		ATF_CHECK_MSG(strstr((char *)file.p, want) != NULL, "%s", want);
	}
	bytes_free(&file);
}

static void
wait_for_file(const char *path)
{
	const struct timespec pause = { 0, 1000000 };
	int64_t deadline = unit_deadline();

	while (access(path, F_OK) == -1) {
		ATF_REQUIRE_MSG(unit_now() < deadline, "no %s", path);
		(void)nanosleep(&pause, NULL);
	}
}

/* Rotation: the old file keeps what it had, the new one gets the rest. */
ATF_TC_WITHOUT_HEAD(reopen);
ATF_TC_BODY(reopen, tc)
{
	struct bytes file = { 0 };

	ATF_REQUIRE_EQ(0, mkdir("dir", 0755));
	ATF_REQUIRE_EQ(0, log_open("dir/log", 0));
	log_info("first");
	ATF_REQUIRE_EQ(0, rename("dir/log", "dir/old"));
	log_reopen();
	wait_for_file("dir/log");
	log_info("second");
	/* its directory has gone: it goes on with the file that it has */
	ATF_REQUIRE_EQ(0, rename("dir", "moved"));
	log_reopen();
	log_info("third");
	log_close();
	read_file("moved/old", &file);
	ATF_CHECK(matches((char *)file.p, "first\n"));
	ATF_CHECK(!matches((char *)file.p, "second\n"));
	read_file("moved/log", &file);
	ATF_CHECK(!matches((char *)file.p, "first\n"));
	ATF_CHECK(matches((char *)file.p, "second\n"));
	ATF_CHECK(matches((char *)file.p, "third\n"));
	bytes_free(&file);
}

/* A file that cannot be made is an error at the start. */
ATF_TC_WITHOUT_HEAD(no_file);
ATF_TC_BODY(no_file, tc)
{
	ATF_CHECK_EQ(-1, log_open("no/such/directory/log", 0));
	ATF_CHECK_EQ(ENOENT, errno);
	/* lines go where they went before */
	log_info("to standard error");
	log_close();
}

/* Reads a pipe to its end or until it is empty for a moment. */
static void
drain(int fd, struct bytes *out)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[65536];
	ssize_t n;

	while (poll(&pfd, 1, 500) > 0 && (n = read(fd, buf, sizeof buf)) > 0)
		bytes_add(out, buf, (size_t)n);
}

/* A full pipe: the lines that were lost and those that were not are all. */
ATF_TC_WITHOUT_HEAD(lost);
ATF_TC_BODY(lost, tc)
{
	struct bytes file = { 0 };
	const char *p, *digits;
	char text[200];
	size_t lines, notes = 0, n = 0;
	int fd, i;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	ATF_REQUIRE_EQ(0, mkfifo("fifo", 0600));
	ATF_REQUIRE((fd = open("fifo", O_RDONLY | O_NONBLOCK)) != -1);
	ATF_REQUIRE_EQ(0, log_open("fifo", 0));
	for (i = 0; i < 10000; i++)
		log_info("%s", text);
	drain(fd, &file);
	log_info("afterwards");
	log_close();
	drain(fd, &file);
	bytes_add(&file, "", 1);
	lines = check_lines(&file);
	for (p = (char *)file.p; (p = strstr(p, LOST)) != NULL;
	     p += strlen(LOST), notes++) {
		for (digits = p; digits[-1] >= '0' && digits[-1] <= '9';)
			digits--;
		n += strtoul(digits, NULL, 10);
	}
	ATF_CHECK(notes > 0);
	ATF_CHECK(n > 1000);
	/* what came and what did not, and "afterwards" */
	ATF_CHECK_EQ(10001 + notes, lines + n);
	ATF_CHECK(matches((char *)file.p, "afterwards\n"));
	ATF_REQUIRE_EQ(0, close(fd));
	bytes_free(&file);
}

/* When nobody reads at all, the end comes all the same. */
ATF_TC_WITHOUT_HEAD(never_read);
ATF_TC_BODY(never_read, tc)
{
	int64_t began;
	int fd, i;

	ATF_REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	ATF_REQUIRE_EQ(0, mkfifo("fifo", 0600));
	ATF_REQUIRE((fd = open("fifo", O_RDONLY | O_NONBLOCK)) != -1);
	ATF_REQUIRE_EQ(0, log_open("fifo", 0));
	for (i = 0; i < 10000; i++)
		log_info("%d: a line that nobody will ever read", i);
	began = unit_now();
	log_close();
	ATF_CHECK(unit_now() - began >= 900);
	ATF_REQUIRE_EQ(0, close(fd));
}

/* Without a file, and before it is opened: standard error. */
ATF_TC_WITHOUT_HEAD(standard_error);
ATF_TC_BODY(standard_error, tc)
{
	struct bytes file = { 0 };
	int fd, old;

	ATF_REQUIRE((fd = open("stderr", O_RDWR | O_CREAT, 0600)) != -1);
	ATF_REQUIRE((old = dup(STDERR_FILENO)) != -1);
	ATF_REQUIRE(dup2(fd, STDERR_FILENO) != -1);
	log_info("early");
	ATF_REQUIRE_EQ(0, log_open(NULL, 0));
	log_reopen();
	log_info("later");
	log_close();
	log_info("last");
	ATF_REQUIRE(dup2(old, STDERR_FILENO) != -1);
	read_file("stderr", &file);
	ATF_CHECK_EQ(3, check_lines(&file));
	ATF_CHECK(matches((char *)file.p, "early\n.*later\n.*last\n"));
	ATF_REQUIRE_EQ(0, close(fd));
	bytes_free(&file);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, lines);
	ATF_TP_ADD_TC(tp, control_bytes);
	ATF_TP_ADD_TC(tp, long_lines);
	ATF_TP_ADD_TC(tp, threads);
	ATF_TP_ADD_TC(tp, reopen);
	ATF_TP_ADD_TC(tp, no_file);
	ATF_TP_ADD_TC(tp, lost);
	ATF_TP_ADD_TC(tp, never_read);
	ATF_TP_ADD_TC(tp, standard_error);
	return atf_no_error();
}
