/*
 * Admission.  A request takes a slot when its spawn is handed to a spawner, and
 * gives it back when its process has been reaped, or has not come to be.  Those
 * that find no slot wait in a queue, oldest first; so do those for which the
 * system had no resources, until some process ends or a moment has passed; and
 * those who find that enough programs are coming up (pace.h).
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cgi.h"
#include "cgi_limit.h"
#include "clock.h"
#include "run.h"
#include "server.h"

#define FDS_OTHERS 64 /* for what is neither a script's nor a connection's */
#define RETRY_TIME 100 /* ms until lacking resources are asked for again */

static void spawned(struct job *);

/* Slots that are taken. */
static unsigned
taken(const struct cgi *cgi)
{
	return cgi->children.running + cgi->nstarting;
}

static int
has_slot(const struct cgi *cgi)
{
	return !cgi->lacking && taken(cgi) < cgi->limits->scripts;
}

static void
submit(struct run *run)
{
	struct cgi *cgi = run->cgi;

	TAILQ_INSERT_TAIL(&cgi->runs, run, entry);
	run_set_state(run, RUN_SPAWNING);
	cgi->nstarting++;
	pace_begin(&cgi->pace, &run->start);
	children_expect(&cgi->children);
	run->spawn->job.done = spawned;
	run->spawn->giver = cgi->handover.giver;
	pool_submit(cgi->spawners, &run->spawn->job);
	run_set_alarm(run);
}

/* Could so many descriptors be opened? */
static int
can_open(size_t n)
{
	size_t i, done;
	int *fds;

	if ((fds = calloc(n, sizeof *fds)) == NULL)
		return 0;
	for (done = 0; done < n; done++)
		if ((fds[done] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) ==
		    -1)
			break;
	for (i = 0; i < done; i++)
		(void)close(fds[i]);
	free(fds);
	return done == n;
}

/*
 * Are there descriptors for one more script?  Once it runs its pipes must find
 * room.  As a rule there are, by what may be open at most: three pipes and a
 * spool file for each run, a watch for each connection.
 */
static int
has_descriptors(const struct cgi *cgi, const struct request *req)
{
	size_t need = HANDOVER_PIPES * ((size_t)cgi->nstarting + 1);
	size_t used = (HANDOVER_PIPES + 1) * (size_t)cgi->nruns +
	    2 * (size_t)request_server(req)->nconns + FDS_OTHERS;

	return used + need <= (size_t)cgi->max_fds || can_open(need);
}

/* Resources are lacking: pauses. */
static void
pause_starting(struct cgi *cgi, struct run *run, int error)
{
	static const struct timeval tv = { 0, RETRY_TIME * 1000 };

	if (!run->no_slot)
		request_log(run->req, LEVEL_WARNING,
		    "cannot start a script: %s", strerror(error));
	run->no_slot = 1;
	run_set_alarm(run);
	cgi->lacking = event_add(&cgi->retry, &tv) == 0;
}

/*
 * Nobody is refused for the pace: who has waited for half the time that there
 * is begins in any case.
 */
static int
has_turn(struct cgi *cgi, const struct run *run)
{
	return pace_allows(&cgi->pace) ||
	    clock_now() - run->began >= cgi->limits->queue_wait / 2;
}

/* Starts those whose turn it is. */
static void
start_next(struct cgi *cgi)
{
	struct run *run;

	while ((run = TAILQ_FIRST(&cgi->queue)) != NULL && has_slot(cgi) &&
	    has_turn(cgi, run)) {
		if (!has_descriptors(cgi, run->req)) {
			pause_starting(cgi, run, EMFILE);
			break;
		}
		TAILQ_REMOVE(&cgi->queue, run, entry);
		cgi->nqueue--;
		submit(run);
	}
}

static void
retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cgi *cgi = arg;

	(void)fd;
	(void)what;
	cgi->lacking = 0;
	start_next(cgi);
}

static void
pace_changed(void *arg)
{
	start_next(arg);
}

static void
child_gone(void *arg)
{
	struct cgi *cgi = arg;

	cgi->lacking = 0;
	start_next(cgi);
}

/* Back into the queue. */
static void
wait_for_resources(struct cgi *cgi, struct run *run)
{
	struct run *next;

	TAILQ_REMOVE(&cgi->runs, run, entry);
	/* its turn is that of its age */
	TAILQ_FOREACH(next, &cgi->queue, entry) {
		if (next->began >= run->began)
			break;
	}
	if (next != NULL)
		TAILQ_INSERT_BEFORE(next, run, entry);
	else
		TAILQ_INSERT_TAIL(&cgi->queue, run, entry);
	cgi->nqueue++;
	run_set_state(run, RUN_QUEUED);
	pause_starting(cgi, run, run->spawn->error);
	pace_end(&cgi->pace, &run->start); /* nobody else's turn now */
}

static void
could_not_start(struct run *run)
{
	struct spawn *spawn = run->spawn;
	int status = spawn->status;

	if (status == 0)
		status = 503; /* it has, but there is no memory to watch it */
	request_log(run->req, LEVEL_WARNING, "%s%s%s",
	    spawn->name != NULL ? spawn->name : "",
	    spawn->name != NULL ? ": " : "",
	    spawn->error != 0 ? strerror(spawn->error) : spawn->reason);
	run->spawn = NULL;
	spawn_free(spawn);
	run_fail(run, status);
}

