/*
 * The script's standard output to FCGI_STDOUT: first its header, then its body
 * as it comes.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cgi.h"
#include "child.h"
#include "chunked.h"
#include "clock.h"
#include "response.h"
#include "run.h"
#include "run_pipes.h"
#include "server.h"

#define READS_MAX 8 /* large records in one turn of the event loop */

static void
pause_reading(struct run *run)
{
	(void)event_del(&run->out_event);
}

/* Keeps what found no room, after what is kept already.  0, or -1: ENOMEM. */
static int
keep(struct run *run, const void *data, size_t len)
{
	uint8_t *p;

	if (len == 0)
		return 0;
	if ((p = realloc(run->pending, run->pending_len + len)) == NULL)
		return -1;
	memcpy(p + run->pending_len, data, len);
	run->pending = p;
	run->pending_len += len;
	pause_reading(run);
	return 0;
}

/* Sends bytes, or keeps them until there is room. */
static void
send_bytes(struct run *run, const void *data, size_t len)
{
	size_t n = 0;

	if (run->pending == NULL)
		n = request_write(run->req, FCGI_STDOUT, data, len);
	if (keep(run, (const uint8_t *)data + n, len - n) == 0)
		return;
	request_log(run->req, LEVEL_ERROR, "%s: %s", run->name,
	    strerror(errno));
	run_fail(run, 503);
}

/*
 * How much of len bytes of body fits its Content-Length.  More would be taken
 * for another response by whoever believes the header.
 */
static size_t
within_length(struct run *run, size_t len)
{
	if (run->body_left == -1)
		return len;
	if ((int64_t)len > run->body_left) {
		if (!run->too_long)
			request_log(run->req, LEVEL_WARNING,
			    "%s: more body than its Content-Length: dropped",
			    run->name);
		run->too_long = 1;
		len = (size_t)run->body_left;
	}
	run->body_left -= (int64_t)len;
	return len;
}

/* Part of the body, in the scratch memory. */
static void
send_body(struct run *run, uint8_t *p, size_t len)
{
	if (run->discard || len == 0)
		return;
	if (run->chunked != NULL)
		len = chunked_decode(run->chunked, p, len);
	len = within_length(run, len);
	send_bytes(run, p, len);
	if (run->state != RUN_BODY || run->chunked == NULL ||
	    run->chunked->state != CHUNKED_BROKEN)
		return;
	request_log(run->req, LEVEL_WARNING,
	    "%s: a chunked body that is none: response cut", run->name);
	run_fail(run, 502);
}

void
run_bad_header(struct run *run, const char *why)
{
	char first[81];

	response_first_bytes(run->response, first, sizeof first);
	request_log(run->req, LEVEL_WARNING,
	    "%s: no valid response header: %s; it begins \"%s\"", run->name,
	    why, first);
	run_fail(run, 502);
}

/*
 * nginx stops sending a request's body when it has the header of the response,
 * though it has promised the whole of it; a script that writes first and reads
 * then would wait for ever.  So nginx gets the header when all input is here.
 */
static void
hold(struct run *run, const char *header, size_t len)
{
	run->held = 1;
	if (keep(run, header, len) == -1) {
		request_log(run->req, LEVEL_ERROR, "%s: %s", run->name,
		    strerror(errno));
		run_fail(run, 503);
		return;
	}
	request_take_input(run->req);
}

void
run_release(struct run *run)
{
	if (!run->held)
		return;
	run->held = 0;
	run->header_sent = 1;
	run_writable(run->req);
}

/*
 * With windows nginx goes on, unless it has a response of its own for this one
 * (a redirect to it, error_page, fastcgi_next_upstream), or needs no more of it
 * (HEAD): then it breaks off, though the script has not done with its input.
 */
static int
must_hold(const struct run *run, const struct response_info *info)
{
	if (!run->nginx || run->in == -1 || request_input_arrived(run->req) ||
	    child_is_dead(run->child))
		return 0;
	return !request_is_duplex(run->req) || run->discard ||
	    info->status >= 300;
}

/* The header is complete; the rest of what was read is the body's. */
static void
header_complete(struct run *run, uint8_t *rest, size_t len)
{
	struct response_info info;

	if (response_finish(run->response, run->nginx, &info) == -1) {
		run_bad_header(run, response_error(run->response));
		return;
	}
	response_free(run->response);
	run->response = NULL;
	if (info.no_body)
		run->discard = 1;
	if (info.chunked &&
	    (run->chunked = calloc(1, sizeof *run->chunked)) == NULL) {
		free(info.header);
		request_log(run->req, LEVEL_ERROR, "%s", strerror(errno));
		run_fail(run, 503);
		return;
	}
	run->body_left = info.length;
	run_set_state(run, RUN_BODY);
	if (must_hold(run, &info))
		hold(run, info.header, info.len);
	else {
		run->header_sent = 1;
		send_bytes(run, info.header, info.len);
	}
	free(info.header);
	if (run->state != RUN_BODY)
		return;
	send_body(run, rest, len);
	if (run->state == RUN_BODY && run->header_sent)
		run_send_errors(run);
}

