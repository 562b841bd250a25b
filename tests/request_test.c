/*
 * What a handler may do with a request, handler.h and request.c:
 *   - a page; the end with a status; a response that is cut: alone on its
 *     connection, and with others beside it
 *   - STDOUT and STDERR, in one piece, reserved and committed, cancelled
 *   - STDERR's end is sent if there was any
 *   - parameters can be read, and taken over
 *   - input is held back until it is asked for, and its end comes after it
 *   - an authorizer has no input
 *   - ending a request inside any call-back
 */
#include "unit_conn.h"

static void
send_text(struct rig *rig, struct bytes *in)
{
	rig_send(rig, in);
	rig_settle(rig);
	in->len = 0;
}

/* The page is a CGI response in one record, and appStatus is 0. */
ATF_TC_WITHOUT_HEAD(page);
ATF_TC_BODY(page, tc)
{
	static const char *const statuses[] = { "400", "403", "404", "500",
		"502", "503", "504" };
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	uint16_t id;

	for (id = 1; id <= 7; id++) {
		add_request(&in, id, FCGI_KEEP_CONN, "page", NULL,
		    statuses[id - 1]);
		send_text(rig, &in);
		rig_wait_end(rig, id);
		rig_check_end(rig, id, 0, FCGI_REQUEST_COMPLETE);
		ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDOUT, id));
		ATF_CHECK_EQ(0,
		    memcmp("Status: ",
			rig->got.p + rig->records[3 * (id - 1)].at, 8));
		ATF_CHECK_EQ(0,
		    memcmp(statuses[id - 1],
			rig->got.p + rig->records[3 * (id - 1)].at + 8, 3));
	}
	rig_free(rig);
	bytes_free(&in);
}

/* appStatus is what the handler says, all 32 bits of it. */
ATF_TC_WITHOUT_HEAD(app_status);
ATF_TC_BODY(app_status, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "write", "0", "255");
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "1", "4294967295");
	send_text(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_end(rig, 1, 255, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 2, 4294967295U, FCGI_REQUEST_COMPLETE);
	ATF_CHECK_EQ(1, rig_count(rig, FCGI_STDOUT, 1));
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDOUT, 2));
	rig_free(rig);
	bytes_free(&in);
}

/*
 * Alone, a cut response has no end: a record of version 0, then the
 * connection's close.  Kept or not.
 */
ATF_TC_WITHOUT_HEAD(cut_alone);
ATF_TC_BODY(cut_alone, tc)
{
	struct bytes in = { 0 };
	struct rig *rig;
	int keep;

	for (keep = 0; keep < 2; keep++) {
		rig = rig_new(NULL);
		add_request(&in, 1, (uint8_t)keep, "cut", "100000", "0");
		add_stdin(&in, 1, NULL, 0);
		send_text(rig, &in);
		rig_wait_eof(rig);
		ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 1));
		ATF_REQUIRE(rig->nrecords > 1);
		ATF_CHECK_EQ(0, rig->records[rig->nrecords - 1].h.version);
		rig->nrecords--;
		while (rig->nrecords > 0) {
			rig->nrecords--;
			ATF_CHECK_EQ(FCGI_STDOUT,
			    rig->records[rig->nrecords].h.type);
			ATF_CHECK(rig->records[rig->nrecords].h.content > 0);
		}
		rig_free(rig);
	}
	bytes_free(&in);
}

/* With others beside it, only its status can tell; they are not harmed. */
ATF_TC_WITHOUT_HEAD(cut_among_others);
ATF_TC_BODY(cut_among_others, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_request(&in, 2, FCGI_KEEP_CONN, "cut", "10", "0");
	add_request(&in, 3, FCGI_KEEP_CONN, "cut", "10", "134");
	send_text(rig, &in);
	rig_wait_end(rig, 3);
	rig_check_end(rig, 2, 1, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 3, 134, FCGI_REQUEST_COMPLETE);
	add_stdin(&in, 1, "still here", 10);
	add_stdin(&in, 1, NULL, 0);
	send_text(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "still here");
	rig_free(rig);
	bytes_free(&in);
}

/* Records of both streams, in order; STDERR gets its own end. */
ATF_TC_WITHOUT_HEAD(streams);
ATF_TC_BODY(streams, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	struct request *req;
	uint8_t *p;
	size_t room;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	send_text(rig, &in);
	req = rig_play(rig, 1)->req;
	ATF_REQUIRE_EQ(5, request_write(req, FCGI_STDOUT, "first", 5));
	ATF_REQUIRE((p = request_reserve(req, 100, &room)) != NULL);
	ATF_REQUIRE_EQ(100, room);
	request_cancel(req);
	ATF_REQUIRE((p = request_reserve(req, 100, &room)) != NULL);
	memcpy(p, "second", 6);
	request_commit(req, FCGI_STDOUT, 6);
	ATF_REQUIRE_EQ(4, request_write_errors(req, "oops", 4));
	ATF_REQUIRE_EQ(0, request_write(req, FCGI_STDOUT, "", 0));
	ATF_CHECK_EQ(request_server(req), &rig->server);
	ATF_CHECK_EQ(FCGI_RESPONDER, request_role(req));
	rig_play(rig, 1)->req = NULL;
	request_end(req, 0);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "firstsecond");
	rig_check_text(rig, FCGI_STDERR, 1, "oops");
	ATF_CHECK_EQ(3, rig_count(rig, FCGI_STDOUT, 1));
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDERR, 1));
	ATF_CHECK_EQ(6, rig->nrecords);
	rig_free(rig);
	bytes_free(&in);
}

