/*
 * What agrees upon flow control, and what breaks it: records.c and request.c,
 * fcgi_flow(7):
 *   - the window is told to who asks for it, and the extension is used with
 *     nobody else
 *   - a request is windowed by credit before the end of its PARAMS
 *   - credit of a wrong length, for id 0, for an id that never began, for a
 *     plain request, or too much of it ends the connection; for an ended
 *     request it is ignored
 *   - before the end of the PARAMS no content goes to who may still become
 *     windowed
 */
#include "unit_flow.h"

/* The answer to what was asked, whole. */
static void
check_values(const char *limits, const char *name, const char *value)
{
	struct bytes in = { 0 }, want = { 0 };
	struct rig *rig = rig_new(limits);

	bytes_pair(&want, name, "");
	bytes_record(&in, FCGI_GET_VALUES, 0, want.p, want.len, 0);
	rig_say(rig, &in);
	rig_wait(rig, FCGI_GET_VALUES_RESULT, 0, 1);
	want.len = 0;
	if (value != NULL)
		bytes_pair(&want, name, value);
	ATF_REQUIRE_EQ(want.len, rig->records[0].h.content);
	ATF_CHECK_EQ(0, memcmp(want.p, rig->got.p + FCGI_HEADER_LEN, want.len));
	ATF_CHECK_EQ(strcmp(name, AFCGI_WINDOW) == 0, rig_conn(rig)->flow);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&want);
}

ATF_TC_WITHOUT_HEAD(values);
ATF_TC_BODY(values, tc)
{
	check_values(NULL, "AFCGI_WINDOW", "65536");
	check_values("window=4k", "AFCGI_WINDOW", "4096");
	check_values("window=1g", "AFCGI_WINDOW", "65536");
	check_values(NULL, "FCGI_MPXS_CONNS", "1");
	check_values(NULL, "AFCGI_WINDOWS", NULL);
	check_values(NULL, "AFCGI_CREDIT", NULL);
}

/* Who has not asked: types 200 and 201 are unknown, whatever they look like. */
ATF_TC_WITHOUT_HEAD(not_asked);
ATF_TC_BODY(not_asked, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_credit(&in, 9, 1);
	bytes_record(&in, AFCGI_CREDIT, 9, "x", 1, 0);
	add_windowed(&in, 1, 0, "echo", NULL, NULL);
	add_stdin(&in, 1, "hello", 5);
	add_credit(&in, 1, AFCGI_WINDOW_MAX);
	add_credit(&in, 1, AFCGI_WINDOW_MAX);
	add_stdin(&in, 1, NULL, 0);
	add_credit(&in, 0, 1);
	bytes_record(&in, AFCGI_DRAIN, 0, NULL, 0, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_wait(rig, FCGI_UNKNOWN_TYPE, 0, 2);
	rig_check_text(rig, FCGI_STDOUT, 1, "hello");
	ATF_CHECK(!rig_conn(rig)->flow);
	/* and what drains it closes it at once */
	conn_drain(rig_conn(rig));
	rig_wait_eof(rig);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_DRAIN, 0));
	rig_free(rig);
	bytes_free(&in);
}

/* What is good before the bad record, and is ended by it. */
static void
check_error(const struct bytes *bad)
{
	struct bytes in = { 0 };
	struct rig *rig;
	size_t piece;

	for (piece = 1; piece < 40; piece += 12) {
		rig = rig_flow(NULL);
		add_windowed(&in, 1, 1000, "hold", NULL, NULL);
		add_request(&in, 2, FCGI_KEEP_CONN, "hold", NULL, NULL);
		add_windowed(&in, 3, 1000, "write", "0", "0");
		rig_say(rig, &in);
		ATF_CHECK(!rig->eof);
		rig_send_cut(rig, bad, 0, piece);
		rig_wait_eof(rig);
		ATF_CHECK_EQ(1, rig_play(rig, 1)->naborted);
		ATF_CHECK_EQ(1, rig_play(rig, 2)->naborted);
		rig_free(rig);
	}
	bytes_free(&in);
}

ATF_TC_WITHOUT_HEAD(errors);
ATF_TC_BODY(errors, tc)
{
	struct bytes bad = { 0 };
	uint8_t zeros[100] = { 0 };
	size_t len;

	for (len = 0; len < 100; len = len < 8 ? len + 1 : len + 91) {
		if (len == AFCGI_CREDIT_LEN)
			continue;
		bad.len = 0;
		bytes_record(&bad, AFCGI_CREDIT, 1, zeros, len, 3);
		check_error(&bad);
	}
	bad.len = 0;
	/* of a wrong length, for one that has ended */
	bytes_record(&bad, AFCGI_CREDIT, 3, zeros, 5, 0);
	check_error(&bad);
	bad.len = 0;
	add_credit(&bad, 0, 1);
	check_error(&bad);
	bad.len = 0;
	add_credit(&bad, 4, 1);
	check_error(&bad);
	bad.len = 0;
	add_credit(&bad, 2, 0); /* a plain one */
	check_error(&bad);
	bad.len = 0;
	add_credit(&bad, 1, AFCGI_WINDOW_MAX - 1000);
	add_credit(&bad, 1, 1);
	check_error(&bad);
	bad.len = 0;
	add_credit(&bad, 1, UINT32_MAX);
	check_error(&bad);
	bytes_free(&bad);
}

