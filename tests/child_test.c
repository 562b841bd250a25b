/*
 * The processes that run scripts, child.c, with real ones:
 *   - an exit is told once, with its code or signal; the count is right
 *   - an exit before the process was registered is not lost; one of a process
 *     that nobody expected does no harm
 *   - released before or after its death, or in the call-back that tells it
 *   - no zombie is ever left
 * How they are ended is in child_kill_test.c.
 */
#include "unit_child.h"

/* The exit code, or 128 and the signal, is what waitpid says. */
ATF_TC_WITHOUT_HEAD(exits);
ATF_TC_BODY(exits, tc)
{
	static const int codes[] = { 0, 1, 7, 127, 255 };
	static const int signals[] = { SIGKILL, SIGTERM, SIGUSR1, SIGPIPE };
	struct fixture f;
	struct owner owner;
	size_t i;

	setup(&f);
	for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		own(&f, &owner, ACT_EXIT, codes[i]);
		wait_exited(&f, &owner);
		ATF_CHECK(!child_was_killed(owner.child));
		ATF_CHECK_EQ((uint32_t)codes[i], child_exit_code(owner.child));
		child_release(owner.child);
		ATF_CHECK(is_empty(&f));
	}
	for (i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		own(&f, &owner, ACT_SIGNAL, signals[i]);
		wait_exited(&f, &owner);
		ATF_CHECK(child_was_killed(owner.child));
		ATF_CHECK_EQ((uint32_t)(128 + signals[i]),
		    child_exit_code(owner.child));
		child_release(owner.child);
	}
	ATF_CHECK_EQ(0, f.children.running);
	ATF_CHECK_EQ(9, f.nchanged);
	check_no_zombie();
	teardown(&f);
}

/* A hundred that exit at once: each is told, and the count comes to 0. */
ATF_TC_WITHOUT_HEAD(many);
ATF_TC_BODY(many, tc)
{
	static struct owner owners[100];
	struct fixture f;
	int i;

	setup(&f);
	for (i = 0; i < 100; i++) {
		own(&f, &owners[i], i % 2 == 0 ? ACT_EXIT : ACT_SLEEP, i);
		ATF_CHECK(f.children.running > 0);
	}
	for (i = 1; i < 100; i += 2)
		child_kill(owners[i].child, 10000);
	for (i = 0; i < 100; i++) {
		wait_exited(&f, &owners[i]);
		ATF_CHECK_EQ(i % 2 == 0 ? (uint32_t)i : 128 + SIGTERM,
		    child_exit_code(owners[i].child));
		child_release(owners[i].child);
	}
	ATF_CHECK_EQ(0, f.children.running);
	ATF_CHECK(is_empty(&f));
	check_no_zombie();
	teardown(&f);
}

static int
is_reaped(void *arg)
{
	return kill(*(pid_t *)arg, 0) == -1 && errno == ESRCH;
}

/* Reaped before it was registered: it is dead from the start. */
ATF_TC_WITHOUT_HEAD(early_exit);
ATF_TC_BODY(early_exit, tc)
{
	struct fixture f;
	struct owner owner = { 0 };
	pid_t pid, other;

	setup(&f);
	children_expect(&f.children);
	children_expect(&f.children);
	other = start(ACT_EXIT, 4);
	pid = start(ACT_EXIT, 3);
	ATF_REQUIRE(unit_loop(f.base, is_reaped, &pid));
	ATF_REQUIRE(unit_loop(f.base, is_reaped, &other));
	owner.child = child_new(&f.children, pid, exited, &owner);
	ATF_REQUIRE(owner.child != NULL);
	ATF_CHECK_EQ(0, owner.nexited);
	ATF_CHECK(child_is_dead(owner.child));
	ATF_CHECK_EQ(3, child_exit_code(owner.child));
	ATF_CHECK_EQ(0, f.children.running);
	child_kill(owner.child, 10);
	child_release(owner.child);
	/* the second spawn has started nothing */
	ATF_CHECK(child_new(&f.children, -1, exited, &owner) == NULL);
	ATF_CHECK(SLIST_EMPTY(&f.children.early));
	ATF_CHECK(is_empty(&f));
	check_no_zombie();
	teardown(&f);
}

/* Nobody's process is reaped, and forgotten. */
ATF_TC_WITHOUT_HEAD(stranger);
ATF_TC_BODY(stranger, tc)
{
	struct fixture f;
	pid_t pid;

	setup(&f);
	pid = start(ACT_EXIT, 0);
	ATF_REQUIRE(unit_loop(f.base, is_reaped, &pid));
	ATF_CHECK(SLIST_EMPTY(&f.children.early));
	ATF_CHECK_EQ(0, f.nchanged);
	check_no_zombie();
	teardown(&f);
}

/* Released: nothing is told any more, and it is freed when it dies. */
ATF_TC_WITHOUT_HEAD(released);
ATF_TC_BODY(released, tc)
{
	struct fixture f;
	struct owner owner;

	setup(&f);
	own(&f, &owner, ACT_SLEEP, 0);
	child_release(owner.child);
	ATF_CHECK_EQ(0, kill(-owner.child->pid, SIGTERM));
	ATF_REQUIRE(unit_loop(f.base, is_empty, &f));
	ATF_CHECK_EQ(0, owner.nexited);
	/* being killed does not need an owner */
	own(&f, &owner, ACT_STUBBORN, 0);
	child_kill(owner.child, 50);
	child_release(owner.child);
	ATF_REQUIRE(unit_loop(f.base, is_empty, &f));
	ATF_CHECK_EQ(0, owner.nexited);
	/* in the call-back that tells of its death */
	own(&f, &owner, ACT_EXIT, 0);
	owner.release = 1;
	wait_exited(&f, &owner);
	ATF_CHECK(is_empty(&f));
	child_release(NULL);
	ATF_CHECK_EQ(3, f.nchanged);
	check_no_zombie();
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, exits);
	ATF_TP_ADD_TC(tp, many);
	ATF_TP_ADD_TC(tp, early_exit);
	ATF_TP_ADD_TC(tp, stranger);
	ATF_TP_ADD_TC(tp, released);
	return atf_no_error();
}
