/*
 * Life of a run.  run_in.c has what it reads, run_out.c what it writes,
 * run_err.c what it says on standard error, run_clock.c its limits of time.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "cgi.h"
#include "cgi_limit.h"
#include "child.h"
#include "chunked.h"
#include "clock.h"
#include "limit.h"
#include "response.h"
#include "run.h"
#include "run_pipes.h"
#include "server.h"

static const char *
run_state_name(enum run_state state)
{
	static const char *const names[] = { "queued", "spawning", "header",
		"body", "ending", "linger", "detached", "killed" };

	return names[state];
}

void
run_set_state(struct run *run, enum run_state state)
{
	if (run->req != NULL)
		request_log(run->req, LEVEL_DEBUG, "script: %s -> %s",
		    run_state_name(run->state), run_state_name(state));
	else
		log_debug("script %s: %s -> %s",
		    run->name != NULL ? run->name : "?",
		    run_state_name(run->state), run_state_name(state));
	run->state = state;
}

/* Without a request the process is all there is: is that gone too? */
static int
is_over(const struct run *run)
{
	if (run->state < RUN_LINGER || run->spawn != NULL)
		return 0;
	if (run->child != NULL && !child_is_dead(run->child))
		return 0;
	/* to close its input now would look like the input's end */
	if (run->child != NULL && child_is_ending(run->child))
		return 0;
	return run->state == RUN_KILLED || (run->out == -1 && run->err == -1);
}

/*
 * A run is never freed under its callers' feet: it closes its pipes here, and
 * the event loop frees it.
 */
void
run_free_if_over(struct run *run)
{
	if (!is_over(run)) {
		run_set_alarm(run);
		return;
	}
	run->over = 1;
	run_close(&run->in, &run->in_event);
	run_close(&run->out, &run->out_event);
	run_close(&run->err, &run->err_event);
	event_active(&run->timer, EV_TIMEOUT, 0);
}

struct run *
run_new(struct cgi *cgi, struct request *req)
{
	struct run *run;

	if ((run = calloc(1, sizeof *run)) == NULL)
		return NULL;
	if ((run->spawn = spawn_new(cgi->config)) == NULL) {
		free(run);
		return NULL;
	}
	run->cgi = cgi;
	run->spawn->cgi = cgi;
	run->spawn->owner = run;
	run->spawn->authorizer = request_role(req) == FCGI_AUTHORIZER;
	run->req = req;
	run->in = run->out = run->err = -1;
	run->body_left = -1;
	run->state = RUN_QUEUED;
	run->began = run->progress = clock_now();
	run->header_time = cgi->limits->header_time;
	run->idle_time = cgi->limits->idle_time;
	run->total_time = cgi->limits->total_time;
	run->grace = cgi->limits->grace;
	(void)evtimer_assign(&run->timer, cgi->base, run_timer_cb, run);
	request_set_context(req, run);
	cgi->nruns++;
	return run;
}

const char *
run_read_params(struct run *run)
{
	struct {
		const char *name;
		int64_t *to;
	} times[] = {
		{ "AFCGI_HEADER_TIME", &run->header_time },
		{ "AFCGI_IDLE_TIME", &run->idle_time },
		{ "AFCGI_TOTAL_TIME", &run->total_time },
		{ "AFCGI_GRACE", &run->grace },
	};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		value = request_param(run->req, times[i].name);
		if (value != NULL && *value != '\0' &&
		    limits_time(value, times[i].to) == -1)
			return times[i].name;
	}
	value = request_param(run->req, "REQUEST_METHOD");
	run->discard = value != NULL && strcmp(value, "HEAD") == 0;
	run->nginx = request_from_nginx(run->req) && !run->spawn->authorizer;
	return NULL;
}

void
run_free(struct run *run)
{
	struct cgi *cgi = run->cgi;

	TAILQ_REMOVE(&cgi->runs, run, entry);
	pace_end(&cgi->pace, &run->start);
	run_report_errors(run);
	(void)event_del(&run->timer);
	run_close(&run->in, &run->in_event);
	run_close(&run->out, &run->out_event);
	run_close(&run->err, &run->err_event);
	spawn_free(run->spawn);
	child_release(run->child);
	response_free(run->response);
	free(run->chunked);
	free(run->pending);
	free(run->errors);
	free(run->name);
	free(run);
	if (--cgi->nruns == 0 && cgi->empty != NULL)
		cgi->empty(cgi->empty_arg);
}

