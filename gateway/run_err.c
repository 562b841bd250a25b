/*
 * The script's standard error.  It is always read, so that no script ever
 * waits for it; the first bytes of it (limit stderr) go to the web server as
 * FCGI_STDERR, once the header has gone: before it they make nginx answer 502.
 * What comes when there is no request any more is logged here.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cgi.h"
#include "cgi_limit.h"
#include "clock.h"
#include "run.h"
#include "run_pipes.h"
#include "server.h"

#define LOG_MAX 400 /* bytes of a piece that are logged */

/* Without memory it is dropped. */
static void
keep(struct run *run, const char *p, size_t len)
{
	char *errors;

	if ((errors = realloc(run->errors, run->errors_len + len)) == NULL)
		return;
	memcpy(errors + run->errors_len, p, len);
	run->errors = errors;
	run->errors_len += len;
}

void
run_send_errors(struct run *run)
{
	size_t n;

	if (run->errors_len == 0 || run->req == NULL)
		return;
	n = request_write_errors(run->req, run->errors, run->errors_len);
	run->errors_len -= n;
	if (run->errors_len > 0) {
		memmove(run->errors, run->errors + n, run->errors_len);
		return;
	}
	free(run->errors);
	run->errors = NULL;
}

static void
log_lines(const struct run *run, const char *p, size_t len)
{
	const char *end = p + len, *nl;

	for (; p < end; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			nl = end;
		if (nl > p)
			log_info("%s: %.*s", run->name, (int)(nl - p), p);
	}
}

static void
take(struct run *run, const char *p, size_t len)
{
	int64_t left = run->cgi->limits->errors - run->errors_seen;
	size_t n = left <= 0 ? 0 : left < (int64_t)len ? (size_t)left : len;

	run->errors_seen += (int64_t)len;
	if (n == 0)
		return;
	if (run->req == NULL) {
		log_lines(run, p, n < LOG_MAX ? n : LOG_MAX);
		return;
	}
	keep(run, p, n);
	/* they follow the header, which may still wait for room */
	if (run->header_sent && run->pending == NULL)
		run_send_errors(run);
}

/* Returns 1 if there may be more, 0 if not now, -1 at the end. */
static int
read_some(struct run *run)
{
	uint8_t *scratch = run->cgi->scratch;
	ssize_t n;

	n = read(run->err, scratch, SERVER_SCRATCH);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		run_close(&run->err, &run->err_event);
		return -1;
	}
	take(run, (const char *)scratch, (size_t)n);
	return n == SERVER_SCRATCH;
}

static void
err_cb(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;
	int rc;

	(void)fd;
	(void)what;
	rc = read_some(run);
	if (run->state == RUN_LINGER && rc != -1)
		run->progress = clock_now();
	if (run->req == NULL)
		run_free_if_over(run);
}

void
run_report_errors(const struct run *run)
{
	int64_t dropped = run->errors_seen - run->cgi->limits->errors;

	if (dropped > 0)
		log_warning("%s: %lld bytes of standard error dropped "
			    "(limit stderr)",
		    run->name, (long long)dropped);
}

void
run_drain_errors(struct run *run)
{
	int reads = 2; /* more than a pipe holds, but no more */

	while (run->err != -1 && reads-- > 0 && read_some(run) == 1)
		continue;
}

void
run_assign_err(struct run *run)
{
	(void)event_assign(&run->err_event, run->cgi->base, run->err,
	    EV_READ | EV_PERSIST, err_cb, run);
}
