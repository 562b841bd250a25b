/*
 * The ending of scripts that must not go on, child.c, with real processes:
 *   - TERM at once; KILL after the grace, and not before
 *   - a process that is stopped dies too
 *   - a grandchild that does not heed TERM is killed though its parent is dead
 *   - at the end all that are left are killed
 *   - no process and no zombie is ever left
 */
#include "unit_child.h"

/* TERM is enough for most, and the grace is not waited for. */
ATF_TC_WITHOUT_HEAD(terminated);
ATF_TC_BODY(terminated, tc)
{
	struct fixture f;
	struct owner owner;

	setup(&f);
	own(&f, &owner, ACT_SLEEP, 0);
	child_kill(owner.child, 3600000);
	child_kill(owner.child, 1);
	wait_exited(&f, &owner);
	ATF_CHECK_EQ(128 + SIGTERM, child_exit_code(owner.child));
	child_release(owner.child);
	ATF_CHECK(is_empty(&f));
	check_no_zombie();
	teardown(&f);
}

/* Who ignores TERM has the grace, and no more. */
ATF_TC_WITHOUT_HEAD(killed);
ATF_TC_BODY(killed, tc)
{
	struct fixture f;
	struct owner owner;
	int64_t began;

	setup(&f);
	own(&f, &owner, ACT_STUBBORN, 0);
	began = unit_now();
	child_kill(owner.child, 300);
	unit_loop_for(f.base, 100);
	ATF_CHECK_EQ(0, owner.nexited);
	wait_exited(&f, &owner);
	ATF_CHECK(unit_now() - began >= 250); /* coarse clocks */
	ATF_CHECK_EQ(128 + SIGKILL, child_exit_code(owner.child));
	child_release(owner.child);
	check_no_zombie();
	teardown(&f);
}

/* A stopped process gets its TERM too. */
ATF_TC_WITHOUT_HEAD(stopped);
ATF_TC_BODY(stopped, tc)
{
	struct fixture f;
	struct owner owner;

	setup(&f);
	own(&f, &owner, ACT_STOPPED, 0);
	child_kill(owner.child, 3600000);
	wait_exited(&f, &owner);
	ATF_CHECK_EQ(128 + SIGTERM, child_exit_code(owner.child));
	child_release(owner.child);
	teardown(&f);
}

static int
has_ended(void *arg)
{
	const struct owner *owner = arg;

	return !child_is_ending(owner->child);
}

/* The script dies of TERM at once, its stubborn child after the grace. */
ATF_TC_WITHOUT_HEAD(grandchild);
ATF_TC_BODY(grandchild, tc)
{
	struct fixture f;
	struct owner owner;
	pid_t group;
	int release_first;

	for (release_first = 0; release_first < 2; release_first++) {
		setup(&f);
		own(&f, &owner, ACT_GRANDCHILD, 0);
		group = owner.child->pid;
		child_kill(owner.child, 300);
		if (release_first)
			child_release(owner.child);
		else {
			wait_exited(&f, &owner);
			ATF_CHECK_EQ(0, kill(-group, 0));
			ATF_CHECK(child_is_ending(owner.child));
			/* and told again, when all of them are dead */
			ATF_REQUIRE(unit_loop(f.base, has_ended, &owner));
			ATF_CHECK_EQ(2, owner.nexited);
			child_release(owner.child);
			ATF_CHECK(is_empty(&f));
		}
		/* the table keeps it for as long as its group is killed */
		if (release_first)
			ATF_CHECK(!is_empty(&f));
		ATF_REQUIRE(unit_loop(f.base, is_empty, &f));
		teardown(&f);
	}
}

/* At the end all are killed: see teardown. */
ATF_TC_WITHOUT_HEAD(cleared);
ATF_TC_BODY(cleared, tc)
{
	static struct owner owners[4];
	struct fixture f;

	setup(&f);
	own(&f, &owners[0], ACT_SLEEP, 0);
	own(&f, &owners[1], ACT_STUBBORN, 0);
	own(&f, &owners[2], ACT_GRANDCHILD, 0);
	own(&f, &owners[3], ACT_STUBBORN, 0);
	child_kill(owners[3].child, 3600000);
	child_release(owners[3].child);
	teardown(&f);
	ATF_CHECK_EQ(0, owners[0].nexited);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, terminated);
	ATF_TP_ADD_TC(tp, killed);
	ATF_TP_ADD_TC(tp, stopped);
	ATF_TP_ADD_TC(tp, grandchild);
	ATF_TP_ADD_TC(tp, cleared);
	return atf_no_error();
}