void
run_start(struct run *run, struct child *child)
{
	struct spawn *spawn = run->spawn;

	run->child = child;
	run->name = spawn->name;
	run->in = spawn->in;
	run->out = spawn->out;
	run->err = spawn->err;
	spawn->name = NULL;
	spawn->in = spawn->out = spawn->err = -1;
	spawn_free(spawn);
	run->spawn = NULL;
	run->progress = clock_now();
	run_set_state(run, RUN_HEADER);
	request_log(run->req, LEVEL_DEBUG, "process %ld runs %s",
	    (long)child->pid, run->name);
	run->response = response_new((size_t)run->cgi->limits->header);
	if (run_open_pipes(run) == -1 || run->response == NULL) {
		request_log(run->req, LEVEL_ERROR, "%s", strerror(errno));
		run_fail(run, 503);
		return;
	}
	run_set_alarm(run);
	request_input_ready(run->req);
}

/* The request has ended, or is another's to end: the run goes on alone. */
static void
leave_request(struct run *run, enum run_state state)
{
	run->req = NULL;
	free(run->pending);
	run->pending = NULL;
	run_set_state(run, state);
	/*
	 * What input it has not had it will not get; but it must not take
	 * that for the end of its input.
	 */
	if (run->in != -1)
		(void)event_del(&run->in_event);
	if (run->out != -1)
		(void)event_add(&run->out_event, NULL); /* to be discarded */
	run->progress = run->ended = clock_now();
}

void
run_kill(struct run *run)
{
	if (run->state == RUN_QUEUED)
		cgi_dequeue(run);
	if (run->state != RUN_KILLED)
		leave_request(run, RUN_KILLED);
	if (run->spawn != NULL)
		cgi_forget(run);
	pace_end(&run->cgi->pace, &run->start);
	if (run->child != NULL)
		child_kill(run->child, run->grace);
	run_free_if_over(run);
}

void
run_fail(struct run *run, int status)
{
	struct request *req = run->req;

	if (!run->header_sent) {
		request_write_page(req, status);
		run_send_errors(run);
		request_end(req, 0);
	} else {
		run_send_errors(run);
		request_cut(req, 1);
	}
	run_kill(run);
}

int
run_is_whole(const struct run *run)
{
	return run->discard || run->body_left == 0 ||
	    (run->chunked != NULL && run->chunked->state == CHUNKED_DONE);
}

/* The process, or what it has left, is not waited for any more. */
static void
end_request(struct run *run)
{
	struct request *req = run->req;
	uint32_t code = child_exit_code(run->child);

	run_send_errors(run);
	if (run_is_whole(run)) {
		request_end(req, code);
		return;
	}
	if (child_was_killed(run->child))
		request_log(req, LEVEL_WARNING,
		    "%s: killed by signal %u: response cut", run->name,
		    code - 128);
	else if (run->chunked != NULL)
		request_log(req, LEVEL_WARNING,
		    "%s: a chunked body without its end: response cut",
		    run->name);
	else if (run->body_left > 0)
		request_log(req, LEVEL_WARNING,
		    "%s: %lld bytes less than its Content-Length: response cut",
		    run->name, (long long)run->body_left);
	else {
		request_end(req, code);
		return;
	}
	request_cut(req, code);
}

void
run_finish(struct run *run)
{
	const char *what;
	char why[32];

	if (run->state != RUN_ENDING)
		return;
	if (!child_await(run->child) &&
	    run_next_limit(run, &what) > clock_now()) {
		run_set_alarm(run);
		return;
	}
	run_drain_errors(run);
	if (!run->header_sent) {
		(void)strlcpy(why, "output has ended", sizeof why);
		if (child_was_killed(run->child))
			(void)snprintf(why, sizeof why, "killed by signal %u",
			    child_exit_code(run->child) - 128);
		run_bad_header(run, why);
		return;
	}
	end_request(run);
	leave_request(run, RUN_LINGER);
	run_free_if_over(run);
}

void
run_exited(void *arg)
{
	struct run *run = arg;

	pace_end(&run->cgi->pace, &run->start);
	if (run->state == RUN_ENDING)
		run_finish(run);
	else if (run->req == NULL)
		run_free_if_over(run);
	else
		run_release(run); /* it reads no more */
}

void
run_aborted(struct request *req)
{
	struct run *run = request_context(req);

	run->req = NULL;
	if (run->state == RUN_ENDING && run->header_sent && run->in == -1)
		leave_request(run, RUN_LINGER);
	else if (run->state == RUN_BODY && run->discard && run->header_sent &&
	    run->in == -1)
		leave_request(run, RUN_DETACHED);
	else {
		log_debug("script %s: client gone",
		    run->name != NULL ? run->name : "not yet started");
		run_kill(run);
		return;
	}
	run_free_if_over(run);
}
