/*
 * The log's buffer and its thread.  Writers copy a finished line into the
 * buffer under the lock; the thread takes all that is there, and writes it
 * with the lock released.  Only the thread touches the file once it runs.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "pool.h"

#define LOG_BUFFER (256 * 1024) /* bytes of lines that wait for the thread */
#define LOG_LINE 2048 /* longest line, in bytes */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* to the thread: work, or the end */
	pthread_cond_t gone; /* from the thread: it has ended */
	pthread_t thread;
	char *path; /* NULL: standard error */
	char *buffer;
	size_t len;
	unsigned long lost; /* lines that found the buffer full */
	int fd;
	int debug;
	int running;
	int made; /* the file, by this process */
	int reopen;
	int stop;
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.gone = PTHREAD_COND_INITIALIZER,
	.fd = STDERR_FILENO };

/* What cannot be written is lost: there is nowhere to say so. */
static void
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

/* *made is set if there was no such file. */
static int
open_file(const char *path, int *made)
{
	const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY;
	int fd;

	fd = open(path, flags | O_CREAT | O_EXCL, 0640);
	*made = fd != -1;
	return fd != -1 || errno != EEXIST ? fd : open(path, flags);
}

static void
reopen_file(const char *path)
{
	int fd, made;

	if (path == NULL)
		return;
	if ((fd = open_file(path, &made)) == -1) {
		log_line(LEVEL_ERROR, "cannot reopen the log: %s",
		    strerror(errno));
		return;
	}
	(void)close(log_state.fd);
	log_state.fd = fd;
}

static size_t
stamp(char *p, size_t size, enum log_level level)
{
	static const char *const names[] = { "debug", "info", "warning",
		"error" };
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(p, size, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(p + n, size - n, ".%03ldZ %s ",
	    now.tv_nsec / 1000000, names[level]);
	return n;
}

static void *
log_thread(void *arg)
{
	char *out = arg;
	size_t len, n;
	unsigned long lost;
	int reopen, stop;
	char note[96];

	(void)pthread_mutex_lock(&log_state.lock);
	do {
		while (
		    log_state.len == 0 && !log_state.reopen && !log_state.stop)
			(void)pthread_cond_wait(&log_state.wake,
			    &log_state.lock);
		len = log_state.len;
		memcpy(out, log_state.buffer, len);
		log_state.len = 0;
		lost = log_state.lost;
		log_state.lost = 0;
		reopen = log_state.reopen;
		log_state.reopen = 0;
		stop = log_state.stop;
		(void)pthread_mutex_unlock(&log_state.lock);

		write_all(log_state.fd, out, len);
		if (lost > 0) {
			n = stamp(note, sizeof note, LEVEL_WARNING);
			n += (size_t)snprintf(note + n, sizeof note - n,
			    "%lu log lines lost\n", lost);
			write_all(log_state.fd, note, n);
		}
		if (reopen)
			reopen_file(log_state.path);
		(void)pthread_mutex_lock(&log_state.lock);
	} while (!stop || log_state.len > 0);
	log_state.running = 0;
	(void)pthread_cond_signal(&log_state.gone);
	(void)pthread_mutex_unlock(&log_state.lock);
	free(out);
	return NULL;
}

int
log_open(const char *path, int debug)
{
	char *out;

	log_state.debug = debug;
	if (path != NULL) {
		if ((log_state.path = strdup(path)) == NULL ||
		    (log_state.fd = open_file(path, &log_state.made)) == -1) {
			log_state.fd = STDERR_FILENO;
			return -1;
		}
	}
	if ((log_state.buffer = malloc(LOG_BUFFER)) == NULL ||
	    (out = malloc(LOG_BUFFER)) == NULL)
		return -1;
	log_state.running = 1;
	if (pool_thread(&log_state.thread, log_thread, out) == -1) {
		log_state.running = 0;
		free(out);
		return -1;
	}
	return 0;
}

int
log_chown(uid_t uid, gid_t gid)
{
	/* another's file, or what a link names, stays another's */
	return log_state.made ? fchown(log_state.fd, uid, gid) : 0;
}

void
log_reopen(void)
{
	(void)pthread_mutex_lock(&log_state.lock);
	log_state.reopen = 1;
	(void)pthread_cond_signal(&log_state.wake);
	(void)pthread_mutex_unlock(&log_state.lock);
}

void
log_close(void)
{
	struct timespec until;
	int running;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	(void)pthread_mutex_lock(&log_state.lock);
	if (log_state.buffer == NULL) {
		(void)pthread_mutex_unlock(&log_state.lock);
		return;
	}
	log_state.stop = 1;
	(void)pthread_cond_signal(&log_state.wake);
	while (log_state.running &&
	    pthread_cond_timedwait(&log_state.gone, &log_state.lock, &until) !=
		ETIMEDOUT)
		continue;
	running = log_state.running;
	(void)pthread_mutex_unlock(&log_state.lock);
	if (running)
		return; /* stuck in write(2): leave it its memory */
	(void)pthread_join(log_state.thread, NULL);
	free(log_state.buffer);
	free(log_state.path);
	log_state.buffer = log_state.path = NULL;
	if (log_state.fd != STDERR_FILENO)
		(void)close(log_state.fd);
	log_state.fd = STDERR_FILENO;
}

/* Copies src to dst with all but plain ASCII made visible; returns its length.
 */
static size_t
make_visible(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s;
	size_t n = 0;

	for (s = (const unsigned char *)src; *s != '\0'; s++) {
		if (size - n < 6)
			break;
		if (*s >= ' ' && *s < 0x7f) {
			dst[n++] = (char)*s;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[*s >> 4];
		dst[n++] = hex[*s & 15];
	}
	dst[n] = '\0';
	return n;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE / 2], line[LOG_LINE];
	va_list ap;
	size_t n;

	if (level == LEVEL_DEBUG && !log_state.debug)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	n = stamp(line, sizeof line, level);
	n += make_visible(line + n, sizeof line - n - 1, text);
	line[n++] = '\n';

	(void)pthread_mutex_lock(&log_state.lock);
	if (!log_state.running)
		write_all(log_state.fd, line, n);
	else if (n > LOG_BUFFER - log_state.len)
		log_state.lost++;
	else {
		memcpy(log_state.buffer + log_state.len, line, n);
		if (log_state.len == 0)
			(void)pthread_cond_signal(&log_state.wake);
		log_state.len += n;
	}
	(void)pthread_mutex_unlock(&log_state.lock);
}

int
log_debugging(void)
{
	return log_state.debug;
}
