/*
 * Pipes for which the event loop has no descriptors, handover.c:
 *   - that spawn is lost, and says EMFILE; its script has no pipes any more
 *   - none of them is left open, with room for none, one or two of the three
 *   - it makes no difference if another's were to be taken
 *   - the next ones are fine
 */
#include "unit_handover.h"

/* A descriptor table that is full. */
struct table {
	struct rlimit old;
	int fds[200];
	int n;
};

/* Leaves room for so many descriptors, in a table that is small. */
static void
table_fill(struct table *t, int room)
{
	struct rlimit low;
	int most;

	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NOFILE, &t->old));
	for (t->n = 0; t->n == 0 || t->fds[t->n - 1] < 100; t->n++) {
		ATF_REQUIRE(t->n < 200);
		t->fds[t->n] = dup(STDERR_FILENO);
		ATF_REQUIRE(t->fds[t->n] != -1);
	}
	for (most = t->fds[t->n - 1]; fcntl(most, F_GETFD) != -1; most++)
		continue;
	low = t->old;
	low.rlim_cur = (rlim_t)most;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NOFILE, &low));
	ATF_REQUIRE_EQ(-1, dup(STDERR_FILENO));
	while (room-- > 0)
		(void)close(t->fds[--t->n]);
}

static void
table_empty(struct table *t)
{
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_NOFILE, &t->old));
	while (t->n > 0)
		(void)close(t->fds[--t->n]);
}

/* None, one, or two of the three find room: the script must not keep those. */
ATF_TC_WITHOUT_HEAD(no_room);
ATF_TC_BODY(no_room, tc)
{
	struct handover h;
	struct passed p[3];
	struct table table;
	int room, n;

	world_skip_under_valgrind();
	setup(&h);
	n = count_fds();
	for (room = 0; room < 3; room++) {
		give(&h, &p[0]);
		give(&h, &p[1]);
		table_fill(&table, room);
		/* on the way to the second, the first is lost */
		ATF_CHECK_EQ(-1, handover_take(&h, p[1].spawn));
		ATF_CHECK_EQ(EMFILE, errno);
		check_dropped(&p[0]);
		check_dropped(&p[1]);
		table_empty(&table);
		/* and stays so */
		ATF_CHECK_EQ(-1, handover_take(&h, p[0].spawn));
		ATF_CHECK_EQ(EMFILE, errno);
		ATF_CHECK_EQ(-1, p[0].spawn->in);
		ATF_CHECK_EQ(-1, p[0].spawn->out);
		ATF_CHECK_EQ(-1, p[0].spawn->err);
		give(&h, &p[2]);
		ATF_CHECK_EQ(0, handover_take(&h, p[2].spawn));
		check_passed(&p[2], "next");
		passed_clear(&p[0]);
		passed_clear(&p[1]);
		passed_clear(&p[2]);
		ATF_CHECK_EQ(n, count_fds());
	}
	handover_clear(&h);
}

/* Three find room in a table for three; whoever comes then does not. */
ATF_TC_WITHOUT_HEAD(just_room);
ATF_TC_BODY(just_room, tc)
{
	struct handover h;
	struct passed p[2];
	struct table table;
	int n;

	world_skip_under_valgrind();
	setup(&h);
	n = count_fds();
	give(&h, &p[0]);
	give(&h, &p[1]);
	table_fill(&table, 3);
	ATF_CHECK_EQ(0, handover_take(&h, p[0].spawn));
	check_passed(&p[0], "whole");
	ATF_CHECK_EQ(-1, handover_take(&h, p[1].spawn));
	ATF_CHECK_EQ(EMFILE, errno);
	table_empty(&table);
	passed_clear(&p[0]);
	passed_clear(&p[1]);
	ATF_CHECK_EQ(n, count_fds());
	handover_clear(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, no_room);
	ATF_TP_ADD_TC(tp, just_room);
	return atf_no_error();
}
