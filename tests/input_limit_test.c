/*
 * The limits of FCGI_STDIN on disk, input.c:
 *   - `spool': what is above it fails if others depend on the connection, and
 *     waits with the web server if none does
 *   - `spool_all' counts for all requests together
 *   - a spool directory that is not there fails that request alone
 */
#include "unit_input.h"

/* More than `spool' fails with EFBIG where others need the connection. */
ATF_TC_WITHOUT_HEAD(spool_limit);
ATF_TC_BODY(spool_limit, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k,spool=200k");
	struct play *play;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 2, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	add_stdin(&in, 2, "fine", 4);
	add_stdin(&in, 2, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	rig_wait_end(rig, 1);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(1, play->nfailed);
	ATF_CHECK_EQ(EFBIG, play->error);
	ATF_CHECK_EQ(0, play->nend);
	ATF_CHECK_EQ(0, play->naborted);
	rig_check_text(rig, FCGI_STDOUT, 2, "fine");
	rig_free(rig);
	bytes_free(&in);
}

/* Below it nothing fails, and `spool_all' is the sum. */
ATF_TC_WITHOUT_HEAD(spool_all_limit);
ATF_TC_BODY(spool_all_limit, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k,spool=1m,spool_all=2m");
	unsigned failed = 0;
	uint16_t id;

	for (id = 1; id <= 4; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "hold", NULL, NULL);
	for (id = 1; id <= 4; id++)
		add_big_stdin(&in, id, 800000);
	rig_send(rig, &in);
	rig_settle(rig);
	for (id = 1; id <= 4; id++) {
		failed += rig_play(rig, id)->nfailed;
		if (rig_play(rig, id)->nfailed > 0)
			ATF_CHECK_EQ(EFBIG, rig_play(rig, id)->error);
	}
	/* what failed gives its room back: of 3.2 MB, 2 MB and more stay */
	ATF_CHECK(failed == 1 || failed == 2);
	for (id = 1; id <= 4; id++)
		if (rig_play(rig, id)->req != NULL) {
			take_all(rig, rig_play(rig, id));
			check_big(rig_play(rig, id), 800000);
		}
	rig_free(rig);
	bytes_free(&in);
}

/* A connection that is kept may be wanted for others: so it does there. */
ATF_TC_WITHOUT_HEAD(spool_limit_kept);
ATF_TC_BODY(spool_limit_kept, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k,spool=200k");

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->nfailed);
	ATF_CHECK_EQ(EFBIG, rig_play(rig, 1)->error);
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&in);
}

static int
spooled_some(void *arg)
{
	return ((struct rig *)arg)->server.spooled > 0;
}

/* The only request that a connection is for is not failed: it may wait. */
ATF_TC_WITHOUT_HEAD(spool_limit_alone);
ATF_TC_BODY(spool_limit_alone, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k,spool=200k");
	struct rig_sending s = { .rig = rig };
	struct play *play;

	add_request(&in, 1, 0, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	s.p = in.p;
	s.left = in.len;
	ATF_CHECK(!send_for(rig, &s, 100));
	ATF_REQUIRE(unit_loop(rig->base, spooled_some, rig));
	ATF_CHECK(!send_for(rig, &s, 400));
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->nfailed);
	ATF_CHECK(rig->server.spooled < 1000000);
	while (!rig_sent(&s)) {
		(void)takes_all(play);
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	take_all(rig, play);
	check_big(play, BIG);
	rig_free(rig);
	bytes_free(&in);
}

/* Without a directory for it, the request fails with the disk's error. */
ATF_TC_WITHOUT_HEAD(no_directory);
ATF_TC_BODY(no_directory, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k");

	rig->server.spool_dir = "no/such/directory";
	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 2, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	add_stdin(&in, 2, "fine", 4);
	add_stdin(&in, 2, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_wait_end(rig, 2);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->nfailed);
	ATF_CHECK_EQ(ENOENT, rig_play(rig, 1)->error);
	rig_check_text(rig, FCGI_STDOUT, 2, "fine");
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, spool_limit);
	ATF_TP_ADD_TC(tp, spool_all_limit);
	ATF_TP_ADD_TC(tp, spool_limit_kept);
	ATF_TP_ADD_TC(tp, spool_limit_alone);
	ATF_TP_ADD_TC(tp, no_directory);
	return atf_no_error();
}
