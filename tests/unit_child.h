/*
 * Processes that do what a test wants, and what their owners are told of them:
 * for child_test.c, child_kill_test.c and children_test.c.
 */
#ifndef UNIT_CHILD_H
#define UNIT_CHILD_H

#include <sys/types.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "../gateway/child.h"
#include "unit.h"

enum act {
	ACT_EXIT, /* exits with a code */
	ACT_SIGNAL, /* dies by a signal */
	ACT_SLEEP, /* until TERM */
	ACT_STUBBORN, /* until KILL */
	ACT_STOPPED, /* stops itself */
	ACT_GRANDCHILD /* sleeps, and has a stubborn child */
};

struct fixture {
	struct event_base *base;
	struct children children;
	unsigned nchanged;
	int fd; /* its end comes when all processes are gone */
	int wfd;
};

/* What the owner of one child knows. */
struct owner {
	struct child *child;
	unsigned nexited;
	int release; /* in the call-back */
};

static inline void
changed(void *arg)
{
	((struct fixture *)arg)->nchanged++;
}

static inline void
exited(void *arg)
{
	struct owner *owner = arg;

	owner->nexited++;
	ATF_CHECK(child_is_dead(owner->child));
	if (owner->release) {
		child_release(owner->child);
		owner->child = NULL;
	}
}

static inline void
setup(struct fixture *f)
{
	int fds[2];

	memset(f, 0, sizeof *f);
	ATF_REQUIRE_EQ(0, pipe(fds));
	f->fd = fds[0];
	f->wfd = fds[1];
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	ATF_REQUIRE_EQ(0, children_init(&f->children, f->base));
	f->children.changed = changed;
	f->children.changed_arg = f;
}

/* Nothing may be left: neither a process nor a zombie. */
static inline void
teardown(struct fixture *f)
{
	char c;

	children_clear(&f->children);
	event_base_free(f->base);
	(void)close(f->wfd);
	ATF_CHECK_EQ(0, read(f->fd, &c, 1)); /* blocks until all are gone */
	(void)close(f->fd);
}

static inline void
check_no_zombie(void)
{
	ATF_CHECK_EQ(-1, waitpid(-1, NULL, WNOHANG));
	ATF_CHECK_EQ(ECHILD, errno);
}

static inline void
play(enum act act, int number, int ready)
{
	sigset_t none;

	(void)setsid();
#ifdef __linux__
	/* a test that fails does not end them */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (act == ACT_GRANDCHILD && fork() == 0)
		act = ACT_STUBBORN;
	else if (act == ACT_GRANDCHILD)
		for (;;)
			(void)pause();
	if (act == ACT_STUBBORN)
		(void)signal(SIGTERM, SIG_IGN);
	(void)!write(ready, "", 1);
	(void)close(ready);
	if (act == ACT_EXIT)
		_exit(number);
	if (act == ACT_SIGNAL)
		(void)raise(number);
	if (act == ACT_STOPPED)
		(void)raise(SIGSTOP);
	for (;;)
		(void)pause();
}

/* Starts a process; returns when it does what it is to do. */
static inline pid_t
start(enum act act, int number)
{
	int fds[2];
	pid_t pid;
	char c;

	ATF_REQUIRE_EQ(0, pipe(fds));
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		(void)close(fds[0]);
		play(act, number, fds[1]);
	}
	(void)close(fds[1]);
	ATF_REQUIRE_EQ(1, read(fds[0], &c, 1));
	(void)close(fds[0]);
	return pid;
}

static inline void
own(struct fixture *f, struct owner *owner, enum act act, int number)
{
	memset(owner, 0, sizeof *owner);
	children_expect(&f->children);
	owner->child =
	    child_new(&f->children, start(act, number), exited, owner);
	ATF_REQUIRE(owner->child != NULL);
}

static inline int
has_exited(void *arg)
{
	return ((struct owner *)arg)->nexited > 0;
}

static inline void
wait_exited(struct fixture *f, struct owner *owner)
{
	ATF_REQUIRE(unit_loop(f->base, has_exited, owner));
	ATF_CHECK_EQ(1, owner->nexited);
}

static inline int
is_empty(void *arg)
{
	struct fixture *f = arg;

	return RB_EMPTY(&f->children.tree);
}

#endif
