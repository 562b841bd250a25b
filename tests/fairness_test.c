/*
 * Output of several requests on one connection, output.c:
 *   - what each wrote comes out whole and in order, whatever the mixture
 *   - while several have data none has much more of the queue, nor of the
 *     stream, than its share; a small response does not wait for a large one
 *   - the queue is limited by `output', however many write
 *   - who finds no room is told when there is some, in the order of waiting
 *   - a web server that does not read costs nothing but its own responses
 */
#include "unit_conn.h"

/* One large response, alone: in large records, complete. */
ATF_TC_WITHOUT_HEAD(alone);
ATF_TC_BODY(alone, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");

	add_request(&in, 1, 0, "write", "3000000", "0");
	add_stdin(&in, 1, NULL, 0);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_pattern(rig, 1, 3000000);
	ATF_CHECK(rig_count(rig, FCGI_STDOUT, 1) < 3000000 / 8192);
	rig_free(rig);
	bytes_free(&in);
}

/* Responses of all sizes at once: each is whole. */
ATF_TC_WITHOUT_HEAD(mixture);
ATF_TC_BODY(mixture, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	char size[16];
	uint16_t id;

	for (id = 1; id <= 100; id++) {
		(void)snprintf(size, sizeof size, "%u", id * id * 10U);
		add_request(&in, id, FCGI_KEEP_CONN, "write", size, "0");
	}
	rig_send(rig, &in);
	for (id = 1; id <= 100; id++) {
		rig_wait_end(rig, id);
		rig_check_pattern(rig, id, id * id * 10U);
	}
	rig_free(rig);
	bytes_free(&in);
}

/*
 * Ten large responses that begin together: at any point of the stream, while
 * all have data, none is far ahead of another.
 */
