/*
 * The exits of many processes, children.c, with real ones: at every signal all
 * are looked for while there are few, beyond that only those whose end is near,
 * and the others by a sweep a moment later.
 *   - 64 are few, 65 are not
 *   - an awaited one is told in the turn of the signal, others in the sweep
 *   - so is one that is being killed
 *   - one that has died already is so when it is to be awaited: not told again
 *   - an awaited one that lives on is looked for so many times only
 *   - awaited ones that are released or killed, and all at the end
 *   - an exit before the process was registered, and others' processes
 * Few processes are in child_test.c.
 */
#include "unit_child.h"

#define FEW 64 /* as in children.c */
#define MANY (FEW + 8)
#define LOOKS 64

struct crowd {
	struct fixture f;
	struct owner owners[MANY];
};

/* That many processes that sleep. */
static void
crowd_init(struct crowd *c, unsigned n)
{
	unsigned i;

	setup(&c->f);
	for (i = 0; i < n; i++)
		own(&c->f, &c->owners[i], ACT_SLEEP, 0);
	ATF_REQUIRE_EQ(n, c->f.children.running);
}

static int
sweep_is_to_come(void *arg)
{
	return evtimer_pending(&((struct fixture *)arg)->children.sweep, NULL);
}

static int
sweep_is_over(void *arg)
{
	return !sweep_is_to_come(arg);
}

/* Runs the loop for the turn in which a signal makes a sweep necessary. */
static void
wait_signal(struct fixture *f)
{
	ATF_REQUIRE(!sweep_is_to_come(f));
	ATF_REQUIRE(unit_loop(f->base, sweep_is_to_come, f));
}

static void
wait_sweep(struct fixture *f)
{
	ATF_REQUIRE(unit_loop(f->base, sweep_is_over, f));
}

static int
is_zombie(pid_t pid)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 &&
	    info.si_pid == pid;
}

/* Ends a process; returns when its exit could be noticed. */
static void
end(const struct owner *owner)
{
	ATF_REQUIRE_EQ(0, kill(owner->child->pid, SIGKILL));
	ATF_REQUIRE(is_zombie(owner->child->pid));
}

struct exit_or_sweep {
	struct fixture *f;
	struct owner *owner;
};

static int
is_noticed(void *arg)
{
	const struct exit_or_sweep *e = arg;

	return e->owner->nexited > 0 || sweep_is_to_come(e->f);
}

/* While there are few, nobody waits for a sweep, awaited or not. */
ATF_TC_WITHOUT_HEAD(few);
ATF_TC_BODY(few, tc)
{
	static struct crowd c;
	struct exit_or_sweep e = { .f = &c.f };
	int i;

	crowd_init(&c, FEW);
	for (i = 0; i < 10; i++) {
		end(&c.owners[i]);
		e.owner = &c.owners[i];
		ATF_REQUIRE(unit_loop(c.f.base, is_noticed, &e));
		ATF_CHECK_EQ(1, c.owners[i].nexited);
		ATF_CHECK(!sweep_is_to_come(&c.f));
		ATF_CHECK_EQ((unsigned)(FEW - 1 - i), c.f.children.running);
		ATF_CHECK_EQ((unsigned)(i + 1), c.f.nchanged);
	}
	teardown(&c.f);
}

/* One more, and who is not awaited waits; a sweep for all of them. */
ATF_TC_WITHOUT_HEAD(sweep);
ATF_TC_BODY(sweep, tc)
{
	static struct crowd c;
	int i;

	crowd_init(&c, FEW + 1);
	for (i = 0; i < 3; i++)
		end(&c.owners[i]);
	wait_signal(&c.f);
	for (i = 0; i < 3; i++)
		ATF_CHECK_EQ(0, c.owners[i].nexited);
	ATF_CHECK_EQ(0, c.f.nchanged);
	ATF_CHECK_EQ(FEW + 1, c.f.children.running);
	wait_sweep(&c.f);
	for (i = 0; i < 3; i++) {
		ATF_CHECK_EQ(1, c.owners[i].nexited);
		ATF_CHECK_EQ(128 + SIGKILL, child_exit_code(c.owners[i].child));
	}
	/* the slots are told of once */
	ATF_CHECK_EQ(1, c.f.nchanged);
	ATF_CHECK_EQ(FEW - 2, c.f.children.running);
	teardown(&c.f);
}

