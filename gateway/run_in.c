/*
 * FCGI_STDIN to the script's standard input.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cgi.h"
#include "clock.h"
#include "run.h"
#include "run_pipes.h"
#include "server.h"

/* A pipe that has carried so many bytes gets larger; in bytes. */
#define PIPE_BIG (1024 * 1024)
#define PIPE_SIZE (256 * 1024)

void
run_close(int *fd, struct event *event)
{
	if (*fd == -1)
		return;
	(void)event_del(event);
	(void)close(*fd);
	*fd = -1;
}

void
run_count_bytes(int64_t *sum, ssize_t n, int fd)
{
	if (*sum < PIPE_BIG && *sum + n >= PIPE_BIG)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE); /* if it may */
	*sum += n;
}

static void
in_cb(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	if (run->req != NULL)
		request_input_ready(run->req);
}

int
run_open_pipes(struct run *run)
{
	(void)event_assign(&run->in_event, run->cgi->base, run->in, EV_WRITE,
	    in_cb, run);
	run_assign_out(run);
	run_assign_err(run);
	if (event_add(&run->out_event, NULL) == -1 ||
	    event_add(&run->err_event, NULL) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* A script that reads no more input has it dropped: that is its right. */
size_t
run_input(struct request *req, const uint8_t *p, size_t len)
{
	struct run *run = request_context(req);
	ssize_t n;

	if (run->in == -1)
		return len;
	do
		n = write(run->in, p, len);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno != EAGAIN) {
		run_close(&run->in, &run->in_event);
		run_release(run); /* it reads no more */
		run_check_complete(run);
		return len;
	}
	if (n > 0) {
		run->progress = clock_now();
		run_count_bytes(&run->in_bytes, n, run->in);
	} else
		n = 0;
	if ((size_t)n < len && event_add(&run->in_event, NULL) == -1) {
		run_close(&run->in, &run->in_event);
		run_release(run);
		run_check_complete(run);
		return len;
	}
	return (size_t)n;
}

void
run_input_arrived(struct request *req)
{
	run_release(request_context(req));
}

void
run_input_end(struct request *req)
{
	struct run *run = request_context(req);

	run_close(&run->in, &run->in_event);
	run_check_complete(run);
	run_finish(run);
}

void
run_input_failed(struct request *req, int error)
{
	struct run *run = request_context(req);
	int status = 500;

	request_log(req, LEVEL_WARNING, "%s: input cannot be kept: %s",
	    run->name != NULL ? run->name : "starting",
	    error == EFBIG ? "limit spool or spool_all" : strerror(error));
	if (error == EFBIG)
		status = 413;
	else if (error == ENOSPC || error == EDQUOT)
		status = 507;
	run_fail(run, status);
}
