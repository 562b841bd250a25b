/*
 * Records found in a stream of bytes, reader.c:
 *   - the same records come out wherever the stream is cut: in two at every
 *     offset, byte by byte, in pieces of random length
 *   - padding is dropped, content of every length is passed on whole
 *   - for each record: header once, then content, then end once
 *   - header and end can stop it, at once
 *   - it knows whether it stands inside a record
 */
#include <stdio.h>

#include "../gateway/reader.h"
#include "unit.h"

/* What came out: headers, content and ends, with the data joined. */
struct seen {
	struct bytes log;
	int inside;
	unsigned headers;
	unsigned ends;
	unsigned stop_header; /* number of the header that stops it; 0: none */
	unsigned stop_end;
	size_t content; /* of the record being read, so far */
};

static int
header(void *arg, const struct fcgi_header *h)
{
	struct seen *s = arg;
	char line[64];

	ATF_REQUIRE(!s->inside);
	s->inside = 1;
	s->content = 0;
	bytes_add(&s->log, line,
	    (size_t)snprintf(line, sizeof line, "[%u %u %u %u %u]", h->version,
		h->type, h->id, h->content, h->padding));
	return ++s->headers == s->stop_header ? -1 : 0;
}

static void
data(void *arg, const struct fcgi_header *h, const uint8_t *p, size_t n)
{
	struct seen *s = arg;

	ATF_REQUIRE(s->inside);
	ATF_REQUIRE(n > 0);
	s->content += n;
	ATF_REQUIRE(s->content <= h->content);
	bytes_add(&s->log, p, n);
}

static int
end(void *arg, const struct fcgi_header *h)
{
	struct seen *s = arg;

	ATF_REQUIRE(s->inside);
	ATF_REQUIRE_EQ(h->content, s->content);
	s->inside = 0;
	bytes_add(&s->log, "END", 3);
	return ++s->ends == s->stop_end ? -1 : 0;
}

static const struct reader_ops ops = { header, data, end };

/* Records of all shapes: empty, long, padded, and padding without content. */
static void
make_stream(struct bytes *in, struct bytes *want, const size_t *sizes,
    const uint8_t *paddings, size_t n)
{
	uint8_t *content;
	char line[64];
	size_t i;

	for (i = 0; i < n; i++) {
		content = malloc(sizes[i] + 1);
		ATF_REQUIRE(content != NULL);
		unit_pattern(content, sizes[i], (uint32_t)i * 1000);
		bytes_record(in, (uint8_t)(i + 1), (uint16_t)(i * 257), content,
		    sizes[i], paddings[i]);
		bytes_add(want, line,
		    (size_t)snprintf(line, sizeof line, "[1 %zu %zu %zu %u]",
			i + 1, i * 257, sizes[i], paddings[i]));
		bytes_add(want, content, sizes[i]);
		bytes_add(want, "END", 3);
		free(content);
	}
}

static void
check(struct seen *s, const struct bytes *want)
{
	ATF_REQUIRE_EQ(want->len, s->log.len);
	ATF_REQUIRE(memcmp(want->p, s->log.p, want->len) == 0);
	bytes_free(&s->log);
	memset(s, 0, sizeof *s);
}

/* Feeds a copy of its own, so that reading past a piece's end is noticed. */
static int
feed(struct reader *r, struct seen *s, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n == 0 ? 1 : n);
	int rc;

	ATF_REQUIRE(copy != NULL);
	if (n > 0)
		memcpy(copy, p, n);
	rc = reader_feed(r, &ops, s, copy, n);
	free(copy);
	return rc;
}

static const size_t small_sizes[] = { 8, 0, 1, 0, 7, 3, 0, 8, 9, 20, 0 };
static const uint8_t small_paddings[] = { 0, 0, 7, 5, 1, 0, 255, 8, 0, 4, 0 };
#define NSMALL (sizeof small_sizes / sizeof small_sizes[0])

/* Cut in two at any offset, the stream holds the same records. */
ATF_TC_WITHOUT_HEAD(every_split);
ATF_TC_BODY(every_split, tc)
{
	struct bytes in = { 0 }, want = { 0 };
	struct seen s = { 0 };
	size_t cut;

	make_stream(&in, &want, small_sizes, small_paddings, NSMALL);
	for (cut = 0; cut <= in.len; cut++) {
		struct reader r = { 0 };

		ATF_REQUIRE_EQ(0, feed(&r, &s, in.p, cut));
		ATF_REQUIRE_EQ(0, feed(&r, &s, in.p + cut, in.len - cut));
		ATF_REQUIRE(!reader_partial(&r));
		check(&s, &want);
	}
	bytes_free(&in);
	bytes_free(&want);
}

