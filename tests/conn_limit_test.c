/*
 * The limits of a connection, conn.c, records.c and request.c:
 *   - `requests' and `half_open': as many as that, and a page for one more,
 *     which leaves the others alone
 *   - `params': as many bytes as that, and 431 for one more
 *   - `params_time': 408 for those that are late, and only for those
 *   - `conn_idle': a connection without requests is closed, one with is not
 *   - draining: idle connections close at once, others after their requests
 *   - more answers than the peer reads stop the reading
 */
#include "unit_conn.h"

/* One request more than the limit is refused; when one ends there is room. */
ATF_TC_WITHOUT_HEAD(requests);
ATF_TC_BODY(requests, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("requests=5");
	uint16_t id;

	for (id = 1; id <= 5; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "echo", NULL, NULL);
	rig_send(rig, &in);
	rig_settle(rig);
	ATF_CHECK_EQ(5, rig->nplays);
	in.len = 0;
	add_request(&in, 6, FCGI_KEEP_CONN, "echo", NULL, NULL);
	add_stdin(&in, 6, "x", 1);
	add_stdin(&in, 6, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 6);
	rig_check_end(rig, 6, 0, FCGI_REQUEST_COMPLETE);
	ATF_CHECK_EQ(5, rig->nplays);
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDOUT, 6));
	ATF_CHECK_EQ(0, memcmp("Status: 503", rig->got.p + 8, 11));
	in.len = 0;
	add_stdin(&in, 3, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 3);
	in.len = 0;
	add_request(&in, 7, FCGI_KEEP_CONN, "echo", NULL, NULL);
	for (id = 1; id <= 7; id++)
		if (id != 3 && id != 6)
			add_stdin(&in, id, NULL, 0);
	rig_send(rig, &in);
	for (id = 1; id <= 7; id++)
		rig_wait_end(rig, id);
	ATF_CHECK_EQ(6, rig->nplays);
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&in);
}

/* Requests in PARAMS have a limit of their own. */
ATF_TC_WITHOUT_HEAD(half_open);
ATF_TC_BODY(half_open, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("half_open=3,requests=100");
	uint16_t id;

	/* those whose PARAMS have ended do not count */
	for (id = 11; id <= 20; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "echo", NULL, NULL);
	for (id = 1; id <= 4; id++)
		bytes_begin(&in, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
	rig_send(rig, &in);
	rig_wait_end(rig, 4);
	ATF_CHECK_EQ(0, memcmp("Status: 503", rig->got.p + 8, 11));
	ATF_CHECK_EQ(10, rig->nplays);
	/* one gets on, one is aborted: room for two */
	in.len = 0;
	bytes_record(&in, FCGI_PARAMS, 1, "\4\4MODEecho", 10, 0);
	bytes_record(&in, FCGI_PARAMS, 1, NULL, 0, 0);
	bytes_record(&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
	for (id = 5; id <= 7; id++)
		bytes_begin(&in, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
	rig_send(rig, &in);
	rig_wait_end(rig, 7);
	ATF_CHECK_EQ(11, rig->nplays);
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 3));
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 5));
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 6));
	rig_free(rig);
	bytes_free(&in);
}

/* 512 bytes of parameters at a limit of 512, and 513, in all divisions. */
ATF_TC_WITHOUT_HEAD(params);
ATF_TC_BODY(params, tc)
{
	struct bytes pairs = { 0 }, in = { 0 };
	struct rig *rig = rig_new("params=512");
	char value[513];
	size_t over, first;
	uint16_t id = 0;

	memset(value, 'v', sizeof value);
	for (over = 0; over < 2; over++) {
		pairs.len = 0;
		bytes_pair(&pairs, "MODE", "echo");
		bytes_pair_n(&pairs, "X", 1, value, 512 + over - pairs.len - 6);
		ATF_REQUIRE_EQ(512 + over, pairs.len);
		for (first = 1; first < pairs.len; first += 13) {
			id++;
			in.len = 0;
			bytes_begin(&in, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
			bytes_record(&in, FCGI_PARAMS, id, pairs.p, first, 0);
			bytes_record(&in, FCGI_PARAMS, id, pairs.p + first,
			    pairs.len - first, 0);
			bytes_record(&in, FCGI_PARAMS, id, NULL, 0, 0);
			add_stdin(&in, id, NULL, 0);
			rig->nrecords = 0;
			rig_send(rig, &in);
			rig_wait_end(rig, id);
			ATF_CHECK_EQ(over, rig->by_id[id] == NULL);
			if (over)
				ATF_CHECK_EQ(0,
				    memcmp("Status: 431",
					rig->got.p + rig->records[0].at, 11));
		}
	}
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&pairs);
	bytes_free(&in);
}

