/*
 * Output within a window, output.c and request.c, fcgi_flow(7):
 *   - what credit allows is sent, to the byte, and no more until there is more
 *   - a record is cut to what is left
 *   - who waits for credit takes no share of the queue; who has credit again
 *     may still have to wait for room
 *   - a wait for credit ends with the request, however that ends
 *   - STDERR and pages keep to the credit; a page that does not fit is a cut
 *   - a cut response ends with AFCGI_CUT, and its connection lives on
 *   - a flood for one who takes nothing costs its queue and no more
 */
#include "unit_flow.h"

/* For 1,000 bytes 1,008 are enough, and 1,007 are not. */
ATF_TC_WITHOUT_HEAD(exact);
ATF_TC_BODY(exact, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	add_windowed(&in, 1, 1008, "write", "1000", "7");
	add_windowed(&in, 2, 1007, "write", "1000", "0");
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_end(rig, 1, 7, FCGI_REQUEST_COMPLETE);
	rig_check_pattern(rig, 1, 1000);
	rig_wait(rig, FCGI_STDOUT, 2, 1);
	ATF_CHECK_EQ(1007, rig_cost(rig, 2));
	add_credit(&in, 2, 8);
	rig_say(rig, &in);
	ATF_CHECK_EQ(1, rig_count(rig, FCGI_STDOUT, 2));
	ATF_CHECK_EQ(0, rig_play(rig, 2)->nwritable);
	add_credit(&in, 2, 1);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_end(rig, 2, 0, FCGI_REQUEST_COMPLETE);
	rig_check_pattern(rig, 2, 1000);
	ATF_CHECK_EQ(1, rig_play(rig, 2)->nwritable);
	rig_free(rig);
	bytes_free(&in);
}

/* From nothing, in drops of all sizes: whole, in order, never too much. */
ATF_TC_WITHOUT_HEAD(drops);
ATF_TC_BODY(drops, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);
	uint32_t seed = 99, n;
	size_t granted = 0;

	add_windowed(&in, 1, 0, "write", "50000", "0");
	rig_say(rig, &in);
	while (rig_count(rig, FCGI_END_REQUEST, 1) == 0) {
		ATF_REQUIRE(granted < 1000000);
		ATF_REQUIRE(rig_cost(rig, 1) <= granted);
		n = unit_random(&seed) % 300;
		add_credit(&in, 1, n);
		granted += n;
		rig_say(rig, &in);
	}
	ATF_CHECK(rig_cost(rig, 1) <= granted);
	rig_check_pattern(rig, 1, 50000);
	rig_free(rig);
	bytes_free(&in);
}

/* One that waits for credit leaves the queue to the other, large records. */
ATF_TC_WITHOUT_HEAD(no_share);
ATF_TC_BODY(no_share, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("output=64k");
	uint16_t id;

	for (id = 1; id <= 20; id++)
		add_windowed(&in, id, 100, "write", "1000000", "0");
	rig_say(rig, &in);
	for (id = 1; id <= 20; id++)
		rig_wait(rig, FCGI_STDOUT, id, 1);
	ATF_CHECK_EQ(0, rig_conn(rig)->active);
	ATF_CHECK(TAILQ_EMPTY(&rig_conn(rig)->waiters));
	add_windowed(&in, 30, 4000000, "write", "3000000", "0");
	rig_say(rig, &in);
	rig_wait_end(rig, 30);
	rig_check_pattern(rig, 30, 3000000);
	ATF_CHECK(rig_count(rig, FCGI_STDOUT, 30) < 3000000 / 8192);
	for (id = 1; id <= 20; id++) {
		ATF_CHECK_EQ(100, rig_cost(rig, id));
		ATF_CHECK_EQ(0, rig_play(rig, id)->nwritable);
	}
	rig_free(rig);
	bytes_free(&in);
}

/* Credit comes while the queue is full: it waits in line like others. */
ATF_TC_WITHOUT_HEAD(credit_without_room);
ATF_TC_BODY(credit_without_room, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("output=64k");

	add_windowed(&in, 1, 0, "write", "200000", "0");
	add_request(&in, 2, FCGI_KEEP_CONN, "write", "2000000", "0");
	rig_set_deaf(rig, 1);
	rig_say(rig, &in);
	add_credit(&in, 1, 400000);
	rig_say(rig, &in);
	ATF_CHECK(rig_play(rig, 1)->left > 0);
	ATF_CHECK(rig_conn(rig)->outq.bytes <= 65536 + 2 * 32768);
	rig_set_deaf(rig, 0);
	rig_wait_end(rig, 1);
	rig_wait_end(rig, 2);
	rig_check_pattern(rig, 1, 200000);
	rig_check_pattern(rig, 2, 2000000);
	rig_free(rig);
	bytes_free(&in);
}

