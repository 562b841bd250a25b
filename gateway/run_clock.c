/*
 * The clock of a run.  One timer serves all its limits: it goes off at the
 * first of them, or earlier, since limits may move on while it runs.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "cgi.h"
#include "cgi_limit.h"
#include "child.h"
#include "clock.h"
#include "run.h"
#include "run_pipes.h"

/*
 * ms from the end of a script's output until it is taken for one that goes on:
 * its exit status, which tells a whole response from a broken one, comes just
 * after.
 */
#define RUN_EXIT_WAIT 100

/* The limit that is reached first, and when; clock_now() time. */
int64_t
run_next_limit(const struct run *run, const char **what)
{
	const struct cgi_limits *limits = run->cgi->limits;
	int64_t at = INT64_MAX, total = INT64_MAX;

	*what = "total_time";
	if (run->total_time > 0)
		at = total = run->began + run->total_time;
	switch (run->state) {
	case RUN_QUEUED:
		if (run->began + limits->queue_wait < at) {
			at = run->began + limits->queue_wait;
			*what = "queue_wait";
		}
		return at;
	case RUN_SPAWNING:
	case RUN_HEADER:
		if (run->header_time > 0) {
			at = clock_sooner(at, run->began + run->header_time);
			if (at < total)
				*what = "header_time";
		}
		/* FALLTHROUGH */
	case RUN_BODY:
		if (run->idle_time > 0 && run->state != RUN_SPAWNING &&
		    run->progress + run->idle_time < at) {
			at = run->progress + run->idle_time;
			*what = "idle_time";
		}
		return at;
	case RUN_ENDING:
		at = clock_sooner(at, run->progress + RUN_EXIT_WAIT);
		if (run->idle_time > 0)
			at = clock_sooner(at, run->ended + run->idle_time);
		return at;
	case RUN_LINGER:
		/*
		 * A living process may go on, unless it waits for input that
		 * will not come, or writes what nobody wants; its children may
		 * not hold us.
		 */
		*what = "linger";
		if (child_is_dead(run->child))
			return run->progress + limits->linger;
		if (run->in != -1 || run->out != -1 ||
		    run->errors_seen > limits->errors)
			return run->ended + limits->linger;
		return INT64_MAX;
	case RUN_DETACHED:
		*what = "linger";
		return run->progress + limits->linger;
	default:
		return INT64_MAX;
	}
}

void
run_set_alarm(struct run *run)
{
	const char *what;
	struct timeval tv;
	int64_t at = run_next_limit(run, &what);

	if (at == INT64_MAX || (run->alarm != 0 && run->alarm <= at))
		return;
	tv = clock_timeval(at - clock_now());
	run->alarm = at;
	(void)evtimer_add(&run->timer, &tv);
}

static void
limit_reached(struct run *run, const char *what)
{
	switch (run->state) {
	case RUN_QUEUED:
		request_log(run->req, LEVEL_WARNING,
		    "refused: no script could be started in time (limit %s)",
		    what);
		run_fail(run, 503);
		break;
	case RUN_SPAWNING:
	case RUN_HEADER:
	case RUN_BODY:
		request_log(run->req, LEVEL_WARNING, "%s: too slow (limit %s)",
		    run->name != NULL ? run->name : "starting", what);
		run_fail(run, 504);
		break;
	case RUN_ENDING:
		run_finish(run);
		break;
	case RUN_LINGER:
		if (child_is_dead(run->child)) {
			run_close(&run->out, &run->out_event);
			run_close(&run->err, &run->err_event);
			run_free_if_over(run);
			break;
		}
		/* FALLTHROUGH */
	default:
		log_warning("%s: still running: killed (limit %s)", run->name,
		    what);
		run_kill(run);
	}
}

void
run_timer_cb(evutil_socket_t fd, short event, void *arg)
{
	struct run *run = arg;
	const char *what;

	(void)fd;
	(void)event;
	run->alarm = 0;
	if (run->over)
		run_free(run);
	else if (run_next_limit(run, &what) <= clock_now() ||
	    run->state == RUN_ENDING)
		limit_reached(run, what);
	else
		run_set_alarm(run);
}