/* So it does when the bytes come one at a time. */
ATF_TC_WITHOUT_HEAD(byte_by_byte);
ATF_TC_BODY(byte_by_byte, tc)
{
	struct bytes in = { 0 }, want = { 0 };
	struct seen s = { 0 };
	struct reader r = { 0 };
	size_t i;

	make_stream(&in, &want, small_sizes, small_paddings, NSMALL);
	for (i = 0; i < in.len; i++)
		ATF_REQUIRE_EQ(0, feed(&r, &s, in.p + i, 1));
	check(&s, &want);
	bytes_free(&in);
	bytes_free(&want);
}

/* Records of the greatest lengths, in pieces of any size. */
ATF_TC_WITHOUT_HEAD(long_records);
ATF_TC_BODY(long_records, tc)
{
	static const size_t sizes[] = { 65535, 65534, 0, 256, 255, 32768 };
	static const uint8_t paddings[] = { 255, 0, 255, 1, 0, 128 };
	struct bytes in = { 0 }, want = { 0 };
	struct seen s = { 0 };
	uint32_t random = 7;
	size_t at, part;
	int round;

	make_stream(&in, &want, sizes, paddings, 6);
	for (round = 0; round < 50; round++) {
		struct reader r = { 0 };

		for (at = 0; at < in.len; at += part) {
			part = unit_random(&random) % 9000 + (round & 1);
			if (part > in.len - at)
				part = in.len - at;
			ATF_REQUIRE_EQ(0, feed(&r, &s, in.p + at, part));
		}
		check(&s, &want);
	}
	bytes_free(&in);
	bytes_free(&want);
}

/* When the nth header says no, nothing behind that header is looked at. */
ATF_TC_WITHOUT_HEAD(header_stops);
ATF_TC_BODY(header_stops, tc)
{
	struct bytes in = { 0 }, want = { 0 };
	unsigned n;

	make_stream(&in, &want, small_sizes, small_paddings, NSMALL);
	for (n = 1; n <= NSMALL; n++) {
		struct seen s = { .stop_header = n };
		struct reader r = { 0 };

		ATF_CHECK_EQ(-1, feed(&r, &s, in.p, in.len));
		ATF_CHECK_EQ(n, s.headers);
		ATF_CHECK_EQ(n - 1, s.ends);
		ATF_CHECK_EQ(0, s.content);
		bytes_free(&s.log);
	}
	bytes_free(&in);
	bytes_free(&want);
}

/* When the nth end says no, there is no further header. */
ATF_TC_WITHOUT_HEAD(end_stops);
ATF_TC_BODY(end_stops, tc)
{
	struct bytes in = { 0 }, want = { 0 };
	unsigned n;

	make_stream(&in, &want, small_sizes, small_paddings, NSMALL);
	for (n = 1; n <= NSMALL; n++) {
		struct seen s = { .stop_end = n };
		struct reader r = { 0 };

		ATF_CHECK_EQ(-1, feed(&r, &s, in.p, in.len));
		ATF_CHECK_EQ(n, s.headers);
		ATF_CHECK_EQ(n, s.ends);
		bytes_free(&s.log);
	}
	bytes_free(&in);
	bytes_free(&want);
}

/* Between records it is not inside one; from a first byte to the last it is. */
ATF_TC_WITHOUT_HEAD(partial);
ATF_TC_BODY(partial, tc)
{
	struct bytes in = { 0 };
	struct seen s = { 0 };
	struct reader r = { 0 };
	size_t i;

	bytes_record(&in, FCGI_STDIN, 1, "abc", 3, 2);
	ATF_CHECK(!reader_partial(&r));
	for (i = 0; i < in.len; i++) {
		ATF_REQUIRE_EQ(0, feed(&r, &s, in.p + i, 1));
		ATF_CHECK_EQ(i + 1 < in.len, reader_partial(&r) != 0);
	}
	ATF_CHECK_EQ(1, s.ends);
	ATF_REQUIRE_EQ(0, feed(&r, &s, in.p, 0));
	ATF_CHECK(!reader_partial(&r));
	bytes_free(&s.log);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, every_split);
	ATF_TP_ADD_TC(tp, byte_by_byte);
	ATF_TP_ADD_TC(tp, long_records);
	ATF_TP_ADD_TC(tp, header_stops);
	ATF_TP_ADD_TC(tp, end_stops);
	ATF_TP_ADD_TC(tp, partial);
	return atf_no_error();
}