ATF_TC_WITHOUT_HEAD(shares);
ATF_TC_BODY(shares, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=256k");
	size_t sent[11] = { 0 }, i, least, most;
	uint16_t id;

	rig_set_deaf(rig, 1);
	for (id = 1; id <= 10; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "write", "1000000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	rig_set_deaf(rig, 0);
	for (id = 1; id <= 10; id++)
		rig_wait_end(rig, id);
	for (i = 0; i < rig->nrecords; i++) {
		if (rig->records[i].h.type == FCGI_END_REQUEST)
			break; /* the first has ended */
		sent[rig->records[i].h.id] += rig->records[i].h.content;
		least = most = sent[1];
		for (id = 2; id <= 10; id++) {
			if (sent[id] < least)
				least = sent[id];
			if (sent[id] > most)
				most = sent[id];
		}
		/* the first had the queue for itself when it began */
		ATF_REQUIRE_MSG(most - least <= 2 * 262144,
		    "%zu and %zu after %zu records", least, most, i);
	}
	ATF_CHECK(least > 500000);
	for (id = 1; id <= 10; id++)
		rig_check_pattern(rig, id, 1000000);
	rig_free(rig);
	bytes_free(&in);
}

/* While a large response fills the connection, a small one gets through. */
ATF_TC_WITHOUT_HEAD(small_beside_large);
ATF_TC_BODY(small_beside_large, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	struct bytes out = { 0 };

	rig_set_deaf(rig, 1);
	add_request(&in, 1, FCGI_KEEP_CONN, "write", "20000000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	in.len = 0;
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "5000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	rig_set_deaf(rig, 0);
	rig_wait_end(rig, 2);
	rig_check_pattern(rig, 2, 5000);
	/* before it: the queue, the socket's buffer, and little more */
	rig_stream(rig, FCGI_STDOUT, 1, &out);
	ATF_CHECK_MSG(out.len < 2000000, "%zu bytes came first", out.len);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&out);
}

/* The queue never holds much more than `output', with 200 that write. */
ATF_TC_WITHOUT_HEAD(limit);
ATF_TC_BODY(limit, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	uint16_t id;

	rig_set_deaf(rig, 1);
	for (id = 1; id <= 200; id++) {
		add_request(&in, id, FCGI_KEEP_CONN, "write", "50000", "0");
		rig_send(rig, &in);
		in.len = 0;
		(void)event_base_loop(rig->base, EVLOOP_NONBLOCK);
		ATF_CHECK(rig_conn(rig)->outq.bytes <= 65536 + 32768 + 8);
	}
	rig_settle(rig);
	ATF_CHECK_EQ(200, rig->nplays);
	ATF_CHECK(rig_conn(rig)->outq.bytes <= 65536 + 32768 + 8);
	rig_set_deaf(rig, 0);
	for (id = 1; id <= 200; id++)
		rig_wait_end(rig, id);
	for (id = 1; id <= 200; id += 13)
		rig_check_pattern(rig, id, 50000);
	rig_free(rig);
	bytes_free(&in);
}

static int
has_written(void *arg)
{
	const struct play *play = arg;

	return play->left == 0 && play->req->queued == 0;
}

/*
 * Those that wait are woken in the order in which they began to, but for the
 * first here, which finds the last room: who has written waits in another
 * line, and the two have their turns by turns.
 */
ATF_TC_WITHOUT_HEAD(order);
ATF_TC_BODY(order, tc)
{
	static const uint16_t ids[] = { 5, 3, 9, 1, 7 };
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	size_t i, left;

	rig_set_deaf(rig, 1);
	add_request(&in, 100, FCGI_KEEP_CONN, "write", "2000000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	in.len = 0;
	for (i = 0; i < 5; i++)
		add_request(&in, ids[i], FCGI_KEEP_CONN, "hold", NULL, NULL);
	rig_send(rig, &in);
	rig_settle(rig);
	for (i = 0; i < 5; i++) {
		struct play *play = rig_play(rig, ids[i]);

		play->left = play->total = 100000;
		play_write(play);
		ATF_REQUIRE(play->left > 0);
		ATF_CHECK_EQ(i > 0, play->left == play->total);
		ATF_CHECK_EQ(0, play->nwritable);
		/* it stands in line once, however often it tries */
		left = play->left;
		play_write(play);
		ATF_CHECK_EQ(left, play->left);
	}
	rig_set_deaf(rig, 0);
	for (i = 0; i < 5; i++)
		ATF_REQUIRE(
		    unit_loop(rig->base, has_written, rig_play(rig, ids[i])));
	rig_wait_end(rig, 100);
	for (i = 0; i < 5; i++) {
		ATF_CHECK(rig_play(rig, ids[i])->nwritable > 0);
		if (i > 1)
			ATF_CHECK(rig_play(rig, ids[i])->woken >
			    rig_play(rig, ids[i - 1])->woken);
		rig_check_pattern(rig, ids[i], 100000);
	}
	rig_free(rig);
	bytes_free(&in);
}

/*
 * A first record does not wait behind those who write much, nor do many of
 * them keep one of those from writing.
 */
ATF_TC_WITHOUT_HEAD(turns);
ATF_TC_BODY(turns, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	uint16_t id;

	rig_set_deaf(rig, 1);
	for (id = 101; id <= 110; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "write", "400000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	in.len = 0;
	for (id = 1; id <= 50; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "hold", NULL, NULL);
	rig_send(rig, &in);
	rig_settle(rig);
	for (id = 1; id <= 50; id++) {
		struct play *play = rig_play(rig, id);

		play->left = play->total = 8000;
		play_write(play);
	}
	ATF_REQUIRE_EQ(8000, rig_play(rig, 50)->left);
	rig_set_deaf(rig, 0);
	for (id = 1; id <= 50; id++)
		ATF_REQUIRE(
		    unit_loop(rig->base, has_written, rig_play(rig, id)));
	for (id = 101; id <= 110; id++) {
		/* those came later, but not last */
		ATF_CHECK(rig_play(rig, id)->woken < rig_play(rig, 50)->woken);
		rig_wait_end(rig, id);
		ATF_CHECK(rig_play(rig, id)->woken > 0);
	}
	rig_free(rig);
	bytes_free(&in);
}

/* One that waits may be aborted, or end by itself, and is not called again. */
ATF_TC_WITHOUT_HEAD(ends_while_waiting);
ATF_TC_BODY(ends_while_waiting, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	struct play *play;
	unsigned woken;

	rig_set_deaf(rig, 1);
	add_request(&in, 1, FCGI_KEEP_CONN, "write", "2000000", "0");
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "2000000", "0");
	add_request(&in, 3, FCGI_KEEP_CONN, "write", "2000000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	in.len = 0;
	bytes_record(&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
	rig_send(rig, &in);
	rig_settle(rig);
	ATF_CHECK_EQ(1, rig_play(rig, 2)->naborted);
	play = rig_play(rig, 3);
	woken = play->nwritable + rig_play(rig, 2)->nwritable;
	ATF_CHECK(play->left > 0);
	request_end(play->req, 9);
	play->req = NULL;
	rig_set_deaf(rig, 0);
	rig_wait_end(rig, 1);
	rig_wait_end(rig, 2);
	rig_wait_end(rig, 3);
	ATF_CHECK_EQ(woken, play->nwritable + rig_play(rig, 2)->nwritable);
	rig_check_pattern(rig, 1, 2000000);
	rig_free(rig);
	bytes_free(&in);
}

static int
is_aborted(void *arg)
{
	const struct rig *rig = arg;

	return rig->by_id[1]->naborted > 0;
}

/* It does not read, and goes: noticed, though nothing can be written. */
ATF_TC_WITHOUT_HEAD(leaves_unread);
ATF_TC_BODY(leaves_unread, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");

	rig_set_deaf(rig, 1);
	add_request(&in, 1, 0, "write", "2000000", "0");
	rig_send(rig, &in);
	rig_settle(rig);
	ATF_CHECK_EQ(0, rig_play(rig, 1)->naborted);
	rig_disconnect(rig);
	ATF_REQUIRE(unit_loop(rig->base, is_aborted, rig));
	rig_free(rig);
	bytes_free(&in);
}

/* A thousand echoes at once, through a queue that is far too small. */
ATF_TC_WITHOUT_HEAD(thousand);
ATF_TC_BODY(thousand, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_new("output=64k");
	char text[32];
	uint16_t id;
	int round;

	for (id = 1; id <= 1000; id++)
		add_request(&in, id, FCGI_KEEP_CONN, "echo", NULL, NULL);
	for (round = 0; round < 5; round++)
		for (id = 1; id <= 1000; id++) {
			(void)snprintf(text, sizeof text, "%u.%d ", id, round);
			add_stdin(&in, id, text, strlen(text));
		}
	for (id = 1; id <= 1000; id++)
		add_stdin(&in, id, NULL, 0);
	rig_send(rig, &in);
	for (id = 1; id <= 1000; id += 37) {
		char want[64];

		rig_wait_end(rig, id);
		(void)snprintf(want, sizeof want, "%u.0 %u.1 %u.2 %u.3 %u.4 ",
		    id, id, id, id, id);
		rig_check_text(rig, FCGI_STDOUT, id, want);
	}
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, alone);
	ATF_TP_ADD_TC(tp, mixture);
	ATF_TP_ADD_TC(tp, shares);
	ATF_TP_ADD_TC(tp, small_beside_large);
	ATF_TP_ADD_TC(tp, limit);
	ATF_TP_ADD_TC(tp, order);
	ATF_TP_ADD_TC(tp, turns);
	ATF_TP_ADD_TC(tp, ends_while_waiting);
	ATF_TP_ADD_TC(tp, leaves_unread);
	ATF_TP_ADD_TC(tp, thousand);
	return atf_no_error();
}