/* Parameters that cannot be decoded are 400, and their request alone. */
ATF_TC_WITHOUT_HEAD(bad_params);
ATF_TC_BODY(bad_params, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	bytes_begin(&in, 2, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 2, "\5\5MODE", 6, 0);
	bytes_record(&in, FCGI_PARAMS, 2, NULL, 0, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	ATF_CHECK_EQ(0, memcmp("Status: 400", rig->got.p + 8, 11));
	ATF_CHECK_EQ(1, rig->nplays);
	ATF_CHECK_EQ(0, rig_play(rig, 1)->naborted);
	rig_free(rig);
	bytes_free(&in);
}

/* Who does not end its PARAMS in time gets 408; who has is left alone. */
ATF_TC_WITHOUT_HEAD(params_time);
ATF_TC_BODY(params_time, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("params_time=0.2");
	int64_t start;

	add_request(&in, 1, FCGI_KEEP_CONN, "echo", NULL, NULL);
	bytes_begin(&in, 2, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 2, "\4\4MO", 4, 0);
	start = unit_now();
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	ATF_CHECK(unit_now() - start >= 199);
	ATF_CHECK_EQ(0, memcmp("Status: 408", rig->got.p + 8, 11));
	/* the rest of the late one is ignored */
	in.len = 0;
	bytes_record(&in, FCGI_PARAMS, 2, "DEecho", 6, 0);
	bytes_record(&in, FCGI_PARAMS, 2, NULL, 0, 0);
	add_stdin(&in, 1, "late", 4);
	add_stdin(&in, 1, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "late");
	ATF_CHECK_EQ(1, rig->nplays);
	rig_free(rig);
	bytes_free(&in);
}

/* Without a request it is closed after conn_idle, and not while it has one. */
ATF_TC_WITHOUT_HEAD(conn_idle);
ATF_TC_BODY(conn_idle, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("conn_idle=0.2");
	int64_t start = unit_now();

	rig_wait_eof(rig);
	ATF_CHECK(unit_now() - start >= 199);
	rig_disconnect(rig);
	rig_connect(rig);
	add_request(&in, 1, FCGI_KEEP_CONN, "echo", NULL, NULL);
	rig_send(rig, &in);
	unit_loop_for(rig->base, 500);
	ATF_CHECK(!rig->eof);
	in.len = 0;
	add_stdin(&in, 1, NULL, 0);
	start = unit_now();
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_wait_eof(rig);
	ATF_CHECK(unit_now() - start >= 199);
	rig_free(rig);
	bytes_free(&in);
}

/* Draining: what is idle goes, what is not may finish. */
ATF_TC_WITHOUT_HEAD(drain);
ATF_TC_BODY(drain, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	server_drain(&rig->server);
	rig_wait_eof(rig);
	rig_disconnect(rig);
	rig->server.draining = 0;
	rig_connect(rig);
	add_request(&in, 1, FCGI_KEEP_CONN, "echo", NULL, NULL);
	rig_send(rig, &in);
	rig_settle(rig);
	server_drain(&rig->server);
	in.len = 0;
	add_stdin(&in, 1, "last words", 10);
	add_stdin(&in, 1, NULL, 0);
	rig_send(rig, &in);
	rig_wait_eof(rig);
	rig_check_text(rig, FCGI_STDOUT, 1, "last words");
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	rig_free(rig);
	bytes_free(&in);
}

static int
is_full(void *arg)
{
	const struct rig *rig = arg;

	return rig_conn(rig)->full;
}

/* A flood of questions whose answers nobody reads is not read for ever. */
ATF_TC_WITHOUT_HEAD(flood);
ATF_TC_BODY(flood, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	struct rig_sending s;
	size_t i;

	for (i = 0; i < 200000; i++)
		bytes_record(&in, 99, 0, NULL, 0, 0);
	rig_set_deaf(rig, 1);
	s.rig = rig;
	s.p = in.p;
	s.left = in.len;
	while (!is_full(rig)) {
		(void)rig_sent(&s);
		ATF_REQUIRE(s.left > 0);
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	ATF_CHECK(rig_conn(rig)->outq.bytes < 1024 * 1024);
	/* once they are read it goes on, and answers them all */
	rig_set_deaf(rig, 0);
	ATF_REQUIRE(unit_loop(rig->base, rig_sent, &s));
	while (rig->nrecords < 200000)
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_ONCE) != -1);
	ATF_CHECK_EQ(200000, rig_count(rig, FCGI_UNKNOWN_TYPE, 0));
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, requests);
	ATF_TP_ADD_TC(tp, half_open);
	ATF_TP_ADD_TC(tp, params);
	ATF_TP_ADD_TC(tp, bad_params);
	ATF_TP_ADD_TC(tp, params_time);
	ATF_TP_ADD_TC(tp, conn_idle);
	ATF_TP_ADD_TC(tp, drain);
	ATF_TP_ADD_TC(tp, flood);
	return atf_no_error();
}
