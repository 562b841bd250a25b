/*
 * Conversations with web servers, conn.c and records.c:
 *   - the same conversation gives the same answer, cut at every offset and
 *     byte by byte; so do several that are interleaved
 *   - a connection is kept or closed as FCGI_KEEP_CONN says; ids are used again
 *   - streams may have padding, and many small records
 *   - GET_VALUES, unknown management types, unknown application types, roles
 *   - records for ids that have ended are ignored
 *   - ABORT_REQUEST, at any stage, and the peer's close
 * What breaks the protocol is in conn_error_test.c, limits in
 * conn_limit_test.c.
 */
#include "unit_conn.h"

/* One echo of "hello, world", with padding and in several records. */
static void
add_echo(struct bytes *b, uint16_t id, uint8_t flags)
{
	struct bytes pairs = { 0 };

	bytes_begin(b, id, FCGI_RESPONDER, flags);
	bytes_pair(&pairs, "MODE", "echo");
	bytes_pair(&pairs, "STATUS", "7");
	bytes_record(b, FCGI_PARAMS, id, pairs.p, 3, 5);
	bytes_record(b, FCGI_PARAMS, id, pairs.p + 3, pairs.len - 3, 0);
	bytes_record(b, FCGI_PARAMS, id, NULL, 0, 3);
	bytes_record(b, FCGI_STDIN, id, "hello", 5, 3);
	bytes_record(b, FCGI_STDIN, id, ", world", 7, 1);
	bytes_record(b, FCGI_STDIN, id, NULL, 0, 0);
	bytes_free(&pairs);
}

static void
check_echo(struct rig *rig, uint16_t id)
{
	size_t i, last = 0;

	rig_wait_end(rig, id);
	rig_check_text(rig, FCGI_STDOUT, id, "hello, world");
	rig_check_end(rig, id, 7, FCGI_REQUEST_COMPLETE);
	ATF_CHECK_EQ(1, rig_play(rig, id)->nend);
	ATF_CHECK_EQ(0, rig_play(rig, id)->naborted);
	/* an empty STDOUT ends the stream, before END_REQUEST */
	for (i = 0; i < rig->nrecords; i++)
		if (rig->records[i].h.type == FCGI_STDOUT &&
		    rig->records[i].h.id == id)
			last = i;
	ATF_CHECK_EQ(0, rig->records[last].h.content);
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_STDERR, id));
}

/* A request whose bytes are cut in two at any offset is the same request. */
ATF_TC_WITHOUT_HEAD(every_split);
ATF_TC_BODY(every_split, tc)
{
	struct bytes in = { 0 };
	struct rig *rig;
	size_t cut;

	add_echo(&in, 1, 0);
	for (cut = 1; cut < in.len; cut++) {
		rig = rig_new(NULL);
		rig_send_cut(rig, &in, cut, in.len);
		check_echo(rig, 1);
		rig_wait_eof(rig);
		rig_free(rig);
	}
	bytes_free(&in);
}

/* All kinds of records, for three requests in turn, byte by byte. */
ATF_TC_WITHOUT_HEAD(byte_by_byte);
ATF_TC_BODY(byte_by_byte, tc)
{
	static const uint16_t ids[] = { 1, 258, 65535 };
	struct bytes one[3] = { { 0 }, { 0 }, { 0 } }, in = { 0 };
	struct rig *rig;
	struct fcgi_header h;
	size_t at[3] = { 0 }, i, len, left;
	uint32_t random = 5;

	for (i = 0; i < 3; i++)
		add_echo(&one[i], ids[i], FCGI_KEEP_CONN);
	for (left = one[0].len + one[1].len + one[2].len; left > 0;) {
		i = unit_random(&random) % 3;
		if (at[i] == one[i].len)
			continue;
		h = fcgi_header_get(one[i].p + at[i]);
		len = FCGI_HEADER_LEN + (size_t)h.content + h.padding;
		bytes_add(&in, one[i].p + at[i], len);
		at[i] += len;
		left -= len;
	}
	bytes_record(&in, FCGI_GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17, 2);
	bytes_record(&in, 77, 0, "x", 1, 0);
	rig = rig_new(NULL);
	rig_send_cut(rig, &in, 0, 1);
	for (i = 0; i < 3; i++)
		check_echo(rig, ids[i]);
	rig_wait(rig, FCGI_UNKNOWN_TYPE, 0, 1);
	rig_check_text(rig, FCGI_GET_VALUES_RESULT, 0, "\17\1FCGI_MPXS_CONNS1");
	ATF_CHECK_EQ(3, rig->nplays);
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	for (i = 0; i < 3; i++)
		bytes_free(&one[i]);
	bytes_free(&in);
}

