/*
 * FCGI_STDIN within a window, input.c, fcgi_flow(7):
 *   - exactly the window may come for a handler that takes nothing: one byte
 *     more is an error, whatever the records and the reads
 *   - it neither stops the connection nor goes to disk
 *   - credit comes as the handler takes, in steps of half a window, headers
 *     included; none for what waits, and none after the end
 *   - plain requests on the same connection are treated as ever
 */
#include "unit_flow.h"

/* Up to n bytes of content in records of `most', to a cost of `cost'. */
static void
add_cost(struct bytes *in, uint16_t id, size_t cost, size_t most)
{
	uint8_t buf[FCGI_MAX_CONTENT] = { 0 };
	size_t n;

	while (cost > FCGI_HEADER_LEN) {
		n = cost - FCGI_HEADER_LEN < most ? cost - FCGI_HEADER_LEN :
						    most;
		add_stdin(in, id, buf, n);
		cost -= AFCGI_COST(n);
	}
}

static void
check_exact(size_t most, size_t first, size_t piece)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k");

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	add_windowed(&in, 2, 1000, "echo", NULL, NULL);
	rig_say(rig, &in);
	add_cost(&in, 1, 4096, most);
	rig_send_cut(rig, &in, first, piece);
	in.len = 0;
	add_stdin(&in, 2, "fine", 4);
	add_stdin(&in, 2, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_text(rig, FCGI_STDOUT, 2, "fine");
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	/* the end of the stream costs nothing */
	if (piece % 2 == 0)
		add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	ATF_CHECK(!rig->eof);
	add_stdin(&in, 1, "x", 1);
	rig_send(rig, &in);
	rig_wait_eof(rig);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->naborted);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TC_WITHOUT_HEAD(exact);
ATF_TC_BODY(exact, tc)
{
	check_exact(4088, 0, SIZE_MAX);
	check_exact(4088, 0, 1000);
	check_exact(4088, 7, 4085);
	check_exact(100, 0, SIZE_MAX);
	check_exact(100, 0, 13);
	check_exact(1, 0, SIZE_MAX);
	check_exact(1, 0, 101);
}

/* One record that costs a byte more is refused by its header alone. */
ATF_TC_WITHOUT_HEAD(header);
ATF_TC_BODY(header, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k");

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	fcgi_header_put(bytes_room(&in, FCGI_HEADER_LEN), FCGI_STDIN, 1, 4089);
	rig_send(rig, &in);
	rig_wait_eof(rig);
	rig_free(rig);
	bytes_free(&in);
}

/* A window that nobody takes: no stop, no disk, no credit. */
ATF_TC_WITHOUT_HEAD(kept);
ATF_TC_BODY(kept, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=1m,stdin=4k");
	struct upload u = { .rig = rig, .id = 1, .size = BIG, .most = 20000 };

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	while (u.cost < WINDOW_START - 8 || u.out.len > u.sent) {
		ATF_REQUIRE(!upload_go_on(&u));
		ATF_REQUIRE(event_base_loop(rig->base, EVLOOP_NONBLOCK) != -1);
	}
	rig_settle(rig);
	unit_loop_for(rig->base, 100);
	ATF_CHECK_EQ(0, rig_conn(rig)->nstopped);
	ATF_CHECK(rig_conn(rig)->reading);
	ATF_CHECK_EQ(0, rig->server.spooled);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	ATF_CHECK_EQ(0, rig_play(rig, 1)->in.len);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&u.out);
}

static void
check_upload(const char *limits, size_t window, size_t most)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(limits);
	struct upload u = { .rig = rig, .id = 1, .size = 500000, .most = most };
	struct both both = { .u = &u };
	size_t n;

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	both.play = rig_play(rig, 1);
	ATF_REQUIRE(unit_loop(rig->base, both_go_on, &both));
	check_big(both.play, 500000);
	ATF_CHECK_EQ(0, rig->server.spooled);
	n = rig_count(rig, AFCGI_CREDIT, 1);
	ATF_CHECK(n > 0 && n <= u.cost / (window / 2));
	/* no more than was spent, and what the window may grow by */
	ATF_CHECK(
	    rig_credit(rig, 1) <= u.cost + (size_t)rig->limits.window - window);
	ATF_CHECK(rig_credit(rig, 1) + window >= u.cost);
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&u.out);
}

