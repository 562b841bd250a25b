/*
 * Processes.  A process group can outlive its leader, and its number is only
 * safe while a member lives: see group_exists.  An exit may be noticed before
 * the spawner's thread has reported the start: see note_early_exit.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/wait.h>

#include <errno.h>
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

struct early_exit {
	SLIST_ENTRY(early_exit) entry;
	int64_t when; /* clock_now() */
	pid_t pid;
	int status;
};

int
child_compare(const struct child *a, const struct child *b)
{
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

RB_GENERATE(child_tree, child, by_pid, child_compare) /* NOLINT: the macro */

static const char *
child_state_name(enum child_state state)
{
	return state == CHILD_RUNNING ? "running" : "dead";
}

static void
child_set_state(struct child *child, enum child_state state)
{
	log_debug("process %ld: %s -> %s", (long)child->pid,
	    child_state_name(child->state), child_state_name(state));
	child->state = state;
}

static struct child *
child_find(struct children *children, pid_t pid)
{
	struct child key;

	key.pid = pid;
	return RB_FIND(child_tree, &children->tree, &key);
}

static void
child_free(struct child *child)
{
	if (child->kill != NULL)
		event_free(child->kill);
	if (!child->lost)
		RB_REMOVE(child_tree, &child->children->tree, child);
	free(child);
}

/* Nobody needs it any more, and it is not being killed. */
static void
free_if_done(struct child *child)
{
	if (child->state == CHILD_DEAD && child->released &&
	    child->kill == NULL)
		child_free(child);
}

/*
 * A number cannot be given to a new process while a process group has it.  So
 * if there is a process of our dead child's number, then its group has gone,
 * and the number is somebody else's.
 */
static int
group_exists(struct child *child)
{
	if (child->lost)
		return 0;
	if (child->state == CHILD_RUNNING)
		return 1;
	if (kill(child->pid, 0) == 0 || errno != ESRCH)
		return 0;
	return kill(-child->pid, 0) == 0 || errno == EPERM;
}

static void
signal_group(struct child *child, int sig)
{
	if (!group_exists(child))
		return;
	log_debug("process group %ld: signal %d", (long)child->pid, sig);
	(void)kill(-child->pid, sig);
}

static void
grace_cb(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;

	(void)fd;
	(void)what;
	signal_group(child, SIGKILL);
	event_free(child->kill);
	child->kill = NULL;
	if (child->state == CHILD_DEAD && !child->released)
		child->exited(child->arg);
	else
		free_if_done(child);
}

static void
child_died(struct child *child, int status)
{
	struct children *children = child->children;

	child->status = status;
	child_set_state(child, CHILD_DEAD);
	children->running--;
	/* the grace is for those of its group that are left */
	if (child->kill != NULL && !group_exists(child)) {
		event_free(child->kill);
		child->kill = NULL;
	}
	if (!child->released)
		child->exited(child->arg);
	else
		free_if_done(child);
}

/* Forgets those that were noted before a time. */
static void
forget_early(struct children *children, int64_t before)
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
	forget_early(children, early->when - EARLY_TIME);
	SLIST_INSERT_HEAD(&children->early, early, entry);
}

static void
sigchld_cb(evutil_socket_t sig, short what, void *arg)
{
	struct children *children = arg;
	struct child *child;
	unsigned before = children->running;
	pid_t pid;
	int status;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = child_find(children, pid);
		if (child != NULL && child->state == CHILD_RUNNING)
			child_died(child, status);
		else
			note_early_exit(children, pid, status);
	}
	if (children->running < before)
		children->changed(children->changed_arg);
}

int
children_init(struct children *children, struct event_base *base)
{
	memset(children, 0, sizeof *children);
	children->base = base;
	RB_INIT(&children->tree);
	SLIST_INIT(&children->early);
	(void)event_assign(&children->sigchld, base, SIGCHLD,
	    EV_SIGNAL | EV_PERSIST, sigchld_cb, children);
	return event_add(&children->sigchld, NULL);
}

void
children_clear(struct children *children)
{
	struct child *child;

	while ((child = RB_MIN(child_tree, &children->tree)) != NULL) {
		signal_group(child, SIGKILL);
		child_free(child);
	}
	forget_early(children, INT64_MAX);
	(void)event_del(&children->sigchld);
}

void
children_expect(struct children *children)
{
	children->starting++;
}

/* Takes the noted exit of a pid.  True if there was one. */
static int
take_early(struct children *children, pid_t pid, int *status)
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

struct child *
child_new(struct children *children, pid_t pid, void (*exited)(void *),
    void *arg)
{
	struct child *child, *old;
	int status, dead;

	children->starting--;
	dead = pid != -1 && take_early(children, pid, &status);
	if (children->starting == 0)
		forget_early(children, INT64_MAX);
	if (pid == -1)
		return NULL;
	if ((child = calloc(1, sizeof *child)) == NULL) {
		(void)kill(-pid, SIGKILL);
		errno = ENOMEM;
		return NULL;
	}
	child->children = children;
	child->pid = pid;
	child->exited = exited;
	child->arg = arg;
	if ((old = child_find(children, pid)) != NULL) {
		/* dead, with an owner still; its group is no more */
		RB_REMOVE(child_tree, &children->tree, old);
		old->lost = 1;
	}
	RB_INSERT(child_tree, &children->tree, child);
	if (dead) {
		child->status = status;
		child->state = CHILD_DEAD;
	} else
		children->running++;
	return child;
}

void
child_kill(struct child *child, int64_t grace)
{
	struct timeval tv;

	if (child->kill != NULL || !group_exists(child))
		return;
	signal_group(child, SIGTERM);
	/* a stopped process would never see it */
	signal_group(child, SIGCONT);
	tv = clock_timeval(grace);
	child->kill = evtimer_new(child->children->base, grace_cb, child);
	if (child->kill == NULL || evtimer_add(child->kill, &tv) == -1) {
		signal_group(child, SIGKILL);
		if (child->kill != NULL)
			event_free(child->kill);
		child->kill = NULL;
	}
}

void
child_release(struct child *child)
{
	if (child == NULL)
		return;
	child->released = 1;
	free_if_done(child);
}

int
child_is_dead(const struct child *child)
{
	return child->state == CHILD_DEAD;
}

int
child_is_ending(const struct child *child)
{
	return child->kill != NULL;
}

int
child_was_killed(const struct child *child)
{
	return child->state == CHILD_DEAD && WIFSIGNALED(child->status);
}

uint32_t
child_exit_code(const struct child *child)
{
	if (child->state != CHILD_DEAD)
		return 0;
	if (WIFSIGNALED(child->status))
		return 128U + (uint32_t)WTERMSIG(child->status);
	return (uint32_t)WEXITSTATUS(child->status);
}