/* With KEEP_CONN request follows request, under any id, used or new. */
ATF_TC_WITHOUT_HEAD(kept);
ATF_TC_BODY(kept, tc)
{
	static const uint16_t ids[] = { 1, 1, 65535, 1, 300, 65535, 2 };
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	size_t i, n = 0;

	for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		in.len = 0;
		add_echo(&in, ids[i], FCGI_KEEP_CONN);
		rig_send(rig, &in);
		n = rig_count(rig, FCGI_END_REQUEST, ids[i]);
		rig_wait(rig, FCGI_END_REQUEST, ids[i], n + 1);
		ATF_CHECK(rig_play(rig, ids[i])->req == NULL);
	}
	ATF_CHECK_EQ(7, rig->nplays);
	ATF_CHECK(!rig->eof);
	ATF_CHECK_EQ(1, rig->server.nconns);
	/* the last one decides */
	in.len = 0;
	add_echo(&in, 9, 0);
	rig_send(rig, &in);
	check_echo(rig, 9);
	rig_wait_eof(rig);
	ATF_CHECK_EQ(0, rig->server.nconns);
	ATF_CHECK_EQ(1, rig->ngone);
	rig_free(rig);
	bytes_free(&in);
}

/* Without KEEP_CONN it is closed when the last request has ended. */
ATF_TC_WITHOUT_HEAD(not_kept);
ATF_TC_BODY(not_kept, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, 0, "echo", NULL, NULL);
	add_request(&in, 2, 0, "echo", NULL, NULL);
	add_stdin(&in, 1, "one", 3);
	add_stdin(&in, 1, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	ATF_CHECK(!rig->eof);
	in.len = 0;
	add_stdin(&in, 2, "two", 3);
	add_stdin(&in, 2, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_text(rig, FCGI_STDOUT, 1, "one");
	rig_check_text(rig, FCGI_STDOUT, 2, "two");
	rig_wait_eof(rig);
	rig_free(rig);
	bytes_free(&in);
}

/* Names that are known are answered, others are left out. */
ATF_TC_WITHOUT_HEAD(get_values);
ATF_TC_BODY(get_values, tc)
{
	struct bytes pairs = { 0 }, in = { 0 }, want = { 0 }, out = { 0 };
	struct rig *rig = rig_new("connections=123,requests=2");
	size_t cut;

	ATF_CHECK_EQ(246, rig->server.max_requests);
	rig->server.max_requests = 9;
	bytes_pair(&pairs, "FCGI_MPXS_CONNS", "");
	bytes_pair(&pairs, "FCGI_MAX_REQS", "");
	bytes_pair(&pairs, "NO_SUCH", "");
	bytes_pair(&pairs, "FCGI_MAX_CONNS", "");
	bytes_record(&in, FCGI_GET_VALUES, 0, pairs.p, pairs.len, 6);
	bytes_pair(&want, "FCGI_MAX_CONNS", "123");
	bytes_pair(&want, "FCGI_MAX_REQS", "9");
	bytes_pair(&want, "FCGI_MPXS_CONNS", "1");
	for (cut = 1; cut < in.len; cut++) {
		rig_send_cut(rig, &in, cut, in.len);
		rig_wait(rig, FCGI_GET_VALUES_RESULT, 0, cut);
	}
	rig_stream(rig, FCGI_GET_VALUES_RESULT, 0, &out);
	ATF_CHECK_EQ(want.len * (in.len - 1), out.len);
	for (cut = 0; cut + want.len <= out.len; cut += want.len)
		ATF_CHECK(memcmp(out.p + cut, want.p, want.len) == 0);
	/* nothing asked for, nothing known, nonsense: an empty answer */
	in.len = 0;
	bytes_record(&in, FCGI_GET_VALUES, 0, NULL, 0, 0);
	bytes_record(&in, FCGI_GET_VALUES, 0, "\1\0X", 3, 0);
	bytes_record(&in, FCGI_GET_VALUES, 0, "\377\377\377\377X", 5, 0);
	rig->nrecords = 0;
	rig_send(rig, &in);
	rig_wait(rig, FCGI_GET_VALUES_RESULT, 0, 3);
	rig_check_text(rig, FCGI_GET_VALUES_RESULT, 0, "");
	rig_free(rig);
	bytes_free(&pairs);
	bytes_free(&in);
	bytes_free(&want);
	bytes_free(&out);
}

/* Section 4.2 for types of id 0; others are ignored. */
ATF_TC_WITHOUT_HEAD(unknown_types);
ATF_TC_BODY(unknown_types, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	char content[300];

	memset(content, 0, sizeof content);
	bytes_record(&in, 12, 0, content, sizeof content, 7);
	bytes_record(&in, 255, 0, NULL, 0, 0);
	bytes_record(&in, 200, 1, content, sizeof content, 7);
	bytes_record(&in, FCGI_GET_VALUES, 5, content, 2, 0);
	add_echo(&in, 1, 0);
	rig_send(rig, &in);
	check_echo(rig, 1);
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_UNKNOWN_TYPE, 0));
	ATF_CHECK_EQ(FCGI_UNKNOWN_LEN, rig->records[0].h.content);
	ATF_CHECK_EQ(12, rig->got.p[rig->records[0].at]);
	ATF_CHECK_EQ(255, rig->got.p[rig->records[1].at]);
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_GET_VALUES_RESULT, 5));
	rig_free(rig);
	bytes_free(&in);
}