/* Who is awaited hears of it in the turn in which others have to wait. */
ATF_TC_WITHOUT_HEAD(awaited);
ATF_TC_BODY(awaited, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	ATF_CHECK_EQ(0, child_await(c.owners[7].child));
	ATF_CHECK_EQ(0, child_await(c.owners[7].child));
	end(&c.owners[3]);
	end(&c.owners[7]);
	wait_signal(&c.f);
	ATF_CHECK_EQ(0, c.owners[3].nexited);
	ATF_CHECK_EQ(1, c.owners[7].nexited);
	ATF_CHECK_EQ(1, c.f.nchanged);
	ATF_CHECK(TAILQ_EMPTY(&c.f.children.awaited));
	ATF_CHECK_EQ(1, child_await(c.owners[7].child));
	wait_sweep(&c.f);
	ATF_CHECK_EQ(1, c.owners[3].nexited);
	ATF_CHECK_EQ(1, c.owners[7].nexited);
	ATF_CHECK_EQ(2, c.f.nchanged);
	teardown(&c.f);
}

/* To be killed is to be awaited. */
ATF_TC_WITHOUT_HEAD(killed);
ATF_TC_BODY(killed, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	ATF_CHECK_EQ(0, child_await(c.owners[0].child));
	child_kill(c.owners[0].child, 3600000);
	child_kill(c.owners[1].child, 3600000);
	ATF_REQUIRE(is_zombie(c.owners[0].child->pid));
	ATF_REQUIRE(is_zombie(c.owners[1].child->pid));
	wait_signal(&c.f);
	ATF_CHECK_EQ(1, c.owners[0].nexited);
	ATF_CHECK_EQ(1, c.owners[1].nexited);
	ATF_CHECK_EQ(128 + SIGTERM, child_exit_code(c.owners[1].child));
	ATF_CHECK(!child_is_ending(c.owners[1].child));
	ATF_CHECK(TAILQ_EMPTY(&c.f.children.awaited));
	teardown(&c.f);
}

/* Dead, and its signal answered with a sweep to come: it is found here. */
ATF_TC_WITHOUT_HEAD(already_dead);
ATF_TC_BODY(already_dead, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	end(&c.owners[0]);
	end(&c.owners[1]);
	wait_signal(&c.f);
	ATF_CHECK_EQ(1, child_await(c.owners[0].child));
	ATF_CHECK(child_is_dead(c.owners[0].child));
	ATF_CHECK_EQ(128 + SIGKILL, child_exit_code(c.owners[0].child));
	ATF_CHECK_EQ(MANY - 1, c.f.children.running);
	ATF_CHECK_EQ(1, c.f.nchanged);
	ATF_CHECK_EQ(1, child_await(c.owners[0].child));
	/* one that lives is awaited from then on */
	ATF_CHECK_EQ(0, child_await(c.owners[2].child));
	child_release(c.owners[0].child);
	wait_sweep(&c.f);
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	ATF_CHECK_EQ(1, c.owners[1].nexited);
	ATF_CHECK_EQ(0, c.owners[2].nexited);
	ATF_CHECK_EQ(2, c.f.nchanged);
	teardown(&c.f);
}

/* Dead, but its signal is still to come: that tells, in its turn. */
ATF_TC_WITHOUT_HEAD(dying);
ATF_TC_BODY(dying, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	end(&c.owners[0]);
	ATF_CHECK_EQ(0, child_await(c.owners[0].child));
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	wait_signal(&c.f);
	ATF_CHECK_EQ(1, c.owners[0].nexited);
	teardown(&c.f);
}

static int
is_unawaited(void *arg)
{
	return !((const struct owner *)arg)->child->awaited;
}

struct looked {
	const struct child *child;
	unsigned before;
};

static int
was_looked_for(void *arg)
{
	const struct looked *looked = arg;

	return !looked->child->awaited || looked->child->looks > looked->before;
}

/*
 * A script that has closed its output and lives on is not to cost a call at
 * every signal for ever.  The sweep finds it then, or whoever awaits it anew.
 */
ATF_TC_WITHOUT_HEAD(looks);
ATF_TC_BODY(looks, tc)
{
	static struct crowd c;
	struct looked looked;
	struct child *child;
	unsigned n;

	crowd_init(&c, MANY);
	looked.child = child = c.owners[0].child;
	ATF_CHECK_EQ(0, child_await(child));
	for (n = 1; child->awaited && n <= LOOKS + 10; n++) {
		/* other processes end, each by itself */
		looked.before = child->looks;
		(void)start(ACT_EXIT, 0);
		ATF_REQUIRE(unit_loop(c.f.base, was_looked_for, &looked));
	}
	ATF_CHECK_EQ_MSG(LOOKS + 1, n, "%u", n);
	ATF_CHECK(is_unawaited(&c.owners[0]));
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	wait_sweep(&c.f);
	ATF_CHECK_EQ(0, child_await(child));
	ATF_CHECK_EQ(0, child->looks);
	end(&c.owners[0]);
	wait_signal(&c.f);
	ATF_CHECK_EQ(1, c.owners[0].nexited);
	teardown(&c.f);
}

