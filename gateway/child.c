/*
 * One process.  A process group can outlive its leader, and its number is only
 * safe while a member lives: see group_exists.
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

static void
await_exit(struct child *child)
{
	if (child->awaited || child->state == CHILD_DEAD)
		return;
	child->awaited = 1;
	child->looks = 0;
	TAILQ_INSERT_HEAD(&child->children->awaited, child, awaited_entry);
}

void
child_unawait(struct child *child)
{
	if (child->awaited)
		TAILQ_REMOVE(&child->children->awaited, child, awaited_entry);
	child->awaited = 0;
}

void
child_free(struct child *child)
{
	child_unawait(child);
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

void
child_signal(struct child *child, int sig)
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
	child_signal(child, SIGKILL);
	event_free(child->kill);
	child->kill = NULL;
	if (child->state == CHILD_DEAD && !child->released)
		child->exited(child->arg);
	else
		free_if_done(child);
}

static void
set_dead(struct child *child, int status)
{
	child_unawait(child);
	child->status = status;
	child_set_state(child, CHILD_DEAD);
	child->children->running--;
	/* the grace is for those of its group that are left */
	if (child->kill != NULL && !group_exists(child)) {
		event_free(child->kill);
		child->kill = NULL;
	}
}

void
child_died(struct child *child, int status)
{
	set_dead(child, status);
	if (!child->released)
		child->exited(child->arg);
	else
		free_if_done(child);
}

struct child *
child_new(struct children *children, pid_t pid, void (*exited)(void *),
    void *arg)
{
	struct child *child, *old;
	int status, dead;

	children->starting--;
	dead = pid != -1 && children_take_early(children, pid, &status);
	if (children->starting == 0)
		children_forget_early(children, INT64_MAX);
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
	if ((old = children_find(children, pid)) != NULL) {
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
	child_signal(child, SIGTERM);
	/* a stopped process would never see it */
	child_signal(child, SIGCONT);
	await_exit(child);
	tv = clock_timeval(grace);
	child->kill = evtimer_new(child->children->base, grace_cb, child);
	if (child->kill == NULL || evtimer_add(child->kill, &tv) == -1) {
		child_signal(child, SIGKILL);
		if (child->kill != NULL)
			event_free(child->kill);
		child->kill = NULL;
	}
}

int
child_await(struct child *child)
{
	struct children *children = child->children;
	int status;

	if (child->state == CHILD_DEAD)
		return 1;
	if (child->awaited)
		return 0;
	await_exit(child);
	/* without a sweep to come, no signal has been left unanswered */
	if (!evtimer_pending(&children->sweep, NULL) ||
	    waitpid(child->pid, &status, WNOHANG) != child->pid)
		return 0;
	set_dead(child, status);
	children->changed(children->changed_arg);
	return 1;
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