/* The Filter, and roles that nobody knows: UNKNOWN_ROLE, and life goes on. */
ATF_TC_WITHOUT_HEAD(roles);
ATF_TC_BODY(roles, tc)
{
	static const uint16_t bad[] = { FCGI_FILTER, 0, 4, 0x101, 65535 };
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);
	uint16_t i;

	for (i = 0; i < 5; i++) {
		bytes_begin(&in, (uint16_t)(i + 1), bad[i], FCGI_KEEP_CONN);
		/* the web server may have sent the rest already */
		bytes_record(&in, FCGI_PARAMS, (uint16_t)(i + 1), "\1\1AB", 4,
		    0);
		bytes_record(&in, FCGI_PARAMS, (uint16_t)(i + 1), NULL, 0, 0);
	}
	rig_send(rig, &in);
	rig_wait(rig, FCGI_END_REQUEST, 1, 1);
	in.len = 0;
	add_echo(&in, 9, FCGI_KEEP_CONN);
	rig_send(rig, &in);
	check_echo(rig, 9);
	for (i = 0; i < 5; i++)
		rig_check_end(rig, (uint16_t)(i + 1), 0, FCGI_UNKNOWN_ROLE);
	/* once its end has been read, an id is free again */
	in.len = 0;
	add_echo(&in, 1, FCGI_KEEP_CONN);
	rig->nrecords = 0;
	rig_send(rig, &in);
	check_echo(rig, 1);
	ATF_CHECK_EQ(2, rig->nplays);
	in.len = 0;
	bytes_begin(&in, 8, FCGI_FILTER, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 8);
	rig_wait_eof(rig);
	rig_free(rig);
	bytes_free(&in);
}