static void
header_bytes(struct run *run, uint8_t *p, size_t len)
{
	size_t used;
	int rc;

	rc = response_feed(run->response, p, len, &used);
	if (rc == -1)
		run_bad_header(run, response_error(run->response));
	else if (rc == 1)
		header_complete(run, p + used, len - used);
}

static void
end_output(struct run *run)
{
	if (run->state < RUN_ENDING) {
		run->progress = run->ended = clock_now();
		run_set_state(run, RUN_ENDING);
	}
	run_finish(run);
}

static void
out_ended(struct run *run)
{
	run_close(&run->out, &run->out_event);
	if (run->req == NULL) {
		run_free_if_over(run);
		return;
	}
	end_output(run);
}

/*
 * Reads straight into the connection's queue when nothing need be changed.
 * Returns what read(2) returns, or -2 when there is no room.
 */
static ssize_t
read_through(struct run *run, int fd)
{
	uint8_t *to;
	size_t room;
	ssize_t n;

	to = request_reserve(run->req,
	    run->body_left == -1 || run->body_left > SERVER_SCRATCH ?
		SERVER_SCRATCH :
		(size_t)run->body_left,
	    &room);
	if (to == NULL) {
		pause_reading(run);
		return -2;
	}
	n = read(fd, to, room);
	if (n > 0) {
		request_commit(run->req, FCGI_STDOUT, (size_t)n);
		if (run->body_left != -1)
			run->body_left -= n;
		run_count_bytes(&run->out_bytes, n, fd);
	} else
		request_cancel(run->req);
	return n;
}

/*
 * One record a turn of the event loop is fair.  Large records say that few
 * requests have output: then take as many as there is room for.
 */
static ssize_t
read_stream(struct run *run, int fd)
{
	ssize_t n;
	int i;

	for (i = 0; i < READS_MAX; i++) {
		n = read_through(run, fd);
		if (n < REQUEST_RECORD || run->body_left == 0)
			break;
	}
	/* what has been read counts; why there is no more will be seen again */
	return i > 0 && n <= 0 ? REQUEST_RECORD : n;
}

/*
 * By its own framing the response may be whole though the script keeps its
 * output open: an HTTP server of a sort, waiting for another request.
 */
void
run_check_complete(struct run *run)
{
	if (run->state == RUN_BODY && run->header_sent && !run->discard &&
	    run->in == -1 && run->pending == NULL && run_is_whole(run))
		end_output(run);
}

static void
read_output(struct run *run, int fd)
{
	uint8_t *scratch = run->cgi->scratch;
	int through;
	ssize_t n;

	through = run->state == RUN_BODY && !run->discard &&
	    run->chunked == NULL && run->body_left != 0;
	n = through ? read_stream(run, fd) : read(fd, scratch, SERVER_SCRATCH);
	if (n == -2 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n <= 0) {
		out_ended(run);
		return;
	}
	if (run->state <= RUN_BODY)
		run->progress = clock_now();
	if (run->state == RUN_HEADER)
		header_bytes(run, scratch, (size_t)n);
	else if (run->state == RUN_BODY && !through)
		send_body(run, scratch, (size_t)n);
	run_check_complete(run);
}

static void
out_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	read_output(arg, fd);
}

/* If there is room for more; if not, it is waited for. */
static int
has_room(const struct run *run)
{
	size_t room;

	if (request_reserve(run->req, 1, &room) == NULL)
		return 0;
	request_cancel(run->req);
	return 1;
}

/*
 * There is room, for the moment, and for whoever takes it now: so the pipe is
 * read at once, and only then, if there is room still, waited for.
 */
static void
resume_reading(struct run *run)
{
	if (run->out != -1)
		read_output(run, run->out);
	if (run->req == NULL || run->out == -1 || run->pending != NULL)
		return;
	if (run->state == RUN_BODY && !run_is_whole(run) && !has_room(run))
		return;
	if (event_add(&run->out_event, NULL) == 0)
		return;
	request_log(run->req, LEVEL_ERROR, "%s: %s", run->name,
	    strerror(errno));
	run_fail(run, 503);
}

void
run_assign_out(struct run *run)
{
	(void)event_assign(&run->out_event, run->cgi->base, run->out,
	    EV_READ | EV_PERSIST, out_cb, run);
}

void
run_writable(struct request *req)
{
	struct run *run = request_context(req);
	size_t n;

	run->progress = clock_now();
	if (run->pending != NULL) {
		n = request_write(req, FCGI_STDOUT,
		    run->pending + run->pending_off,
		    run->pending_len - run->pending_off);
		run->pending_off += n;
		if (run->pending_off < run->pending_len)
			return;
		free(run->pending);
		run->pending = NULL;
		run->pending_off = run->pending_len = 0;
	}
	run_send_errors(run);
	resume_reading(run);
	if (run->req != NULL)
		run_check_complete(run);
}
