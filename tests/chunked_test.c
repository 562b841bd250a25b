/*
 * Bodies in chunks, chunked.c:
 *   - decoded to the same bytes wherever they are cut, in place
 *   - sizes in hexadecimal of both cases, with leading zeros, extensions and
 *     trailers, LF alone for CRLF
 *   - what follows the end is dropped
 *   - what is no chunked body is refused, wherever it is cut
 */
#include <stdio.h>

#include "../gateway/chunked.h"
#include "unit.h"

/* Decodes pieces of their own memory; returns the state it ends in. */
static enum chunked_state
decode(const char *text, size_t len, size_t piece, size_t first,
    struct bytes *out, struct chunked *c)
{
	uint8_t *copy;
	size_t at, part, n;

	memset(c, 0, sizeof *c);
	out->len = 0;
	for (at = 0; at < len; at += part) {
		part = at == 0 && first > 0 ? first : piece;
		if (part > len - at)
			part = len - at;
		ATF_REQUIRE((copy = malloc(part)) != NULL);
		memcpy(copy, text + at, part);
		n = chunked_decode(c, copy, part);
		ATF_REQUIRE(n <= part);
		bytes_add(out, copy, n);
		free(copy);
	}
	return c->state;
}

/* All at once, byte by byte, and cut in two at every offset. */
static void
check(const char *text, const char *want)
{
	struct bytes out = { 0 };
	struct chunked c;
	size_t len = strlen(text), cut;

	(void)bytes_room(&out, 1);
	for (cut = 0; cut <= len; cut++) {
		ATF_REQUIRE_EQ_MSG(CHUNKED_DONE,
		    decode(text, len, cut == 0 ? 1 : len, cut, &out, &c),
		    "%s cut at %zu", text, cut);
		ATF_CHECK_EQ_MSG(strlen(want), out.len, "%s cut at %zu", text,
		    cut);
		ATF_CHECK(strncmp(want, (char *)out.p, out.len) == 0);
	}
	bytes_free(&out);
}

static void
check_refused(const char *text)
{
	struct bytes out = { 0 };
	struct chunked c;
	size_t len = strlen(text), cut;

	for (cut = 0; cut <= len; cut++)
		ATF_CHECK_EQ_MSG(CHUNKED_BROKEN,
		    decode(text, len, cut == 0 ? 1 : len, cut, &out, &c),
		    "%s cut at %zu", text, cut);
	bytes_free(&out);
}

