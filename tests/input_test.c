/*
 * FCGI_STDIN between a connection and a handler that is slower, input.c:
 *   - all that comes in reaches the handler, in order, however it dawdles:
 *     alone and among others
 *   - a moment's delay stops the reading; after that the disk is used, so that
 *     the connection goes on: for other requests, and to notice its end
 *   - the peer's close and ABORT_REQUEST are noticed while input waits
 * The limits of the disk are in input_limit_test.c.
 */
#include "unit_input.h"

/*
 * Alone, and no more room on disk: what the handler does not take stays with
 * the web server, for as long as it takes.
 */
ATF_TC_WITHOUT_HEAD(waits);
ATF_TC_BODY(waits, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=64k,spool=0");
	struct rig_sending s = { .rig = rig };
	struct play *play;

	add_request(&in, 1, 0, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	s.p = in.p;
	s.left = in.len;
	ATF_CHECK(!send_for(rig, &s, 400));
	ATF_CHECK(s.left > BIG / 2);
	ATF_CHECK(rig->server.spooled < 300000);
	ATF_CHECK(!rig_conn(rig)->reading);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->ninput);
	ATF_CHECK_EQ(0, play->nfailed);
	while (!rig_sent(&s)) {
		(void)takes_all(play);
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	take_all(rig, play);
	ATF_CHECK_EQ(0, rig->server.spooled);
	check_big(play, BIG);
	request_end(play->req, 0);
	play->req = NULL;
	rig_wait_eof(rig);
	rig_free(rig);
	bytes_free(&in);
}

/* A handler that is only a little slower: the disk is not used. */
ATF_TC_WITHOUT_HEAD(little_slower);
ATF_TC_BODY(little_slower, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=64k");
	struct rig_sending s = { .rig = rig };
	struct play *play;
	int64_t last = unit_now(), now;
	int sent, slow = 0; /* so slow ourselves that the disk may be used */

	add_request(&in, 1, 0, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	s.p = in.p;
	s.left = in.len;
	do {
		sent = rig_sent(&s);
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
		if ((play = rig->by_id[1]) != NULL)
			(void)takes_all(play);
		now = unit_now();
		slow |= now - last > 20;
		last = now;
		ATF_CHECK(slow || rig->server.spooled == 0);
	} while (!sent);
	take_all(rig, play);
	check_big(play, BIG);
	rig_free(rig);
	bytes_free(&in);
}

/* One that takes nothing: it is all read, so that the close is seen. */
ATF_TC_WITHOUT_HEAD(takes_nothing);
ATF_TC_BODY(takes_nothing, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=64k");
	struct play *play;

	add_request(&in, 1, 0, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	rig_send(rig, &in);
	rig_settle(rig);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->ninput);
	ATF_CHECK_EQ(1, play->narrived);
	rig_disconnect(rig);
	ATF_REQUIRE(unit_loop(rig->base, is_aborted, play));
	ATF_CHECK_EQ(0, rig->server.spooled);
	rig_free(rig);
	bytes_free(&in);
}

/* Among others: it goes to disk, the others go on, and it comes back whole. */
ATF_TC_WITHOUT_HEAD(spools);
ATF_TC_BODY(spools, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=64k");
	struct play *play;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 2, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 3, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	add_stdin(&in, 3, "meanwhile", 9);
	add_stdin(&in, 3, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 3);
	rig_check_text(rig, FCGI_STDOUT, 3, "meanwhile");
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->ninput);
	ATF_CHECK(rig->server.spooled > BIG / 2);
	take_all(rig, play);
	check_big(play, BIG);
	ATF_CHECK_EQ(0, rig->server.spooled);
	rig_free(rig);
	bytes_free(&in);
}

/* Kept, but alone: it waits a moment, then uses the disk. */
ATF_TC_WITHOUT_HEAD(kept_alone);
ATF_TC_BODY(kept_alone, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=64k");
	struct play *play;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	/* another that could not begin if it waited for ever */
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "5", NULL);
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->ninput);
	take_all(rig, play);
	check_big(play, BIG);
	rig_free(rig);
	bytes_free(&in);
}

/* A handler that takes odd amounts while the rest still comes in. */
ATF_TC_WITHOUT_HEAD(odd_amounts);
ATF_TC_BODY(odd_amounts, tc)
{
	struct bytes in = { 0 };
	struct rig *rig;
	struct rig_sending s;
	struct play *play;
	uint32_t random = 77;
	int multiplexed, sent;

	for (multiplexed = 0; multiplexed < 2; multiplexed++) {
		in.len = 0;
		rig = rig_new("stdin=4k");
		if (multiplexed)
			add_request(&in, 9, FCGI_KEEP_CONN, "hold", NULL, NULL);
		add_request(&in, 1, (uint8_t)multiplexed, "hold", NULL, NULL);
		add_big_stdin(&in, 1, 700000);
		s.rig = rig;
		s.p = in.p;
		s.left = in.len;
		do {
			sent = rig_sent(&s);
			ATF_REQUIRE(
			    event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
			if ((play = rig->by_id[1]) == NULL)
				continue;
			play->room = unit_random(&random) % 20000;
			if (play->room > 0)
				request_input_ready(play->req);
		} while (!sent);
		take_all(rig, play);
		check_big(play, 700000);
		rig_free(rig);
	}
	bytes_free(&in);
}

/* The web server leaves while its input is not being read. */
ATF_TC_WITHOUT_HEAD(leaves_while_waiting);
ATF_TC_BODY(leaves_while_waiting, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k,spool=0");
	struct rig_sending s = { .rig = rig };

	add_request(&in, 1, 0, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	s.p = in.p;
	s.left = in.len;
	(void)send_for(rig, &s, 200);
	ATF_CHECK(!rig_conn(rig)->reading);
	ATF_CHECK_EQ(0, rig_play(rig, 1)->naborted);
	rig_disconnect(rig);
	ATF_REQUIRE(unit_loop(rig->base, is_aborted, rig_play(rig, 1)));
	rig_free(rig);
	bytes_free(&in);
}

/* Aborted with its input on disk, perhaps under way: the disk is freed. */
ATF_TC_WITHOUT_HEAD(aborted_while_spooled);
ATF_TC_BODY(aborted_while_spooled, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("stdin=4k");
	uint16_t id;

	for (id = 1; id <= 20; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "hold", NULL, NULL);
	for (id = 1; id <= 20; id++) {
		add_big_stdin(&in, id, 200000);
		bytes_record(&in, FCGI_ABORT_REQUEST, id, NULL, 0, 0);
	}
	rig_send(rig, &in);
	for (id = 1; id <= 20; id++) {
		rig_wait_end(rig, id);
		ATF_CHECK_EQ(1, rig_play(rig, id)->naborted);
	}
	ATF_CHECK_EQ(0, rig->server.spooled);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, waits);
	ATF_TP_ADD_TC(tp, little_slower);
	ATF_TP_ADD_TC(tp, takes_nothing);
	ATF_TP_ADD_TC(tp, spools);
	ATF_TP_ADD_TC(tp, kept_alone);
	ATF_TP_ADD_TC(tp, odd_amounts);
	ATF_TP_ADD_TC(tp, leaves_while_waiting);
	ATF_TP_ADD_TC(tp, aborted_while_spooled);
	return atf_no_error();
}