/* Many with windows that open now and then, in a queue that is too small. */
ATF_TC_WITHOUT_HEAD(mixture);
ATF_TC_BODY(mixture, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("output=64k");
	uint32_t granted[41] = { 0 };
	unsigned round, ended = 0;
	uint16_t id;

	for (id = 1; id <= 40; id++)
		if (id % 4 == 0)
			add_request(&in, id, FCGI_KEEP_CONN, "write", "100000",
			    "0");
		else
			add_windowed(&in, id, 0, "write", "100000", "0");
	rig_say(rig, &in);
	for (round = 0; round < 1000 && ended < 40; round++) {
		for (id = 1; id <= 40; id++) {
			if (id % 4 == 0 ||
			    rig_count(rig, FCGI_END_REQUEST, id) > 0)
				continue;
			add_credit(&in, id, 200 + id * 50U);
			granted[id] += 200 + id * 50U;
		}
		rig_say(rig, &in);
		for (id = 1, ended = 0; id <= 40; id++) {
			ended += rig_count(rig, FCGI_END_REQUEST, id) > 0;
			if (id % 4 != 0)
				ATF_REQUIRE(rig_cost(rig, id) <= granted[id]);
		}
	}
	for (id = 1; id <= 40; id++) {
		rig_wait_end(rig, id);
		rig_check_pattern(rig, id, 100000);
	}
	rig_free(rig);
	bytes_free(&in);
}

/* Aborted, ended or cut while it waits: it is not called again. */
ATF_TC_WITHOUT_HEAD(ends_while_waiting);
ATF_TC_BODY(ends_while_waiting, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);
	struct play *play;
	uint16_t id;

	for (id = 1; id <= 3; id++)
		add_windowed(&in, id, 50, "write", "1000", "0");
	rig_say(rig, &in);
	bytes_record(&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	add_credit(&in, 1, 5000);
	rig_send(rig, &in);
	in.len = 0;
	rig_wait_end(rig, 1);
	ATF_CHECK_EQ(1, rig_play(rig, 1)->naborted);
	play = rig_play(rig, 2);
	request_end(play->req, 3);
	play->req = NULL;
	play = rig_play(rig, 3);
	request_cut(play->req, 4);
	play->req = NULL;
	for (id = 1; id <= 3; id++)
		add_credit(&in, id, 5000);
	rig_say(rig, &in);
	rig_wait_end(rig, 3);
	rig_check_end(rig, 2, 3, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 3, 4, AFCGI_CUT);
	for (id = 1; id <= 3; id++) {
		ATF_CHECK_EQ(0, rig_play(rig, id)->nwritable);
		ATF_CHECK_EQ(50, rig_cost(rig, id));
	}
	ATF_CHECK(!rig->eof);
	rig_free(rig);
	bytes_free(&in);
}

/* STDERR takes what credit there is, and asks for nothing. */
ATF_TC_WITHOUT_HEAD(errors);
ATF_TC_BODY(errors, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);
	struct play *play;
	char text[10000];

	memset(text, 'e', sizeof text);
	add_windowed(&in, 1, 8, "hold", NULL, NULL);
	rig_say(rig, &in);
	play = rig_play(rig, 1);
	ATF_CHECK_EQ(0, request_write_errors(play->req, text, sizeof text));
	add_credit(&in, 1, 5000);
	rig_say(rig, &in);
	ATF_CHECK_EQ(0, play->nwritable);
	/* two records: 4,096, and what 5,008 leave */
	ATF_CHECK_EQ(5008 - 16,
	    request_write_errors(play->req, text, sizeof text));
	ATF_CHECK_EQ(0, request_write_errors(play->req, text, 1));
	rig_wait(rig, FCGI_STDERR, 1, 2);
	ATF_CHECK_EQ(5008, rig_cost(rig, 1));
	/* it is the same credit */
	ATF_CHECK_EQ(0, request_write(play->req, FCGI_STDOUT, "x", 1));
	add_credit(&in, 1, 9);
	rig_say(rig, &in);
	ATF_CHECK_EQ(1, play->nwritable);
	request_end(play->req, 0);
	play->req = NULL;
	rig_wait_end(rig, 1);
	rig_free(rig);
	bytes_free(&in);
}