/* Sizes are hexadecimal; CRLF and LF both end lines. */
ATF_TC_WITHOUT_HEAD(bodies);
ATF_TC_BODY(bodies, tc)
{
	check("1\r\nX\r\n0\r\n\r\n", "X");
	check("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
	check("5\nhello\n6\n world\n0\n\n", "hello world");
	check("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
	    "01234567890123456789a");
	check("0000003\r\nabc\r\n000\r\n\r\n", "abc");
	check("2\r\n\r\n\r\n0\r\n\r\n", "\r\n");
	check("b\r\n0\r\n\r\n5\r\n012\r\n0\r\n\r\n", "0\r\n\r\n5\r\n012");
}

/* Extensions and spaces behind a size mean nothing; nor does the trailer. */
ATF_TC_WITHOUT_HEAD(extensions_and_trailer);
ATF_TC_BODY(extensions_and_trailer, tc)
{
	check("3;name=value\r\nabc\r\n0;last\r\n\r\n", "abc");
	check("3 ; a=\"b;c\"\r\nabc\r\n0\r\n\r\n", "abc");
	check("3\t\r\nabc\r\n0 \r\n\r\n", "abc");
	check("3\r\nabc\r\n0\r\nX-Sum: 12\r\nY: z\r\n\r\n", "abc");
	check("3\nabc\n0\nX-Sum: 12\n\n", "abc");
}

/* A body of nothing, and bytes that come after the end. */
ATF_TC_WITHOUT_HEAD(end);
ATF_TC_BODY(end, tc)
{
	struct bytes out = { 0 };
	struct chunked c;

	check("0\r\n\r\n", "");
	check("1\r\nX\r\n0\r\n\r\nrubbish\r\n", "X");
	check("1\r\nX\r\n0\r\n\r\n1\r\nY\r\n0\r\n\r\n", "X");
	/* without its end it is no error yet, but not done either */
	ATF_CHECK_EQ(CHUNKED_TRAILER,
	    decode("1\r\nX\r\n0\r\n", 9, 1, 0, &out, &c));
	ATF_CHECK_EQ(CHUNKED_DATA, decode("5\r\nab", 5, 1, 0, &out, &c));
	ATF_CHECK_EQ(2, out.len);
	bytes_free(&out);
}

/* No size, no hexadecimal digit, too many of them, more data than said. */
ATF_TC_WITHOUT_HEAD(refused);
ATF_TC_BODY(refused, tc)
{
	check_refused("\r\nabc");
	check_refused(";x\r\nabc");
	check_refused("g\r\n");
	check_refused("-1\r\n");
	check_refused("0x3\r\nabc");
	check_refused("3x\r\nabc");
	check_refused(" 3\r\nabc");
	check_refused("3\r\nabcd\r\n0\r\n\r\n");
	check_refused("1\r\nX0\r\n\r\n");
	check_refused("10000000000000000\r\nX");
	check_refused("ffffffffffffffff\r\nX");
	check_refused("0000000000000000000000001\r\nX");
	check_refused("hello, world");
}

/* What came before the fault is data, and nothing behind it is. */
ATF_TC_WITHOUT_HEAD(before_the_fault);
ATF_TC_BODY(before_the_fault, tc)
{
	static const char text[] = "3\r\nabc\r\nX\r\n3\r\ndef\r\n0\r\n\r\n";
	struct bytes out = { 0 };
	struct chunked c;
	size_t cut;

	for (cut = 0; cut < sizeof text; cut++) {
		ATF_CHECK_EQ(CHUNKED_BROKEN,
		    decode(text, sizeof text - 1, cut == 0 ? 1 : sizeof text,
			cut, &out, &c));
		ATF_CHECK_EQ(3, out.len);
		ATF_CHECK(memcmp(out.p, "abc", 3) == 0);
	}
	bytes_free(&out);
}

/* The greatest size is kept as it is, and passes data through. */
ATF_TC_WITHOUT_HEAD(greatest);
ATF_TC_BODY(greatest, tc)
{
	struct bytes out = { 0 };
	struct chunked c;

	ATF_CHECK_EQ(CHUNKED_DATA,
	    decode("7fffffffffffff\nabc", 18, 1, 0, &out, &c));
	ATF_CHECK_EQ(3, out.len);
	ATF_CHECK(memcmp(out.p, "abc", 3) == 0);
	ATF_CHECK_EQ(0x7fffffffffffffULL - 3, c.left);
	bytes_free(&out);
}

/* Long chunks in pieces of random length. */
ATF_TC_WITHOUT_HEAD(long_body);
ATF_TC_BODY(long_body, tc)
{
	struct bytes in = { 0 }, want = { 0 }, out = { 0 };
	struct chunked c;
	uint32_t random = 42;
	uint8_t *data;
	size_t i, n;
	char line[32];

	for (i = 0; i < 40; i++) {
		n = unit_random(&random) % 30000 + 1;
		data = bytes_room(&want, n);
		unit_pattern(data, n, (uint32_t)i);
		bytes_add(&in, line,
		    (size_t)snprintf(line, sizeof line, "%zx\r\n", n));
		bytes_add(&in, want.p + want.len - n, n);
		bytes_add(&in, "\r\n", 2);
	}
	bytes_add(&in, "0\r\n\r\n", 5);
	for (i = 1; i < 100000; i = i * 3 + unit_random(&random) % 5) {
		ATF_REQUIRE_EQ(CHUNKED_DONE,
		    decode((const char *)in.p, in.len, i, 0, &out, &c));
		ATF_REQUIRE_EQ(want.len, out.len);
		ATF_REQUIRE(memcmp(want.p, out.p, out.len) == 0);
	}
	bytes_free(&in);
	bytes_free(&want);
	bytes_free(&out);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, bodies);
	ATF_TP_ADD_TC(tp, extensions_and_trailer);
	ATF_TP_ADD_TC(tp, end);
	ATF_TP_ADD_TC(tp, refused);
	ATF_TP_ADD_TC(tp, before_the_fault);
	ATF_TP_ADD_TC(tp, greatest);
	ATF_TP_ADD_TC(tp, long_body);
	return atf_no_error();
}