ATF_TC_WITHOUT_HEAD(credit);
ATF_TC_BODY(credit, tc)
{
	check_upload("window=4k", 4096, FCGI_MAX_CONTENT);
	check_upload("window=64k", 65536, FCGI_MAX_CONTENT);
	check_upload("window=128k,stdin=4k", 65536, 1000);
	check_upload("window=64k", 65536, 7);
}

/* Half of the window to the byte: 2,048 of 4,096, a record's header with it. */
ATF_TC_WITHOUT_HEAD(half);
ATF_TC_BODY(half, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k");
	struct play *play;

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	add_cost(&in, 1, 2048, 2040);
	rig_say(rig, &in);
	play = rig_play(rig, 1);
	play->room = 2039;
	request_input_ready(play->req);
	rig_settle(rig);
	ATF_CHECK_EQ(2039, play->in.len);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	play->room = 1;
	request_input_ready(play->req);
	rig_wait(rig, AFCGI_CREDIT, 1, 1);
	ATF_CHECK_EQ(2048, rig_credit(rig, 1));
	/* the same for what goes straight to the handler */
	play->room = 2040;
	request_input_ready(play->req);
	add_cost(&in, 1, 2048, 2040);
	rig_say(rig, &in);
	rig_wait(rig, AFCGI_CREDIT, 1, 2);
	ATF_CHECK_EQ(4096, rig_credit(rig, 1));
	rig_free(rig);
	bytes_free(&in);
}

/* When its end has come there is no use for credit. */
ATF_TC_WITHOUT_HEAD(after_end);
ATF_TC_BODY(after_end, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k");

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	add_cost(&in, 1, 4096, 1000);
	add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	take_all(rig, rig_play(rig, 1));
	unit_loop_for(rig->base, 50);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->nend);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	rig_free(rig);
	bytes_free(&in);
}

/* Ended in the middle of a record, for any reason: the rest is ignored. */
ATF_TC_WITHOUT_HEAD(ends_inside);
ATF_TC_BODY(ends_inside, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k");

	add_windowed(&in, 1, 1000, "hold", NULL, NULL);
	rig_say(rig, &in);
	add_cost(&in, 1, 4096, 4088);
	in.len = 1000;
	rig_send(rig, &in);
	rig_settle(rig);
	request_end(rig_play(rig, 1)->req, 0);
	rig_play(rig, 1)->req = NULL;
	rig_wait_end(rig, 1);
	in.len = 0;
	add_cost(&in, 1, 4096, 4088);
	bytes_drop(&in, 1000);
	/* not counted any more */
	add_cost(&in, 1, 40000, 4088);
	add_windowed(&in, 2, 1000, "echo", NULL, NULL);
	add_stdin(&in, 2, "fine", 4);
	add_stdin(&in, 2, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_text(rig, FCGI_STDOUT, 2, "fine");
	rig_free(rig);
	bytes_free(&in);
}

/* A plain one stops the connection for a while and then uses the disk. */
ATF_TC_WITHOUT_HEAD(plain);
ATF_TC_BODY(plain, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("window=4k,stdin=4k");
	struct play *play;

	add_request(&in, 1, FCGI_KEEP_CONN, "hold", NULL, NULL);
	add_big_stdin(&in, 1, BIG);
	rig_send(rig, &in);
	in.len = 0;
	add_windowed(&in, 2, 1000, "echo", NULL, NULL);
	add_stdin(&in, 2, "fine", 4);
	add_stdin(&in, 2, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(1, play->narrived);
	take_all(rig, play);
	check_big(play, BIG);
	ATF_CHECK_EQ(0, rig_count(rig, AFCGI_CREDIT, 1));
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, exact);
	ATF_TP_ADD_TC(tp, header);
	ATF_TP_ADD_TC(tp, kept);
	ATF_TP_ADD_TC(tp, credit);
	ATF_TP_ADD_TC(tp, half);
	ATF_TP_ADD_TC(tp, after_end);
	ATF_TP_ADD_TC(tp, ends_inside);
	ATF_TP_ADD_TC(tp, plain);
	return atf_no_error();
}