/* A page within the credit is sent; without that it is a cut. */
ATF_TC_WITHOUT_HEAD(page);
ATF_TC_BODY(page, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);
	struct play *play;
	uint32_t cost;

	add_windowed(&in, 1, 1000, "page", NULL, "404");
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	ATF_CHECK_EQ(2, rig_count(rig, FCGI_STDOUT, 1));
	cost = (uint32_t)rig_cost(rig, 1);
	add_windowed(&in, 2, cost, "page", NULL, "404");
	add_windowed(&in, 3, cost - 1, "page", NULL, "404");
	add_windowed(&in, 4, 0, "page", NULL, "404");
	rig_say(rig, &in);
	rig_wait_end(rig, 4);
	rig_check_end(rig, 2, 0, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 3, 1, AFCGI_CUT);
	rig_check_end(rig, 4, 1, AFCGI_CUT);
	ATF_CHECK_EQ(cost, rig_cost(rig, 2));
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_STDOUT, 3));
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_STDOUT, 4));
	ATF_CHECK(!rig->eof);
	/* it has used the credit for what follows it */
	add_windowed(&in, 5, cost + 20, "hold", NULL, NULL);
	rig_say(rig, &in);
	play = rig_play(rig, 5);
	request_write_page(play->req, 404);
	ATF_CHECK_EQ(12,
	    request_write_errors(play->req, "0123456789abcdef", 16));
	request_end(play->req, 0);
	play->req = NULL;
	rig_wait_end(rig, 5);
	rig_check_end(rig, 5, 0, FCGI_REQUEST_COMPLETE);
	rig_free(rig);
	bytes_free(&in);
}

/*
 * AFCGI_CUT for the windowed one, alone and beside others; the old ways for
 * the plain one.
 */
ATF_TC_WITHOUT_HEAD(cut);
ATF_TC_BODY(cut, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow(NULL);

	add_windowed(&in, 1, 1000, "cut", "100", "137");
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_end(rig, 1, 137, AFCGI_CUT);
	ATF_CHECK_EQ(1, rig_count(rig, FCGI_STDOUT, 1));
	rig_check_pattern(rig, 1, 100);
	add_windowed(&in, 2, 1000, "hold", NULL, NULL);
	add_windowed(&in, 3, 1000, "cut", "100", "0");
	add_request(&in, 4, FCGI_KEEP_CONN, "cut", "100", "0");
	rig_say(rig, &in);
	rig_wait_end(rig, 3);
	rig_wait_end(rig, 4);
	rig_check_end(rig, 3, 1, AFCGI_CUT);
	rig_check_end(rig, 4, 1, FCGI_REQUEST_COMPLETE);
	request_end(rig_play(rig, 2)->req, 0);
	rig_play(rig, 2)->req = NULL;
	rig_wait_end(rig, 2);
	ATF_CHECK(!rig->eof);
	add_request(&in, 5, FCGI_KEEP_CONN, "cut", "100", "0");
	rig_send(rig, &in);
	rig_wait_eof(rig);
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 5));
	rig_free(rig);
	bytes_free(&in);
}

/* With the credit of a giant but a deaf web server: the queue, and no more. */
ATF_TC_WITHOUT_HEAD(flood);
ATF_TC_BODY(flood, tc)
{
	struct bytes in = { 0 };
	struct rig *rig = rig_flow("output=64k");
	uint16_t id;

	for (id = 1; id <= 50; id++)
		add_windowed(&in, id, 32768, "write", "100000000", "0");
	rig_say(rig, &in);
	for (id = 1; id <= 50; id++)
		rig_wait(rig, FCGI_STDOUT, id, 1);
	unit_loop_for(rig->base, 100);
	for (id = 1; id <= 50; id++)
		ATF_CHECK_EQ(32768, rig_cost(rig, id));
	ATF_CHECK_EQ(0, rig_conn(rig)->outq.bytes);
	/* others go on */
	add_windowed(&in, 60, 32768, "echo", NULL, NULL);
	add_stdin(&in, 60, "hello", 5);
	add_stdin(&in, 60, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 60);
	rig_check_text(rig, FCGI_STDOUT, 60, "hello");
	rig_set_deaf(rig, 1);
	for (id = 1; id <= 50; id++)
		add_credit(&in, id, AFCGI_WINDOW_MAX);
	rig_say(rig, &in);
	ATF_CHECK(rig_conn(rig)->outq.bytes <= 65536 + 32768 + 8);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, exact);
	ATF_TP_ADD_TC(tp, drops);
	ATF_TP_ADD_TC(tp, no_share);
	ATF_TP_ADD_TC(tp, credit_without_room);
	ATF_TP_ADD_TC(tp, mixture);
	ATF_TP_ADD_TC(tp, ends_while_waiting);
	ATF_TP_ADD_TC(tp, errors);
	ATF_TP_ADD_TC(tp, page);
	ATF_TP_ADD_TC(tp, cut);
	ATF_TP_ADD_TC(tp, flood);
	return atf_no_error();
}
