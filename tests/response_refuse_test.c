/*
 * What is refused as the header of a CGI response, response.c:
 *   - neither Content-Type nor Location nor Status
 *   - a Status that is not three digits, or that ends no response (1xx)
 *   - a Content-Length that is not one number, transfer codings that are not
 *     known, an empty Location
 *   - lines without a colon or a valid name, HTTP/ lines in the wrong place
 *   - NUL and other control bytes, a CR that ends no line
 *   - more bytes than the limit, also without any line end
 *   - and why, and the first bytes of it, can be shown
 *   - no random text does harm, nor puts a line of its own into the result
 */
#include <stdio.h>

#include "../gateway/response.h"
#include "unit.h"

static void
check_refused_n(const char *text, size_t len)
{
	struct response *r;
	struct response_info info;
	size_t used, n, i;

	/* all at once, then byte by byte */
	ATF_REQUIRE((r = response_new(4096)) != NULL);
	ATF_REQUIRE_EQ_MSG(1, response_feed(r, text, len, &used), "%s", text);
	ATF_CHECK_EQ_MSG(-1, response_finish(r, 1, &info), "%s", text);
	ATF_CHECK(response_error(r) != NULL);
	response_free(r);
	ATF_REQUIRE((r = response_new(4096)) != NULL);
	for (i = 0; i < len; i++)
		ATF_REQUIRE_EQ(i + 1 == used,
		    response_feed(r, text + i, 1, &n));
	ATF_CHECK_EQ_MSG(-1, response_finish(r, 0, &info), "%s", text);
	ATF_CHECK(response_error(r) != NULL);
	response_free(r);
}

static void
check_refused(const char *text)
{
	check_refused_n(text, strlen(text));
}

/* One of the three fields must be there. */
ATF_TC_WITHOUT_HEAD(no_field);
ATF_TC_BODY(no_field, tc)
{
	check_refused("\n");
	check_refused("\r\n");
	check_refused("X-A: 1\n\n");
	check_refused("Content-Length: 5\r\nSet-Cookie: a\r\n\r\n");
	check_refused("Content-Types: a/b\n\n");
}

/* Three digits from 200 on, then the end or a space. */
ATF_TC_WITHOUT_HEAD(status);
ATF_TC_BODY(status, tc)
{
	static const char *const bad[] = { "", " ", "1", "20", "2 0", "OK",
		"2000", "200OK", "2x0", "-200", "+200", "0x1", "100 Continue",
		"101", "199 X", "000", "099" };
	char text[64];
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		(void)snprintf(text, sizeof text,
		    "Content-Type: a/b\nStatus: %s\n\n", bad[i]);
		check_refused(text);
		(void)snprintf(text, sizeof text, "HTTP/1.1 %s\n\n", bad[i]);
		check_refused(text);
	}
	check_refused("HTTP/1.1\n\n");
	check_refused("HTTP/\n\n");
	check_refused("HTTP/1.1200\n\n");
}

/* A line is a name, a colon and a value. */
ATF_TC_WITHOUT_HEAD(lines);
ATF_TC_BODY(lines, tc)
{
	check_refused("Hello, world\n\n");
	check_refused("<html>\n\n");
	check_refused("Content-Type: a/b\nnonsense\n\n");
	check_refused("Content-Type: a/b\n: x\n\n");
	check_refused("Content-Type: a/b\nA B: x\n\n");
	check_refused("Content-Type: a/b\nA(B): x\n\n");
	check_refused("Content-Type: a/b\nA\xc3\xa9: x\n\n");
	check_refused("Content-Type: a/b\n\"A\": x\n\n");
	check_refused(" Content-Type: a/b\n\n");
	check_refused("\tContent-Type: a/b\n\n");
	check_refused("Content-Type: a/b\nHTTP/1.1 200 OK\n\n");
	check_refused("HTTP/1.1 200 OK\nHTTP/1.1 200 OK\n\n");
}

/* A length that is no number, or two of them; a Location of nothing. */
ATF_TC_WITHOUT_HEAD(values);
ATF_TC_BODY(values, tc)
{
	static const char *const bad[] = { "x", "-1", "+1", "1x", "0x1", "1 2",
		"1,1", "9223372036854775808", "99999999999999999999" };
	char text[96];
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		(void)snprintf(text, sizeof text,
		    "Content-Type: a/b\nContent-Length: %s\n\n", bad[i]);
		check_refused(text);
	}
	check_refused("Status: 200 OK\nContent-Length: 5\n"
		      "Content-Length: 6\n\n");
	check_refused("Status: 200 OK\nTransfer-Encoding: gzip\n\n");
	check_refused("Status: 200 OK\nTransfer-Encoding: gzip, chunked\n\n");
	check_refused("Status: 200 OK\nTransfer-Encoding: chunked\n"
		      "Transfer-Encoding: chunked\n\n");
	check_refused("Location:\n\n");
	check_refused("Status: 302 Found\nLocation: \n\n");
}

/* Control bytes, in a name or a value, and NUL above all. */
ATF_TC_WITHOUT_HEAD(control_bytes);
ATF_TC_BODY(control_bytes, tc)
{
	char text[] = "Content-Type: a/b\nX-A: b?c\n\n";
	char name[] = "Content-Type: a/b\nX?A: b\n\n";
	char *where = strchr(text, '?'), *in_name = strchr(name, '?');
	int c;

	for (c = 0; c < ' '; c++) {
		if (c == '\t' || c == '\n')
			continue;
		*where = (char)c;
		check_refused_n(text, sizeof text - 1);
		*in_name = (char)c;
		check_refused_n(name, sizeof name - 1);
	}
	check_refused("Content-Type: a/b\nX: a\rLocation: http://x\n\n");
	check_refused("Content-Type: a/b\r\r\n\n");
}