/* Given up, it is told of all the same. */
ATF_TC_WITHOUT_HEAD(looked_enough);
ATF_TC_BODY(looked_enough, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	ATF_CHECK_EQ(0, child_await(c.owners[0].child));
	c.owners[0].child->looks = LOOKS - 1;
	(void)start(ACT_EXIT, 0);
	ATF_REQUIRE(unit_loop(c.f.base, is_unawaited, &c.owners[0]));
	wait_sweep(&c.f);
	end(&c.owners[0]);
	wait_signal(&c.f);
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	wait_sweep(&c.f);
	ATF_CHECK_EQ(1, c.owners[0].nexited);
	teardown(&c.f);
}

/* Whose owner has gone is freed when it is dead, and nobody is told. */
ATF_TC_WITHOUT_HEAD(released);
ATF_TC_BODY(released, tc)
{
	static struct crowd c;
	pid_t pids[3];
	int i;

	crowd_init(&c, MANY);
	for (i = 0; i < 3; i++) {
		pids[i] = c.owners[i].child->pid;
		ATF_CHECK_EQ(0, child_await(c.owners[i].child));
	}
	child_release(c.owners[0].child);
	child_kill(c.owners[1].child, 3600000);
	child_release(c.owners[1].child);
	c.owners[2].release = 1; /* in the call-back */
	ATF_REQUIRE_EQ(0, kill(pids[0], SIGKILL));
	ATF_REQUIRE_EQ(0, kill(pids[2], SIGKILL));
	for (i = 0; i < 3; i++)
		ATF_REQUIRE(is_zombie(pids[i]));
	wait_signal(&c.f);
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	ATF_CHECK_EQ(0, c.owners[1].nexited);
	ATF_CHECK_EQ(1, c.owners[2].nexited);
	for (i = 0; i < 3; i++)
		ATF_CHECK(children_find(&c.f.children, pids[i]) == NULL);
	ATF_CHECK_EQ(MANY - 3, c.f.children.running);
	teardown(&c.f);
}

/* Awaited, being killed, dead and not yet swept: none outlives the end. */
ATF_TC_WITHOUT_HEAD(cleared);
ATF_TC_BODY(cleared, tc)
{
	static struct crowd c;

	crowd_init(&c, MANY);
	ATF_CHECK_EQ(0, child_await(c.owners[0].child));
	ATF_CHECK_EQ(0, child_await(c.owners[1].child));
	child_kill(c.owners[1].child, 3600000);
	end(&c.owners[2]);
	wait_signal(&c.f);
	ATF_CHECK_EQ(0, child_await(c.owners[3].child));
	end(&c.owners[3]);
	teardown(&c.f);
	ATF_CHECK_EQ(0, c.owners[0].nexited);
	ATF_CHECK_EQ(0, c.owners[2].nexited);
}

/* A start that has not been reported: the sweep may be before that, or after */
ATF_TC_WITHOUT_HEAD(early_exit);
ATF_TC_BODY(early_exit, tc)
{
	static struct crowd c;
	struct owner owner;
	int swept;
	pid_t pid;

	for (swept = 0; swept < 2; swept++) {
		memset(&owner, 0, sizeof owner);
		crowd_init(&c, MANY);
		children_expect(&c.f.children);
		pid = start(ACT_EXIT, 5);
		ATF_REQUIRE(is_zombie(pid));
		wait_signal(&c.f);
		if (swept)
			wait_sweep(&c.f);
		owner.child = child_new(&c.f.children, pid, exited, &owner);
		ATF_REQUIRE(owner.child != NULL);
		ATF_CHECK_EQ(swept, child_is_dead(owner.child));
		ATF_CHECK_EQ(1, child_await(owner.child));
		ATF_CHECK_EQ(5, child_exit_code(owner.child));
		ATF_CHECK_EQ(0, owner.nexited);
		ATF_CHECK_EQ(MANY, c.f.children.running);
		child_release(owner.child);
		wait_sweep(&c.f);
		ATF_CHECK_EQ(0, c.f.children.starting);
		ATF_CHECK(SLIST_EMPTY(&c.f.children.early));
		teardown(&c.f);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, few);
	ATF_TP_ADD_TC(tp, sweep);
	ATF_TP_ADD_TC(tp, awaited);
	ATF_TP_ADD_TC(tp, killed);
	ATF_TP_ADD_TC(tp, already_dead);
	ATF_TP_ADD_TC(tp, dying);
	ATF_TP_ADD_TC(tp, looks);
	ATF_TP_ADD_TC(tp, looked_enough);
	ATF_TP_ADD_TC(tp, released);
	ATF_TP_ADD_TC(tp, cleared);
	ATF_TP_ADD_TC(tp, early_exit);
	return atf_no_error();
}
