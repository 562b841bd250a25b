/*
 * What the unit tests share: a clock and an event loop with a deadline,
 * numbers that are random but the same in every run, growing byte strings,
 * and FastCGI records put together in them.  Header only: each test includes
 * it and uses what it needs.
 */
#ifndef UNIT_H
#define UNIT_H

#include <sys/types.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <atf-c.h>
#include <event2/event.h>

#include "../gateway/fcgi.h"

#ifdef __SANITIZE_ADDRESS__
/* What ATF itself never frees is not what is looked for. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libatf-c";
}
#endif

#ifdef __SANITIZE_THREAD__
/* Threads that are stuck when the program ends are left behind. */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "thread:pool_thread";
}
#endif

/* Milliseconds of a clock that only goes forward. */
static inline int64_t
unit_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* When to give up on something that begins now: long enough for valgrind. */
static inline int64_t
unit_deadline(void)
{
	const char *text = getenv("AFCGI_TEST_DEADLINE");
	long seconds = text == NULL ? 20 : strtol(text, NULL, 10);

	return unit_now() + (seconds < 1 ? 1 : seconds) * 1000;
}

static inline void
unit_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Runs the loop until over(arg) is true; returns 0 if that is too late. */
static inline int
unit_loop_until(struct event_base *base, int (*over)(void *), void *arg,
    int64_t deadline)
{
	static const struct timeval tv = { 0, 5000 };
	struct event *tick;
	int rc;

	ATF_REQUIRE((tick = event_new(base, -1, EV_PERSIST, unit_tick_cb,
			 NULL)) != NULL);
	ATF_REQUIRE(event_add(tick, &tv) == 0);
	while ((rc = over(arg)) == 0 && unit_now() < deadline)
		ATF_REQUIRE(event_base_loop(base, EVLOOP_ONCE) != -1);
	event_free(tick);
	return rc;
}

static inline int
unit_loop(struct event_base *base, int (*over)(void *), void *arg)
{
	return unit_loop_until(base, over, arg, unit_deadline());
}

static inline int
unit_never(void *arg)
{
	(void)arg;
	return 0;
}

/* Runs the loop for a time in which nothing must happen, in milliseconds. */
static inline void
unit_loop_for(struct event_base *base, int64_t ms)
{
	(void)unit_loop_until(base, unit_never, NULL, unit_now() + ms);
}

/* Marsaglia's xorshift; the state is the seed, which is not 0. */
static inline uint32_t
unit_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Bytes in which each place can be told from the others around it. */
static inline void
unit_pattern(uint8_t *p, size_t len, uint32_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)((seed + i) * 2654435761U >> 13);
}

/* A byte string that grows; zeroed at first. */
struct bytes {
	uint8_t *p;
	size_t len;
	size_t cap;
};

/* Adds n bytes that are still to be filled in. */
static inline uint8_t *
bytes_room(struct bytes *b, size_t n)
{
	if (n > b->cap - b->len) {
		b->cap = 2 * (b->len + n) + 64;
		ATF_REQUIRE((b->p = realloc(b->p, b->cap)) != NULL);
	}
	b->len += n;
	return b->p + b->len - n;
}

static inline void
bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (n > 0)
		memcpy(bytes_room(b, n), p, n);
}

static inline void
bytes_drop(struct bytes *b, size_t n)
{
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

static inline void
bytes_free(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

/* One record with its content and padding. */
static inline void
bytes_record(struct bytes *b, uint8_t type, uint16_t id, const void *content,
    size_t len, uint8_t padding)
{
	uint8_t *p = bytes_room(b, FCGI_HEADER_LEN);

	fcgi_header_put(p, type, id, (uint16_t)len);
	p[6] = padding;
	bytes_add(b, content, len);
	if (padding > 0)
		memset(bytes_room(b, padding), 0xa5, padding);
}

static inline void
bytes_begin(struct bytes *b, uint16_t id, uint16_t role, uint8_t flags)
{
	fcgi_begin_put(bytes_room(b, FCGI_HEADER_LEN + FCGI_BEGIN_LEN), id,
	    role, flags);
}

/* One name-value pair, as it stands in a stream. */
static inline void
bytes_pair_n(struct bytes *b, const void *name, size_t name_len,
    const void *value, size_t value_len)
{
	uint8_t lengths[8];
	int n;

	n = fcgi_length_put(lengths, (uint32_t)name_len);
	n += fcgi_length_put(lengths + n, (uint32_t)value_len);
	bytes_add(b, lengths, (size_t)n);
	bytes_add(b, name, name_len);
	bytes_add(b, value, value_len);
}

static inline void
bytes_pair(struct bytes *b, const char *name, const char *value)
{
	bytes_pair_n(b, name, strlen(name), value, strlen(value));
}

#endif