/* What comes late for a request that has ended is nobody's. */
ATF_TC_WITHOUT_HEAD(late_records);
ATF_TC_BODY(late_records, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	add_request(&in, 1, FCGI_KEEP_CONN, "page", NULL, "404");
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	in.len = 0;
	add_stdin(&in, 1, "late", 4);
	add_stdin(&in, 1, NULL, 0);
	bytes_record(&in, FCGI_PARAMS, 1, "x", 1, 0);
	bytes_record(&in, FCGI_DATA, 1, "x", 1, 0);
	bytes_record(&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	add_echo(&in, 2, FCGI_KEEP_CONN);
	rig_send(rig, &in);
	check_echo(rig, 2);
	ATF_CHECK_EQ(1, rig_count(rig, FCGI_END_REQUEST, 1));
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&in);
}

/* An abort ends a request at once, whether or not the handler knows it. */
ATF_TC_WITHOUT_HEAD(abort_request);
ATF_TC_BODY(abort_request, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new(NULL);

	bytes_begin(&in, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
	bytes_record(&in, FCGI_PARAMS, 1, "\4", 1, 0);
	bytes_record(&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	add_request(&in, 2, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_request(&in, 3, FCGI_KEEP_CONN, "hold", NULL, NULL);
	bytes_record(&in, FCGI_ABORT_REQUEST, 2, "junk", 4, 4);
	bytes_record(&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_wait_end(rig, 2);
	ATF_CHECK_EQ(2, rig->nplays);
	ATF_CHECK_EQ(1, rig_play(rig, 2)->naborted);
	ATF_CHECK_EQ(0, rig_play(rig, 3)->naborted);
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 3));
	/* both ids are free again */
	in.len = 0;
	add_echo(&in, 2, FCGI_KEEP_CONN);
	rig_send(rig, &in);
	rig_wait(rig, FCGI_END_REQUEST, 2, 2);
	rig_free(rig);
	bytes_free(&in);
}

static int
is_gone(void *arg)
{
	return ((struct rig *)arg)->server.nconns == 0;
}

/* When the web server goes, all its requests are aborted, once each. */
ATF_TC_WITHOUT_HEAD(peer_closes);
ATF_TC_BODY(peer_closes, tc)
{
	struct bytes in = { 0 };
	struct rig *rig;
	uint16_t id;
	int half;

	for (half = 0; half < 3; half++) {
		rig = rig_new(NULL);
		in.len = 0;
		for (id = 1; id <= 20; id++)
			add_request(&in, id, FCGI_KEEP_CONN, "hold", NULL,
			    NULL);
		bytes_begin(&in, 21, FCGI_RESPONDER, FCGI_KEEP_CONN);
		if (half == 1) /* in the middle of a record */
			bytes_add(&in, "\1\5\0", 3);
		rig_send(rig, &in);
		rig_settle(rig);
		ATF_REQUIRE_EQ(20, rig->nplays);
		if (half == 2)
			ATF_REQUIRE_EQ(0, shutdown(rig->fd, SHUT_WR));
		else
			rig_disconnect(rig);
		ATF_REQUIRE(unit_loop(rig->base, is_gone, rig));
		for (id = 1; id <= 20; id++)
			ATF_CHECK_EQ(1, rig_play(rig, id)->naborted);
		rig_free(rig);
	}
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, every_split);
	ATF_TP_ADD_TC(tp, byte_by_byte);
	ATF_TP_ADD_TC(tp, kept);
	ATF_TP_ADD_TC(tp, not_kept);
	ATF_TP_ADD_TC(tp, get_values);
	ATF_TP_ADD_TC(tp, unknown_types);
	ATF_TP_ADD_TC(tp, roles);
	ATF_TP_ADD_TC(tp, late_records);
	ATF_TP_ADD_TC(tp, abort_request);
	ATF_TP_ADD_TC(tp, peer_closes);
	return atf_no_error();
}
