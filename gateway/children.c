/*
 * All the processes: which of them have ended?  SIGCHLD does not say it, and
 * waitpid for any child makes the kernel look at each of them: with thousands
 * that is much of what a short script costs.  So those whose end is near are
 * asked for by number, at once, and all others a moment later, however many
 * signals there are.
 *
 * An exit may be noticed before the spawner's thread has reported the start:
 * see note_early_exit.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "child.h"
#include "clock.h"
#include "log.h"

/*
 * ms that an unknown exit is kept.  The report of a start comes in a moment;
 * what is older is another's child (of an orphan, if we are a container's first
 * process), and its number may be used again.
 */
#define EARLY_TIME 10000

#define SWEEP_FEW 64 /* so many children may be asked for at every signal */
#define SWEEP_TIME 200 /* ms until more are, at most */
#define LOOKS_MAX 64 /* times that an awaited child is asked for */

struct early_exit {
	SLIST_ENTRY(early_exit) entry;
	int64_t when; /* clock_now() */
	pid_t pid;
	int status;
};

struct child *
children_find(struct children *children, pid_t pid)
{
	struct child key;

	key.pid = pid;
	return RB_FIND(child_tree, &children->tree, &key);
}

/* Forgets those that were noted before a time. */
void
children_forget_early(struct children *children, int64_t before)
{
	struct early_exit *early, **link = &SLIST_FIRST(&children->early);

	/* newest first */
	while (*link != NULL && (*link)->when >= before)
		link = &SLIST_NEXT(*link, entry);
	while ((early = *link) != NULL) {
		*link = SLIST_NEXT(early, entry);
		free(early);
	}
}

static void
note_early_exit(struct children *children, pid_t pid, int status)
{
	struct early_exit *early;

	if (children->starting == 0)
		return; /* not ours: a child from before our exec, say */
	if ((early = malloc(sizeof *early)) == NULL) {
		log_error("out of memory: exit of process %ld lost", (long)pid);
		return;
	}
	early->when = clock_now();
	early->pid = pid;
	early->status = status;
	children_forget_early(children, early->when - EARLY_TIME);
	SLIST_INSERT_HEAD(&children->early, early, entry);
}

static void
reap_awaited(struct children *children)
{
	struct child *child, *next;
	int status;

	TAILQ_FOREACH_SAFE(child, &children->awaited, awaited_entry, next) {
		if (waitpid(child->pid, &status, WNOHANG) == child->pid)
			child_died(child, status);
		else if (++child->looks == LOOKS_MAX)
			child_unawait(child);
	}
}

static void
reap_all(struct children *children)
{
	struct child *child;
	pid_t pid;
	int status;

	(void)evtimer_del(&children->sweep);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = children_find(children, pid);
		if (child != NULL && child->state == CHILD_RUNNING)
			child_died(child, status);
		else
			note_early_exit(children, pid, status);
	}
}

/* Tells of the slots that have become free, once. */
static void
reap(struct children *children, void (*which)(struct children *))
{
	unsigned before = children->running;

	which(children);
	if (children->running < before)
		children->changed(children->changed_arg);
}

static void
sigchld_cb(evutil_socket_t sig, short what, void *arg)
{
	static const struct timeval tv = { 0, SWEEP_TIME * 1000 };
	struct children *children = arg;

	(void)sig;
	(void)what;
	if (children->running <= SWEEP_FEW) {
		reap(children, reap_all);
		return;
	}
	reap(children, reap_awaited);
	if (!evtimer_pending(&children->sweep, NULL))
		(void)evtimer_add(&children->sweep, &tv);
}

static void
sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reap(arg, reap_all);
}

int
children_init(struct children *children, struct event_base *base)
{
	memset(children, 0, sizeof *children);
	children->base = base;
	RB_INIT(&children->tree);
	TAILQ_INIT(&children->awaited);
	SLIST_INIT(&children->early);
	(void)evtimer_assign(&children->sweep, base, sweep_cb, children);
	(void)event_assign(&children->sigchld, base, SIGCHLD,
	    EV_SIGNAL | EV_PERSIST, sigchld_cb, children);
	return event_add(&children->sigchld, NULL);
}

void
children_clear(struct children *children)
{
	struct child *child;

	while ((child = RB_MIN(child_tree, &children->tree)) != NULL) {
		child_signal(child, SIGKILL);
		child_free(child);
	}
	children_forget_early(children, INT64_MAX);
	(void)event_del(&children->sigchld);
	(void)evtimer_del(&children->sweep);
}

void
children_expect(struct children *children)
{
	children->starting++;
}

/* Takes the noted exit of a pid.  True if there was one. */
int
children_take_early(struct children *children, pid_t pid, int *status)
{
	struct early_exit *early;

	SLIST_FOREACH(early, &children->early, entry) {
		if (early->pid != pid)
			continue;
		*status = early->status;
		SLIST_REMOVE(&children->early, early, early_exit, entry);
		free(early);
		return 1;
	}
	return 0;
}