/* STDERR written as any other stream is ended as well. */
ATF_TC_WITHOUT_HEAD(plain_stderr);
ATF_TC_BODY(plain_stderr, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	struct request *req;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	send_text(rig, &in);
	req = rig_play(rig, 1)->req;
	ATF_REQUIRE_EQ(4, request_write(req, FCGI_STDERR, "oops", 4));
	rig_play(rig, 1)->req = NULL;
	request_end(req, 0);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDERR, 1, "oops");
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDERR, 1));
	rig_free(rig);
	bytes_free(&in);
}

/* Parameters are there until they are taken, and then the taker's. */
ATF_TC_WITHOUT_HEAD(parameters);
ATF_TC_BODY(parameters, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	struct params params;
	struct request *req;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", "12", NULL);
	send_text(rig, &in);
	req = rig_play(rig, 1)->req;
	ATF_CHECK_STREQ("12", request_param(req, "SIZE"));
	ATF_CHECK(request_param(req, "SIZ") == NULL);
	request_take_params(req, &params);
	ATF_CHECK(request_param(req, "SIZE") == NULL);
	bytes_record(&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	send_text(rig, &in);
	ATF_CHECK_STREQ("12", params_get(&params, "SIZE"));
	params_clear(&params);
	rig_free(rig);
	bytes_free(&in);
}

/* Nothing comes unasked; what comes is what was asked for; then its end. */
ATF_TC_WITHOUT_HEAD(input);
ATF_TC_BODY(input, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	struct play *play;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_stdin(&in, 1, "abcdefgh", 8);
	send_text(rig, &in);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, play->ninput);
	play->room = 3;
	request_input_ready(play->req);
	ATF_CHECK_EQ(3, play->in.len);
	add_stdin(&in, 1, "ijk", 3);
	send_text(rig, &in);
	ATF_CHECK_EQ(3, play->in.len);
	ATF_CHECK_EQ(0, play->narrived);
	add_stdin(&in, 1, NULL, 0);
	add_stdin(&in, 1, "too late", 8);
	send_text(rig, &in);
	ATF_CHECK_EQ(1, play->narrived);
	ATF_CHECK(request_input_arrived(play->req));
	ATF_CHECK_EQ(0, play->nend);
	play->room = 7;
	request_input_ready(play->req);
	ATF_CHECK_EQ(0, play->nend);
	play->room = 100;
	request_input_ready(play->req);
	ATF_CHECK_EQ(1, play->nend);
	ATF_REQUIRE_EQ(11, play->in.len);
	ATF_CHECK_EQ(0, memcmp("abcdefghijk", play->in.p, 11));
	request_input_ready(play->req);
	ATF_CHECK_EQ(1, play->nend);
	rig_free(rig);
	bytes_free(&in);
}

/* Section 6.3: an authorizer's STDIN is empty from the start. */
ATF_TC_WITHOUT_HEAD(authorizer);
ATF_TC_BODY(authorizer, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	struct play *play;

	bytes_begin(&in, 1, FCGI_AUTHORIZER, 0);
	bytes_record(&in, FCGI_PARAMS, 1, "\4\4MODEhold", 10, 0);
	bytes_record(&in, FCGI_PARAMS, 1, NULL, 0, 0);
	send_text(rig, &in);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(FCGI_AUTHORIZER, request_role(play->req));
	ATF_CHECK(request_input_arrived(play->req));
	request_input_ready(play->req);
	ATF_CHECK_EQ(1, play->nend);
	ATF_CHECK_EQ(0, play->ninput);
	request_end(play->req, 0);
	play->req = NULL;
	rig_wait_eof(rig);
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	rig_free(rig);
	bytes_free(&in);
}

static void
end_here(struct request *req)
{
	struct play *play = request_context(req);

	play->req = NULL;
	request_page(req, 403);
}

static size_t
end_in_input(struct request *req, const uint8_t *p, size_t n)
{
	(void)p;
	end_here(req);
	return n / 2;
}

static void
check_ended_inside(struct rig *rig)
{
	struct bytes in = { 0 };

	add_request(&in, 1, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_stdin(&in, 1, "abc", 3);
	add_stdin(&in, 1, "def", 3);
	add_stdin(&in, 1, NULL, 0);
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "5", NULL);
	send_text(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	rig_free(rig);
	bytes_free(&in);
}

/* input, input_arrived and input_end may each be a request's last. */
ATF_TC_WITHOUT_HEAD(end_inside);
ATF_TC_BODY(end_inside, tc)
{
	struct rig *rig;

	rig = rig_new(NULL);
	rig->handler.input = end_in_input;
	check_ended_inside(rig);
	rig = rig_new(NULL);
	rig->handler.input_arrived = end_here;
	check_ended_inside(rig);
	rig = rig_new(NULL);
	rig->handler.input_end = end_here;
	check_ended_inside(rig);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, page);
	ATF_TP_ADD_TC(tp, app_status);
	ATF_TP_ADD_TC(tp, cut_alone);
	ATF_TP_ADD_TC(tp, cut_among_others);
	ATF_TP_ADD_TC(tp, streams);
	ATF_TP_ADD_TC(tp, plain_stderr);
	ATF_TP_ADD_TC(tp, parameters);
	ATF_TP_ADD_TC(tp, input);
	ATF_TP_ADD_TC(tp, authorizer);
	ATF_TP_ADD_TC(tp, end_inside);
	return atf_no_error();
}