/* A script that never ends its header is stopped at the limit. */
ATF_TC_WITHOUT_HEAD(too_large);
ATF_TC_BODY(too_large, tc)
{
	struct response *r;
	char line[128], shown[64];
	size_t used, n = 0, piece, total;

	memset(line, 'x', sizeof line);
	for (piece = 1; piece <= sizeof line; piece++) {
		ATF_REQUIRE((r = response_new(1000)) != NULL);
		total = 0;
		while (response_feed(r, line, piece, &used) == 0) {
			total += used;
			ATF_REQUIRE_EQ(piece, used);
			ATF_REQUIRE(total <= 1000);
		}
		ATF_CHECK(total + piece > 1000);
		ATF_CHECK(response_error(r) != NULL);
		response_first_bytes(r, shown, sizeof shown);
		n = strlen(shown);
		ATF_CHECK_EQ(sizeof shown - 1, n);
		response_free(r);
	}
}

/* The first bytes, as many as there is room for, as a string. */
ATF_TC_WITHOUT_HEAD(first_bytes);
ATF_TC_BODY(first_bytes, tc)
{
	struct response *r;
	char shown[8];
	size_t used;

	ATF_REQUIRE((r = response_new(100)) != NULL);
	response_first_bytes(r, shown, sizeof shown);
	ATF_CHECK_STREQ("", shown);
	ATF_REQUIRE_EQ(0, response_feed(r, "ab\0d", 4, &used));
	response_first_bytes(r, shown, sizeof shown);
	ATF_CHECK_EQ(4, strlen(shown));
	ATF_CHECK(strncmp(shown, "ab", 2) == 0 && shown[3] == 'd');
	ATF_REQUIRE_EQ(0, response_feed(r, "efghijkl", 8, &used));
	response_first_bytes(r, shown, sizeof shown);
	ATF_CHECK_EQ(7, strlen(shown));
	response_first_bytes(r, shown, 1);
	ATF_CHECK_STREQ("", shown);
	response_free(r);
	response_free(NULL);
}

/* The result is lines that end with CRLF and hold no control byte. */
static void
check_clean(const struct response_info *info)
{
	const char *p = info->header;
	size_t i;

	ATF_REQUIRE_EQ(strlen(p), info->len);
	ATF_REQUIRE(info->len >= 4);
	ATF_REQUIRE_STREQ("\r\n\r\n", p + info->len - 4);
	for (i = 0; i < info->len; i++) {
		if (p[i] == '\n')
			ATF_REQUIRE(i > 0 && p[i - 1] == '\r');
		else if (p[i] == '\r')
			ATF_REQUIRE_EQ('\n', p[i + 1]);
		else
			ATF_REQUIRE((unsigned char)p[i] >= ' ' || p[i] == '\t');
	}
	/* the empty line is the last one */
	ATF_REQUIRE(strstr(p, "\r\n\r\n") == p + info->len - 4);
}

/* Random lines out of the bytes and words that matter. */
ATF_TC_WITHOUT_HEAD(random_text);
ATF_TC_BODY(random_text, tc)
{
	static const char *const words[] = { "Content-Type", "Status",
		"Location", ":", ": ", " ", "\t", "\n", "\r\n", "\r", "200",
		"404 Not", "HTTP/1.1 200 OK\n", "/x", "http://x", "a", "X-A: b",
		"\n\n", "chunked", "Transfer-Encoding: chunked\n", "\xff",
		"Content-Type: a/b\n" };
	struct response *r;
	struct response_info info;
	struct bytes in = { 0 };
	const char *word;
	uint32_t random = 2024;
	size_t used, i;
	unsigned good = 0, bad = 0;
	int round, rc;

	for (round = 0; round < 30000; round++) {
		in.len = 0;
		for (i = unit_random(&random) % 12; i > 0; i--) {
			word = words[unit_random(&random) %
			    (sizeof words / sizeof words[0])];
			bytes_add(&in, word, strlen(word));
		}
		bytes_add(&in, "\n\n", 2);
		ATF_REQUIRE((r = response_new(1024)) != NULL);
		rc = response_feed(r, in.p, in.len, &used);
		ATF_REQUIRE_EQ(1, rc);
		if (response_finish(r, (int)(random & 1), &info) == 0) {
			good++;
			check_clean(&info);
			free(info.header);
		} else {
			bad++;
			ATF_REQUIRE(response_error(r) != NULL);
		}
		response_free(r);
	}
	ATF_CHECK(good > 300);
	ATF_CHECK(bad > 300);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, no_field);
	ATF_TP_ADD_TC(tp, status);
	ATF_TP_ADD_TC(tp, lines);
	ATF_TP_ADD_TC(tp, values);
	ATF_TP_ADD_TC(tp, control_bytes);
	ATF_TP_ADD_TC(tp, too_large);
	ATF_TP_ADD_TC(tp, first_bytes);
	ATF_TP_ADD_TC(tp, random_text);
	return atf_no_error();
}
