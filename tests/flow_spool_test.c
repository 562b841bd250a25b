/*
 * FCGI_STDIN within a window where a handler asks for all of it, input.c and
 * fcgi_flow(7): credit comes for what is put on disk, too:
 *   - for what was in memory before it asked, and for all that follows
 *   - not for what a slow disk has not taken
 *   - the limits of the disk hold, as for plain requests
 */
#include "../gateway/pool.h"
#include "unit_flow.h"

/*
 * A handler that asks for all of the input, when a window of it is there: it
 * gets it, by way of the disk, though it takes nothing meanwhile.
 */
ATF_TC_WITHOUT_HEAD(take_input);
ATF_TC_BODY(take_input, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=64k,stdin=16k");
	struct upload u = { .rig = rig, .id = 1, .size = BIG, .most = 30000 };
	struct play *play;

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	while (u.cost < 65536 - 8 || u.out.len > u.sent) {
		ATF_REQUIRE(!upload_go_on(&u));
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	rig_settle(rig);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	play = rig_play(rig, 1);
	request_take_input(play->req);
	rig_wait(rig, AFCGI_CREDIT, 1, 1);
	ATF_REQUIRE(unit_loop(rig->base, upload_go_on, &u));
	while (play->narrived == 0)
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_ONCE) != -1);
	ATF_CHECK_EQ(0, play->in.len);
	ATF_CHECK(rig->server.spooled > BIG / 2);
	take_all(rig, play);
	check_big(play, BIG);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&u.out);
}

/* From the beginning, and taken while it comes: through the disk or not. */
ATF_TC_WITHOUT_HEAD(take_input_early);
ATF_TC_BODY(take_input_early, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=64k,stdin=16k");
	struct upload u = { .rig = rig, .id = 1, .size = BIG, .most = 30000 };
	struct both both = { .u = &u };

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	both.play = rig_play(rig, 1);
	request_take_input(both.play->req);
	ATF_REQUIRE(unit_loop(rig->base, both_go_on, &both));
	check_big(both.play, BIG);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&u.out);
}

/* A job that keeps the disk's thread until the test lets it go. */
struct stuck {
	struct job job;
	int fds[2];
	int done;
};

static void
stuck_work(struct job *job)
{
	struct stuck *stuck = (struct stuck *)(void *)job;
	char c;

	ATF_CHECK_EQ(1, read(stuck->fds[0], &c, 1));
}

static void
stuck_done(struct job *job)
{
	((struct stuck *)(void *)job)->done = 1;
}

static int
is_done(void *arg)
{
	return ((struct stuck *)arg)->done;
}

/* While the disk hangs there is no credit for what it has not taken. */
ATF_TC_WITHOUT_HEAD(slow_disk);
ATF_TC_BODY(slow_disk, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=64k,stdin=16k");
	struct upload u = { .rig = rig, .id = 1, .size = BIG, .most = 30000 };
	struct stuck stuck = { .job = { .work = stuck_work } };
	struct play *play;
	size_t at;

	ATF_REQUIRE_EQ(0, pipe(stuck.fds));
	stuck.job.done = stuck_done;
	pool_submit(rig->server.disk, &stuck.job);
	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	play = rig_play(rig, 1);
	request_take_input(play->req);
	ATF_CHECK(
	    !unit_loop_until(rig->base, upload_go_on, &u, unit_now() + 500));
	at = u.at;
	ATF_CHECK(at > 65536 && at < BIG / 2);
	ATF_CHECK_EQ(0, rig_conn(rig)->nstopped);
	ATF_REQUIRE_EQ(1, write(stuck.fds[1], "", 1));
	ATF_REQUIRE(unit_loop(rig->base, is_done, &stuck));
	ATF_REQUIRE(unit_loop(rig->base, upload_go_on, &u));
	take_all(rig, play);
	check_big(play, BIG);
	rig_free(rig);
	ATF_REQUIRE_EQ(0, close(stuck.fds[0]));
	ATF_REQUIRE_EQ(0, close(stuck.fds[1]));
	bytes_free(&in);
	bytes_free(&u.out);
}

/* The disk's limit fails that request alone, as for a plain one. */
ATF_TC_WITHOUT_HEAD(spool_limit);
ATF_TC_BODY(spool_limit, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=64k,stdin=16k,spool=200k");
	struct upload u = { .rig = rig, .id = 1, .size = BIG, .most = 30000 };

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	request_take_input(rig_play(rig, 1)->req);
	while (rig_count(rig, FCGI_END_REQUEST, 1) == 0) {
		ATF_REQUIRE(!upload_go_on(&u));
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	ATF_CHECK_EQ(EFBIG, rig_play(rig, 1)->error);
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&u.out);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, take_input);
	ATF_TP_ADD_TC(tp, take_input_early);
	ATF_TP_ADD_TC(tp, slow_disk);
	ATF_TP_ADD_TC(tp, spool_limit);
	return atf_no_error();
}
