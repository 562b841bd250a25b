/*
 * The processes that run scripts, from their start until they have been
 * reaped, and the ending of those that must not go on.
 *
 *   RUNNING --> DEAD          reaped; its owner has been told
 *
 * and beside it, once child_kill has been called: TERM, after the grace KILL,
 * both to the whole process group, which outlives its leader if a member of
 * it does not heed TERM.
 *
 * A child belongs to the table.  Its owner may use it until it calls
 * child_release, exactly once; the child stays until it is dead.
 */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdint.h>

#include <event2/event_struct.h>

enum child_state { CHILD_RUNNING, CHILD_DEAD };

struct children;

struct child {
	RB_ENTRY(child) by_pid;
	TAILQ_ENTRY(child) awaited_entry;
	struct children *children;
	pid_t pid; /* and process group, and session */
	enum child_state state;
	int status; /* of waitpid(2), when dead */
	void (*exited)(void *);
	void *arg;
	struct event *kill; /* the grace of a child that is being killed */
	unsigned looks; /* how often its exit was looked for, while awaited */
	unsigned awaited:1; /* about to exit: in the list of those */
	unsigned released:1;
	unsigned lost:1; /* the process group's number is another's now */
};

RB_HEAD(child_tree, child);
int child_compare(const struct child *, const struct child *);
RB_PROTOTYPE(child_tree, child, by_pid, child_compare)

/* An exit that was noticed before the spawner's report of the start. */
struct early_exit;
SLIST_HEAD(early_exits, early_exit);

struct children {
	struct event_base *base;
	struct event sigchld;
	struct event sweep; /* the exits of those that are not awaited */
	struct child_tree tree;
	TAILQ_HEAD(, child) awaited;
	struct early_exits early;
	unsigned starting; /* spawns whose pid is not known yet */
	unsigned running;
	void (*changed)(void *); /* one is gone: running has become less */
	void *changed_arg;
};

/* Takes SIGCHLD.  Returns 0, or -1 with errno. */
int children_init(struct children *, struct event_base *);
/* Sends KILL to all that are left, and forgets them. */
void children_clear(struct children *);
/* A spawn begins: from now on an unknown pid may be one of ours. */
void children_expect(struct children *);
/*
 * A spawn that was expected has ended; pid is -1 if it has started nothing.
 * exited is called when the process has been reaped, and again when what is
 * left of its process group has been killed, unless the child
 * was released before, or was dead already when it was made: child_is_dead is
 * then true at once.  Returns NULL when pid is
 * -1, or with errno ENOMEM after having killed the process.
 */
struct child *child_new(struct children *, pid_t pid, void (*exited)(void *),
    void *arg);
/* Ends the process group: TERM now, KILL after grace ms. */
void child_kill(struct child *, int64_t grace);
/*
 * Its exit is near, for its output has ended: its owner is to hear of it at
 * once.  True if it is dead already, and then exited is not called.
 */
int child_await(struct child *);
/* The owner has no more use for it.  Accepts NULL. */
void child_release(struct child *);
/* True if the process is dead and its owner has been told. */
int child_is_dead(const struct child *);
/* True while its process group has a grace before it gets KILL. */
int child_is_ending(const struct child *);
/* True if it died by a signal. */
int child_was_killed(const struct child *);
/* Its exit code, or 128 + the signal, as shells count. */
uint32_t child_exit_code(const struct child *);

/* Between child.c and children.c: */
struct child *children_find(struct children *, pid_t);
/* Takes the noted exit of a pid.  True if there was one. */
int children_take_early(struct children *, pid_t, int *status);
/* Forgets those that were noted before a clock_now() time. */
void children_forget_early(struct children *, int64_t before);
/* It has been reaped: tells its owner. */
void child_died(struct child *, int status);
/* To what is left of its process group. */
void child_signal(struct child *, int sig);
void child_unawait(struct child *);
void child_free(struct child *);

#endif