/* A spawner has done with a spawn, whose run may have gone meanwhile. */
static void
spawned(struct job *job)
{
	struct spawn *spawn = (struct spawn *)(void *)job;
	struct cgi *cgi = spawn->cgi;
	struct run *run = spawn->owner;
	struct child *child;

	cgi->nstarting--;
	child = child_new(&cgi->children, spawn->pid, run_exited, run);
	if (spawn->status == 0 && handover_take(&cgi->handover, spawn) == -1) {
		spawn->status = 503;
		spawn->error = errno;
	}
	if (run == NULL || spawn->status != 0) {
		/* if it has a process, that has to end, or does */
		if (child != NULL)
			child_kill(child, cgi->limits->grace);
		child_release(child);
	}
	if (run == NULL)
		spawn_free(spawn);
	else if (spawn->status == 0 && child != NULL) {
		pace_found(&run->start, child->pid);
		run_start(run, child);
	} else if (spawn->status != 0 && spawn->retry)
		wait_for_resources(cgi, run);
	else
		could_not_start(run);
	start_next(cgi);
}

/* Who waits for the pace only, while there are slots, takes one of these. */
static int
is_full(const struct cgi *cgi)
{
	if (cgi->lacking)
		return cgi->nqueue >= cgi->limits->queue;
	return (int64_t)taken(cgi) + cgi->nqueue >=
	    cgi->limits->scripts + cgi->limits->queue;
}

static void
begin(struct request *req, void *arg)
{
	struct cgi *cgi = arg;
	struct run *run;
	const char *bad;

	if (is_full(cgi)) {
		request_log(req, LEVEL_WARNING,
		    "refused: %u scripts run and %u requests wait", taken(cgi),
		    cgi->nqueue);
		request_page(req, 503);
		return;
	}
	if ((run = run_new(cgi, req)) == NULL) {
		request_log(req, LEVEL_ERROR, "%s", strerror(errno));
		request_page(req, 503);
		return;
	}
	TAILQ_INSERT_TAIL(&cgi->queue, run, entry);
	cgi->nqueue++;
	if ((bad = run_read_params(run)) != NULL) {
		request_log(req, LEVEL_WARNING, "bad value of parameter %s",
		    bad);
		run_fail(run, 500);
		return;
	}
	request_take_params(req, &run->spawn->params);
	start_next(cgi);
	if (run->state == RUN_QUEUED) {
		run->no_slot = !has_slot(cgi);
		run_set_alarm(run);
	}
}

const struct handler cgi_handler = {
	.begin = begin,
	.input = run_input,
	.input_arrived = run_input_arrived,
	.input_end = run_input_end,
	.input_failed = run_input_failed,
	.writable = run_writable,
	.aborted = run_aborted,
};

int
cgi_init(struct cgi *cgi, struct event_base *base,
    const struct cgi_limits *limits, const struct spawn_config *config,
    unsigned threads)
{
	memset(cgi, 0, sizeof *cgi);
	cgi->base = base;
	cgi->limits = limits;
	cgi->config = config;
	TAILQ_INIT(&cgi->queue);
	TAILQ_INIT(&cgi->runs);
	pace_init(&cgi->pace, base, (unsigned)limits->starts, pace_changed,
	    cgi);
	(void)evtimer_assign(&cgi->retry, base, retry_cb, cgi);
	cgi->max_fds = sysconf(_SC_OPEN_MAX);
	if ((cgi->scratch = malloc(SERVER_SCRATCH)) == NULL)
		return -1;
	if (handover_init(&cgi->handover) == -1)
		goto no_handover;
	if (children_init(&cgi->children, base) == -1)
		goto no_children;
	cgi->children.changed = child_gone;
	cgi->children.changed_arg = cgi;
	cgi->spawners = pool_new_apart(base, threads, cgi->handover.giver);
	if (cgi->spawners != NULL)
		return 0;
	children_clear(&cgi->children);
no_children:
	handover_clear(&cgi->handover);
no_handover:
	free(cgi->scratch);
	return -1;
}

void
cgi_kill_all(struct cgi *cgi)
{
	struct run *run, *next;

	TAILQ_FOREACH_SAFE(run, &cgi->runs, entry, next) {
		if (run->req == NULL)
			run_kill(run);
	}
}

void
cgi_clear(struct cgi *cgi)
{
	struct run *run;

	cgi->empty = NULL;
	pace_clear(&cgi->pace);
	pool_free(cgi->spawners);
	while ((run = TAILQ_FIRST(&cgi->runs)) != NULL)
		run_free(run);
	children_clear(&cgi->children);
	handover_clear(&cgi->handover);
	(void)event_del(&cgi->retry);
	free(cgi->scratch);
}

void
cgi_dequeue(struct run *run)
{
	struct cgi *cgi = run->cgi;

	TAILQ_REMOVE(&cgi->queue, run, entry);
	cgi->nqueue--;
	TAILQ_INSERT_TAIL(&cgi->runs, run, entry);
	spawn_free(run->spawn);
	run->spawn = NULL;
}

void
cgi_forget(struct run *run)
{
	struct cgi *cgi = run->cgi;

	if (!pool_cancel(cgi->spawners, &run->spawn->job)) {
		run->spawn->owner = NULL; /* spawned() will see to it */
		run->spawn = NULL;
		return;
	}
	cgi->nstarting--;
	(void)child_new(&cgi->children, -1, NULL, NULL);
	spawn_free(run->spawn);
	run->spawn = NULL;
	start_next(cgi);
}
