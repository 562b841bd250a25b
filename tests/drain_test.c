/*
 * Connections that end in peace, conn_drain.c, fcgi_flow(7):
 *   - with flow control AFCGI_DRAIN comes once, and the peer closes
 *   - what crosses it is served for CONN_DRAIN_GRACE; what begins later is
 *     answered with FCGI_OVERLOADED and not begun
 *   - what lives goes on, as long as it likes
 *   - a peer that does not close is closed CONN_DRAIN_WAIT after the last
 *     request and the grace, however often it is refused
 *   - a connection that has been idle for long is drained, not closed
 *   - without FCGI_KEEP_CONN it ends with its last request, as ever
 *
 * Plain connections are in conn_limit_test.c.
 */
#include "unit_flow.h"

static int
is_gone(void *arg)
{
	return rig_conn(arg) == NULL;
}

static int
is_drained(void *arg)
{
	return conn_is_drained(rig_conn(arg));
}

/* Idle: told, left open, and gone when the peer closes. */
ATF_TC_WITHOUT_HEAD(idle);
ATF_TC_BODY(idle, tc)
{
	struct rig *rig = rig_flow(NULL);

	server_drain(&rig->server);
	rig_wait(rig, AFCGI_DRAIN, 0, 1);
	conn_drain(rig_conn(rig));
	unit_loop_for(rig->base, 300);
	ATF_CHECK(!rig->eof);
	ATF_CHECK_EQ(1, rig_count(rig, AFCGI_DRAIN, 0));
	rig_disconnect(rig);
	ATF_REQUIRE(unit_loop(rig->base, is_gone, rig));
	ATF_CHECK_EQ(1, rig->ngone);
	rig_free(rig);
}

/* One that crosses it is served, windowed or plain; a later one is not. */
ATF_TC_WITHOUT_HEAD(crossing);
ATF_TC_BODY(crossing, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	add_windowed(&in, 1, 1000, "echo", NULL, NULL);
	rig_say(rig, &in);
	server_drain(&rig->server);
	add_windowed(&in, 2, 1000, "echo", NULL, NULL);
	add_stdin(&in, 2, "two", 3);
	add_stdin(&in, 2, NULL, 0);
	add_request(&in, 3, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_stdin(&in, 3, "three", 5);
	add_stdin(&in, 3, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_wait_end(rig, 3);
	rig_check_text(rig, FCGI_STDOUT, 2, "two");
	rig_check_text(rig, FCGI_STDOUT, 3, "three");
	ATF_REQUIRE(unit_loop(rig->base, is_drained, rig));
	add_windowed(&in, 4, 1000, "echo", NULL, NULL);
	add_stdin(&in, 4, "four", 4);
	add_stdin(&in, 4, NULL, 0);
	add_request(&in, 5, FCGI_KEEP_CONN, "echo", NULL, NULL);
	rig_send_cut(rig, &in, 0, 11);
	in.len = 0;
	rig_wait_end(rig, 4);
	rig_wait_end(rig, 5);
	rig_check_end(rig, 4, 0, FCGI_OVERLOADED);
	rig_check_end(rig, 5, 0, FCGI_OVERLOADED);
	ATF_CHECK_EQ(0, rig_cost(rig, 4));
	ATF_CHECK(rig_conn(rig)->unread);
	ATF_CHECK_EQ(3, rig->nplays);
	/* the first goes on to its end */
	add_stdin(&in, 1, "one", 3);
	add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "one");
	unit_loop_for(rig->base, 100);
	ATF_CHECK(!rig->eof);
	ATF_CHECK_EQ(1, rig_count(rig, AFCGI_DRAIN, 0));
	rig_free(rig);
	bytes_free(&in);
}

/* Idle, and the peer does nothing: both times must pass. */
ATF_TC_WITHOUT_HEAD(ignored);
ATF_TC_BODY(ignored, tc)
{
	struct rig *rig = rig_flow(NULL);
	int64_t start = unit_now();

	server_drain(&rig->server);
	rig_wait_eof(rig);
	ATF_CHECK(
	    unit_now() - start >= CONN_DRAIN_GRACE + CONN_DRAIN_WAIT - 10);
	rig_free(rig);
}

/* A live request holds it, and then there is a while for the peer to close. */
ATF_TC_WITHOUT_HEAD(not_closed);
ATF_TC_BODY(not_closed, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);
	int64_t start = unit_now();
	unsigned i;

	add_windowed(&in, 1, 1000, "echo", NULL, NULL);
	rig_say(rig, &in);
	server_drain(&rig->server);
	unit_loop_for(rig->base, CONN_DRAIN_GRACE + CONN_DRAIN_WAIT + 500);
	ATF_CHECK(!rig->eof);
	add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	start = unit_now();
	/* to be refused is nothing that keeps it open */
	for (i = 2; !rig->eof; i++) {
		ATF_REQUIRE(unit_now() < start + CONN_DRAIN_WAIT + 15000);
		bytes_begin(&in, (uint16_t)i, FCGI_RESPONDER, FCGI_KEEP_CONN);
		rig_send(rig, &in);
		in.len = 0;
		unit_loop_for(rig->base, 50);
	}
	ATF_CHECK(unit_now() - start >= CONN_DRAIN_WAIT - 10);
	ATF_CHECK(i > 5);
	rig_check_end(rig, 5, 0, FCGI_OVERLOADED);
	ATF_CHECK_EQ(1, rig->nplays);
	rig_free(rig);
	bytes_free(&in);
}

