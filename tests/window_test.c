/*
 * The arithmetic of windows, window.c:
 *   - without credit there is no window, and no limit
 *   - room is what credit leaves after the header; below 9 there is none
 *   - credit up to 2^31 - 1, and not a byte more
 *   - STDIN exactly up to its window, whatever its records' lengths
 *   - what has been consumed is given back in steps of half a window, headers
 *     included, and all of it when nothing is held any more
 *   - it grows for who reads as fast as the peer writes, and for nobody else
 */
#include "../gateway/window.h"
#include "unit.h"

#define SIZE 4096

ATF_TC_WITHOUT_HEAD(plain);
ATF_TC_BODY(plain, tc)
{
	struct window w = { 0 };
	int i;

	for (i = 0; i < 100; i++) {
		ATF_CHECK_EQ(65535, window_room(&w, 65535));
		window_spend(&w, 65535);
		ATF_CHECK_EQ(0, window_receive(&w, 65535));
		ATF_CHECK_EQ(0, window_consume(&w, 65535));
	}
}

ATF_TC_WITHOUT_HEAD(room);
ATF_TC_BODY(room, tc)
{
	struct window w = { 0 };
	uint32_t i;

	window_open(&w, SIZE);
	for (i = 0; i < 9; i++) {
		ATF_CHECK_EQ(0, window_room(&w, 100));
		ATF_CHECK_EQ(0, window_add(&w, 1));
	}
	ATF_CHECK_EQ(1, window_room(&w, 100));
	ATF_CHECK_EQ(0, window_add(&w, 98));
	ATF_CHECK_EQ(99, window_room(&w, 100));
	ATF_CHECK_EQ(0, window_add(&w, 1));
	ATF_CHECK_EQ(100, window_room(&w, 100));
	ATF_CHECK_EQ(0, window_add(&w, 1));
	ATF_CHECK_EQ(100, window_room(&w, 100));
	ATF_CHECK_EQ(101, window_room(&w, 1000));
	window_spend(&w, 100);
	ATF_CHECK_EQ(0, window_room(&w, 100));
	ATF_CHECK_EQ(1, w.credit);
}

ATF_TC_WITHOUT_HEAD(most);
ATF_TC_BODY(most, tc)
{
	struct window w = { 0 };

	window_open(&w, SIZE);
	ATF_CHECK_EQ(0, window_add(&w, 0));
	ATF_CHECK_EQ(-1, window_add(&w, 0x80000000U));
	ATF_CHECK_EQ(-1, window_add(&w, 0xffffffffU));
	ATF_CHECK_EQ(0, window_add(&w, AFCGI_WINDOW_MAX));
	ATF_CHECK_EQ(0, window_add(&w, 0));
	ATF_CHECK_EQ(-1, window_add(&w, 1));
	ATF_CHECK_EQ(-1, window_add(&w, 0xffffffffU));
	window_spend(&w, 1);
	ATF_CHECK_EQ(0, window_add(&w, 9));
	ATF_CHECK_EQ(-1, window_add(&w, 1));
	ATF_CHECK_EQ(65535, window_room(&w, 65535));
}

ATF_TC_WITHOUT_HEAD(exact);
ATF_TC_BODY(exact, tc)
{
	struct window w;
	uint16_t n;

	for (n = 1; n < SIZE; n++) {
		memset(&w, 0, sizeof w);
		window_open(&w, SIZE);
		while (w.left >= AFCGI_COST((uint32_t)n))
			ATF_REQUIRE_EQ(0, window_receive(&w, n));
		ATF_REQUIRE_EQ(-1, window_receive(&w, n));
		ATF_REQUIRE_EQ(0, window_receive(&w, 0));
		if (w.left > 8) {
			ATF_REQUIRE_EQ(-1,
			    window_receive(&w, (uint16_t)(w.left - 7)));
			ATF_REQUIRE_EQ(0,
			    window_receive(&w, (uint16_t)(w.left - 8)));
			ATF_REQUIRE_EQ(0, w.left);
		}
		ATF_REQUIRE_EQ(-1, window_receive(&w, 1));
	}
}

/* Who reads all that comes gets a larger window. */
ATF_TC_WITHOUT_HEAD(grows);
ATF_TC_BODY(grows, tc)
{
	struct window w = { 0 };
	uint32_t size = WINDOW_START;
	uint16_t n;

	window_open(&w, 5 * WINDOW_START / 2);
	ATF_CHECK_EQ(size, w.left);
	/* a pipe's fill does not count, nor does a slow reader */
	ATF_REQUIRE_EQ(0, window_receive(&w, (uint16_t)(size - 8)));
	ATF_CHECK_EQ(size, window_consume(&w, size - 8));
	ATF_CHECK_EQ(size, w.size);
	w.read = WINDOW_READER;
	ATF_REQUIRE_EQ(0, window_receive(&w, (uint16_t)(size - 16)));
	ATF_CHECK_EQ(0, window_consume(&w, 100));
	ATF_CHECK(window_consume(&w, size - 200) < size);
	ATF_CHECK_EQ(size, w.left + w.held + w.headers + w.used);
	(void)window_consume(&w, w.held);
	for (; size < 5 * WINDOW_START / 2; size = w.size) {
		while (w.left > 8) {
			n = (uint16_t)(w.left > 32776 ? 32768 : w.left - 8);
			ATF_REQUIRE_EQ(0, window_receive(&w, n));
		}
		ATF_REQUIRE(window_consume(&w, w.held) > size);
		ATF_CHECK(w.size == 2 * size || w.size == w.max);
		ATF_CHECK_EQ(w.size, w.left + w.used);
	}
	while (w.left > 8) {
		n = (uint16_t)(w.left > 32776 ? 32768 : w.left - 8);
		ATF_REQUIRE_EQ(0, window_receive(&w, n));
	}
	(void)window_consume(&w, w.held);
	ATF_CHECK_EQ(w.max, w.size);
	ATF_CHECK_EQ(w.max, w.left + w.used);
}

/* Whatever comes and goes, nothing of the window is lost. */
ATF_TC_WITHOUT_HEAD(sum);
ATF_TC_BODY(sum, tc)
{
	struct window w = { 0 };
	uint32_t seed = 4711, back, ngrants = 0;
	uint64_t granted = 0, cost = 0;
	uint16_t n;
	int i;

	window_open(&w, SIZE);
	for (i = 0; i < 200000; i++) {
		n = (uint16_t)(1 + unit_random(&seed) % 600);
		if (unit_random(&seed) % 2 == 0) {
			if (window_receive(&w, n) == 0)
				cost += AFCGI_COST((uint64_t)n);
		} else if (w.held > 0) {
			if (n > w.held)
				n = (uint16_t)w.held;
			back = window_consume(&w, n);
			ATF_REQUIRE(back == 0 || back >= SIZE / 2);
			ngrants += back > 0;
			granted += back;
		}
		ATF_REQUIRE_EQ(SIZE, w.left + w.held + w.headers + w.used);
		ATF_REQUIRE_EQ(SIZE + granted - cost, w.left);
		ATF_REQUIRE(w.held > 0 || w.headers == 0);
		ATF_REQUIRE(w.held > 0 || w.left > SIZE / 2);
	}
	ATF_CHECK(ngrants > 1000);
	ATF_CHECK(ngrants <= granted / (SIZE / 2));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, plain);
	ATF_TP_ADD_TC(tp, room);
	ATF_TP_ADD_TC(tp, most);
	ATF_TP_ADD_TC(tp, exact);
	ATF_TP_ADD_TC(tp, grows);
	ATF_TP_ADD_TC(tp, sum);
	return atf_no_error();
}
