/*
 * Peers that break the protocol, records.c:
 *   - each fault closes that connection, at once or byte by byte, and aborts
 *     its requests; nothing behind the fault is looked at
 *   - other connections do not notice
 *   - random bytes do no harm
 */
#include "unit_conn.h"

static int
is_gone(void *arg)
{
	return ((struct rig *)arg)->server.nconns == 0;
}

/*
 * Sends what is wrong behind a request that is live (id 1) and one that has
 * ended (id 2); the connection must be closed.
 */
static void
check_closed_cut(const struct bytes *fault, size_t piece)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 2, FCGI_KEEP_CONN, "page", NULL, "404");
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	in.len = 0;
	bytes_add(&in, fault->p, fault->len);
	/* what must not begin any more */
	add_request(&in, 77, FCGI_KEEP_CONN, "echo", NULL, NULL);
	rig_send_cut(rig, &in, 0, piece);
	ATF_REQUIRE(unit_loop(rig->base, is_gone, rig));
	rig_wait_eof(rig);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->naborted);
	ATF_CHECK(rig->by_id[77] == NULL);
	rig_free(rig);
	bytes_free(&in);
}

static void
check_closed(const struct bytes *fault)
{
	check_closed_cut(fault, 100000);
	check_closed_cut(fault, 1);
}

static void
check_record(uint8_t type, uint16_t id, size_t len)
{
	struct bytes in = { 0 };
	uint8_t content[64] = { 0, FCGI_RESPONDER };

	bytes_record(&in, type, id, content, len, 0);
	check_closed(&in);
	bytes_free(&in);
}

/* Version 1 is the only one, also for types that nobody knows. */
ATF_TC_WITHOUT_HEAD(version);
ATF_TC_BODY(version, tc)
{
	static const uint8_t versions[] = { 0, 2, 'G', 255 };
	struct bytes in = { 0 };
	size_t i;

	for (i = 0; i < sizeof versions; i++) {
		in.len = 0;
		bytes_record(&in, i == 1 ? 99 : FCGI_STDIN, 1, "x", 1, 0);
		in.p[0] = versions[i];
		check_closed(&in);
	}
	in.len = 0;
	bytes_add(&in, "GET / HTTP/1.0\r\n\r\n", 18);
	check_closed(&in);
	bytes_free(&in);
}

/* BEGIN_REQUEST has eight bytes and an id that is not in use. */
ATF_TC_WITHOUT_HEAD(begin);
ATF_TC_BODY(begin, tc)
{
	check_record(FCGI_BEGIN_REQUEST, 1, 8);
	check_record(FCGI_BEGIN_REQUEST, 0, 8);
	check_record(FCGI_BEGIN_REQUEST, 3, 0);
	check_record(FCGI_BEGIN_REQUEST, 3, 7);
	check_record(FCGI_BEGIN_REQUEST, 3, 9);
	check_record(FCGI_BEGIN_REQUEST, 3, 64);
}

/* Streams belong to ids that have begun, and never to id 0. */
ATF_TC_WITHOUT_HEAD(never_begun);
ATF_TC_BODY(never_begun, tc)
{
	static const uint8_t types[] = { FCGI_PARAMS, FCGI_STDIN,
		FCGI_ABORT_REQUEST, FCGI_DATA };
	size_t i;

	for (i = 0; i < sizeof types; i++) {
		check_record(types[i], 3, 0);
		check_record(types[i], 258, 4);
		check_record(types[i], 65535, 0);
		check_record(types[i], 0, 0);
		check_record(types[i], 0, 5);
	}
}

/* PARAMS come first and end; STDIN follows. */
ATF_TC_WITHOUT_HEAD(order);
ATF_TC_BODY(order, tc)
{
	struct bytes in = { 0 };

	check_record(FCGI_PARAMS, 1, 0);
	check_record(FCGI_PARAMS, 1, 4);
	bytes_begin(&in, 3, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_STDIN, 3, "x", 1, 0);
	check_closed(&in);
	bytes_free(&in);
}

/* The connection beside it goes on as if nothing had been. */
ATF_TC_WITHOUT_HEAD(others);
ATF_TC_BODY(others, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	int fds[2];

	ATF_REQUIRE_EQ(0,
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	ATF_REQUIRE_EQ(0, conn_new(&rig->server, fds[1], "bad"));
	add_request(&in, 1, 0, "echo", NULL, NULL);
	rig_send(rig, &in);
	rig_settle(rig);
	ATF_REQUIRE_EQ(8, write(fds[0], "\0\0\0\0\0\0\0\0", 8));
	while (rig->ngone == 0)
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_ONCE) != -1);
	ATF_CHECK_EQ(1, rig->server.nconns);
	ATF_CHECK_EQ(0, rig_play(rig, 1)->naborted);
	in.len = 0;
	add_stdin(&in, 1, "fine", 4);
	add_stdin(&in, 1, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "fine");
	ATF_REQUIRE_EQ(0, close(fds[0]));
	rig_free(rig);
	bytes_free(&in);
}

/* A good conversation with some bytes changed: it ends somehow, cleanly. */
ATF_TC_WITHOUT_HEAD(random_bytes);
ATF_TC_BODY(random_bytes, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("params_time=3600,conn_idle=3600");
	uint32_t random = 31337;
	unsigned n;
	int round;

	for (round = 0; round < 2000; round++) {
		in.len = 0;
		add_request(&in, 1, round & 1, "echo", NULL, NULL);
		add_stdin(&in, 1, "abcdef", 6);
		add_request(&in, 2, round & 1, "write", "100", "3");
		bytes_record(&in, FCGI_GET_VALUES, 0, "\1\0A", 3, 1);
		add_stdin(&in, 1, NULL, 0);
		bytes_record(&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
		for (n = unit_random(&random) % 6; n > 0; n--)
			in.p[unit_random(&random) % in.len] =
			    (uint8_t)unit_random(&random);
		rig_send_cut(rig, &in, 0,
		    round % 3 == 0 ? 1 + unit_random(&random) % 40 : 100000);
		rig_settle(rig);
		rig_disconnect(rig);
		ATF_REQUIRE(unit_loop(rig->base, is_gone, rig));
		rig->nrecords = rig->parsed = rig->got.len = 0;
		rig_connect(rig);
	}
	ATF_CHECK(rig->nplays > 1000);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, version);
	ATF_TP_ADD_TC(tp, begin);
	ATF_TP_ADD_TC(tp, never_begun);
	ATF_TP_ADD_TC(tp, order);
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, random_bytes);
	return atf_no_error();
}