/* Long without a request: told first, and closed when that does not help. */
ATF_TC_WITHOUT_HEAD(long_idle);
ATF_TC_BODY(long_idle, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("conn_idle=0.2");
	int64_t start = unit_now();

	rig_wait(rig, AFCGI_DRAIN, 0, 1);
	ATF_CHECK(unit_now() - start >= 190);
	ATF_CHECK(!rig->eof);
	/* the one that crossed it */
	add_windowed(&in, 1, 1000, "echo", NULL, NULL);
	add_stdin(&in, 1, "hello", 5);
	add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "hello");
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	start = unit_now();
	rig_wait_eof(rig);
	ATF_CHECK(unit_now() - start >= CONN_DRAIN_WAIT - 10);
	ATF_CHECK_EQ(1, rig_count(rig, AFCGI_DRAIN, 0));
	rig_free(rig);
	bytes_free(&in);
}

/* Not to be kept: closed after its last request, drained or not. */
ATF_TC_WITHOUT_HEAD(not_kept);
ATF_TC_BODY(not_kept, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	add_request(&in, 2, 0, "echo", NULL, NULL);
	rig_say(rig, &in);
	server_drain(&rig->server);
	add_stdin(&in, 2, "hello", 5);
	add_stdin(&in, 2, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_text(rig, FCGI_STDOUT, 2, "hello");
	ATF_CHECK(!rig->eof);
	request_end(rig_play(rig, 1)->req, 0);
	rig_play(rig, 1)->req = NULL;
	rig_wait_eof(rig);
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	rig_free(rig);
	bytes_free(&in);
}

/* Asks when it is draining already, on account of a request: told at once. */
ATF_TC_WITHOUT_HEAD(asked_late);
ATF_TC_BODY(asked_late, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	rig_say(rig, &in);
	server_drain(&rig->server);
	add_question(&in);
	add_question(&in);
	rig_say(rig, &in);
	rig_wait(rig, FCGI_GET_VALUES_RESULT, 0, 2);
	rig_wait(rig, AFCGI_DRAIN, 0, 1);
	ATF_CHECK_EQ(FCGI_GET_VALUES_RESULT, rig->records[0].h.type);
	request_end(rig_play(rig, 1)->req, 0);
	rig_play(rig, 1)->req = NULL;
	rig_wait_end(rig, 1);
	unit_loop_for(rig->base, 50);
	ATF_CHECK(!rig->eof);
	ATF_CHECK_EQ(1, rig_count(rig, AFCGI_DRAIN, 0));
	rig_free(rig);
	bytes_free(&in);
}

/* The peer goes while a request waits for credit: that is aborted. */
ATF_TC_WITHOUT_HEAD(closed_by_peer);
ATF_TC_BODY(closed_by_peer, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	add_windowed(&in, 1, 10, "write", "1000", "0");
	rig_say(rig, &in);
	server_drain(&rig->server);
	rig_wait(rig, AFCGI_DRAIN, 0, 1);
	rig_disconnect(rig);
	ATF_REQUIRE(unit_loop(rig->base, is_gone, rig));
	ATF_CHECK_EQ(1, rig_play(rig, 1)->naborted);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, idle);
	ATF_TP_ADD_TC(tp, crossing);
	ATF_TP_ADD_TC(tp, ignored);
	ATF_TP_ADD_TC(tp, not_closed);
	ATF_TP_ADD_TC(tp, long_idle);
	ATF_TP_ADD_TC(tp, not_kept);
	ATF_TP_ADD_TC(tp, asked_late);
	ATF_TP_ADD_TC(tp, closed_by_peer);
	return atf_no_error();
}