/* Up to the end of the PARAMS, in several parts, and 0 is credit too. */
ATF_TC_WITHOUT_HEAD(windowed);
ATF_TC_BODY(windowed, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	bytes_begin(&in, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 1, "\4\5MO", 4, 0);
	add_credit(&in, 1, 0);
	bytes_record(&in, FCGI_PARAMS, 1, "DEwrite\4\4SIZE1000", 17, 0);
	add_credit(&in, 1, 100);
	add_credit(&in, 1, 5);
	bytes_record(&in, FCGI_PARAMS, 1, NULL, 0, 0);
	rig_say(rig, &in);
	rig_wait(rig, FCGI_STDOUT, 1, 1);
	ATF_CHECK_EQ(105, rig_cost(rig, 1));
	/* credit for one that has ended is ignored, whatever it is */
	add_credit(&in, 1, AFCGI_WINDOW_MAX);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	add_credit(&in, 1, AFCGI_WINDOW_MAX);
	add_credit(&in, 1, UINT32_MAX);
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "5", "0");
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	ATF_CHECK(!rig->eof);
	/* the id begins anew: a plain one this time */
	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	rig_say(rig, &in);
	ATF_CHECK(!rig->eof);
	add_credit(&in, 1, 1);
	rig_send(rig, &in);
	rig_wait_eof(rig);
	rig_free(rig);
	bytes_free(&in);
}

/* Whole connections, cut anywhere: the same as in one piece. */
ATF_TC_WITHOUT_HEAD(pieces);
ATF_TC_BODY(pieces, tc)
{
	struct bytes in = { 0 };
	struct rig *rig;
	size_t first, len;

	add_question(&in);
	add_windowed(&in, 1, 60, "echo", NULL, NULL);
	add_stdin(&in, 1, "hello", 5);
	add_credit(&in, 1, 60);
	add_stdin(&in, 1, ", world", 7);
	add_stdin(&in, 1, NULL, 0);
	len = in.len;
	for (first = 0; first < len; first++) {
		rig = rig_new(NULL);
		rig_send_cut(rig, &in, first, first == 0 ? 1 : SIZE_MAX);
		rig_wait_end(rig, 1);
		rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
		rig_check_text(rig, FCGI_STDOUT, 1, "hello, world");
		ATF_CHECK_EQ(1, rig_conn(rig)->flow);
		rig_free(rig);
	}
	bytes_free(&in);
}

/* Refused before its credit can have come: no page, but FCGI_OVERLOADED. */
ATF_TC_WITHOUT_HEAD(early);
ATF_TC_BODY(early, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("requests=1,params=512,params_time=0.2");
	char value[600];

	memset(value, 'v', sizeof value);
	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	add_windowed(&in, 2, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_end(rig, 2, 0, FCGI_OVERLOADED);
	ATF_CHECK_EQ(0, rig_cost(rig, 2));
	request_end(rig_play(rig, 1)->req, 0);
	rig_play(rig, 1)->req = NULL;
	rig_wait_end(rig, 1);
	/* too many parameters: a page if it is windowed, and not otherwise */
	bytes_begin(&in, 3, FCGI_RESPONDER, FCGI_KEEP_CONN);
	add_credit(&in, 3, 1000);
	bytes_record(&in, FCGI_PARAMS, 3, value, sizeof value, 0);
	bytes_begin(&in, 4, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 4, value, sizeof value, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 4);
	rig_check_end(rig, 3, 0, FCGI_REQUEST_COMPLETE);
	ATF_CHECK(rig_cost(rig, 3) > 0);
	rig_check_end(rig, 4, 0, FCGI_OVERLOADED);
	ATF_CHECK_EQ(0, rig_cost(rig, 4));
	/* bad ones: their end has come, so it has a page */
	bytes_begin(&in, 5, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 5, "\5\5MODE", 6, 0);
	bytes_record(&in, FCGI_PARAMS, 5, NULL, 0, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 5);
	rig_check_end(rig, 5, 0, FCGI_REQUEST_COMPLETE);
	ATF_CHECK(rig_cost(rig, 5) > 0);
	/* late ones */
	bytes_begin(&in, 6, FCGI_RESPONDER, FCGI_KEEP_CONN);
	rig_say(rig, &in);
	rig_wait_end(rig, 6);
	rig_check_end(rig, 6, 0, FCGI_OVERLOADED);
	ATF_CHECK_EQ(1, rig->nplays);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, values);
	ATF_TP_ADD_TC(tp, not_asked);
	ATF_TP_ADD_TC(tp, errors);
	ATF_TP_ADD_TC(tp, windowed);
	ATF_TP_ADD_TC(tp, pieces);
	ATF_TP_ADD_TC(tp, early);
	return atf_no_error();
}
