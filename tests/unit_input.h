/*
 * Large bodies of requests, and handlers that are slower than they come: for
 * input_test.c and input_limit_test.c.
 */
#ifndef UNIT_INPUT_H
#define UNIT_INPUT_H

#include "unit_conn.h"

#define BIG 3000000

static inline void
add_big_stdin(struct bytes *in, uint16_t id, size_t size)
{
	uint8_t buf[32000];
	size_t at, n;

	for (at = 0; at < size; at += n) {
		n = size - at < sizeof buf ? size - at : sizeof buf;
		unit_pattern(buf, n, (uint32_t)at);
		add_stdin(in, id, buf, n);
	}
	add_stdin(in, id, NULL, 0);
}

static inline void
check_big(const struct play *play, size_t size)
{
	uint8_t *want = malloc(size);

	ATF_REQUIRE(want != NULL);
	unit_pattern(want, size, 0);
	ATF_REQUIRE_EQ(size, play->in.len);
	ATF_CHECK_EQ(0, memcmp(want, play->in.p, size));
	ATF_CHECK_EQ(1, play->narrived);
	ATF_CHECK_EQ(1, play->nend);
	free(want);
}

/* Sends what the gateway takes within a moment; true if that was all. */
static inline int
send_for(struct rig *rig, struct rig_sending *s, int64_t ms)
{
	return unit_loop_until(rig->base, rig_sent, s, unit_now() + ms);
}

static inline int
takes_all(void *arg)
{
	struct play *play = arg;

	if (play->req == NULL || play->nend > 0)
		return 1;
	if (play->room == 0) {
		play->room = 9999;
		request_input_ready(play->req);
	}
	return 0;
}

static inline int
is_aborted(void *arg)
{
	return ((struct play *)arg)->naborted > 0;
}

/* The handler takes some thousand bytes at a time, until the end. */
static inline void
take_all(struct rig *rig, struct play *play)
{
	ATF_REQUIRE(unit_loop(rig->base, takes_all, play));
}

#endif
