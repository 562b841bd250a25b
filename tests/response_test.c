/*
 * The header of a CGI response, response.c:
 *   - LF and CRLF, obsolete folding, spaces around names and values
 *   - the same header comes out wherever the input is cut, and what follows
 *     it is left alone
 *   - Status, with and without a reason; HTTP/ lines of nph- scripts
 *   - the four kinds of RFC 3875 section 6.2: document, local redirect (to
 *     nginx as X-Accel-Redirect), client redirect with and without document
 *   - statuses without a body; Content-Length
 *   - hop-by-hop fields are dropped; a chunked body is noticed
 *   - the limit in bytes: reached and passed by one
 * What is refused is in response_refuse_test.c.
 */
#include "../gateway/response.h"
#include "unit.h"

#define MAX 65536

/* Feeds in two pieces (first, rest), or byte by byte if first is len + 1. */
static int
feed(struct response *r, const char *text, size_t len, size_t first,
    size_t *used)
{
	size_t at, part, n;
	char *copy;
	int rc = 0;

	*used = 0;
	for (at = 0; at < len && rc == 0; at += part) {
		part = first > len	 ? 1 :
		    at == 0 && first > 0 ? first :
					   len - at;
		ATF_REQUIRE((copy = malloc(part)) != NULL);
		memcpy(copy, text + at, part);
		rc = response_feed(r, copy, part, &n);
		free(copy);
		ATF_REQUIRE(n <= part);
		if (rc == 0)
			ATF_REQUIRE_EQ(part, n);
		*used += n;
	}
	return rc;
}

static void
check_cut(const char *text, int nginx, const char *want, int chunked,
    int no_body, size_t cut)
{
	struct response *r;
	struct response_info info;
	const char *body = strstr(text, "BODY");
	size_t used;

	ATF_REQUIRE((r = response_new(MAX)) != NULL);
	ATF_REQUIRE_EQ_MSG(1, feed(r, text, strlen(text), cut, &used),
	    "%s cut at %zu", text, cut);
	ATF_CHECK_EQ((size_t)(body - text), used);
	ATF_REQUIRE_EQ_MSG(0, response_finish(r, nginx, &info), "%s: %s", text,
	    response_error(r));
	ATF_CHECK_STREQ(want, info.header);
	ATF_CHECK_EQ(strlen(info.header), info.len);
	ATF_CHECK_EQ(chunked, info.chunked != 0);
	ATF_CHECK_EQ(no_body, info.no_body != 0);
	free(info.header);
	response_free(r);
}

/* text has "BODY" behind its header. */
static void
check(const char *text, int nginx, const char *want, int chunked, int no_body)
{
	size_t cut;

	for (cut = 0; cut <= strlen(text) + 1; cut++)
		check_cut(text, nginx, want, chunked, no_body, cut);
}

/* One header for any web server. */
static void
check_document(const char *text, const char *want)
{
	check(text, 0, want, 0, 0);
	check(text, 1, want, 0, 0);
}

/* Both line ends, and both in one header; names keep their case. */
ATF_TC_WITHOUT_HEAD(line_ends);
ATF_TC_BODY(line_ends, tc)
{
	check_document("Content-Type: text/html\n\nBODY",
	    "Content-Type: text/html\r\n\r\n");
	check_document("Content-Type: text/html\r\n\r\nBODY",
	    "Content-Type: text/html\r\n\r\n");
	check_document("content-type: a/b\r\nX-A: 1\n\r\nBODY",
	    "content-type: a/b\r\nX-A: 1\r\n\r\n");
	check_document("Content-Type: a/b\nX-A: 1\r\n\nBODY",
	    "Content-Type: a/b\r\nX-A: 1\r\n\r\n");
}

/* A line that begins with a space continues the one before. */
ATF_TC_WITHOUT_HEAD(folding);
ATF_TC_BODY(folding, tc)
{
	check_document("Content-Type: a/b;\n c=d\n\nBODY",
	    "Content-Type: a/b;  c=d\r\n\r\n");
	check_document("X: 1\r\n\t2\r\n 3\r\nContent-Type: a/b\r\n\r\nBODY",
	    "X: 1  \t2   3\r\nContent-Type: a/b\r\n\r\n");
	check_document("Content-Type: a/b\n \n\nBODY",
	    "Content-Type: a/b\r\n\r\n");
}

/* Spaces around a name and a value are not theirs; a value may be empty. */
ATF_TC_WITHOUT_HEAD(spaces);
ATF_TC_BODY(spaces, tc)
{
	check_document("Content-Type:a/b\nX-A:\nX-B: \t \n\nBODY",
	    "Content-Type: a/b\r\nX-A: \r\nX-B: \r\n\r\n");
	check_document("Content-Type : \t a/b \t \nX-A:b: c :d\n\nBODY",
	    "Content-Type: a/b\r\nX-A: b: c :d\r\n\r\n");
}

/* Fields that may come several times stay several, in order. */
ATF_TC_WITHOUT_HEAD(repeated);
ATF_TC_BODY(repeated, tc)
{
	check_document("Set-Cookie: a=1\nContent-Type: a/b\n"
		       "Set-Cookie: b=2\n\nBODY",
	    "Set-Cookie: a=1\r\nContent-Type: a/b\r\nSet-Cookie: b=2\r\n\r\n");
}

/* Status goes first, wherever it was, and alone is enough. */
ATF_TC_WITHOUT_HEAD(status);
ATF_TC_BODY(status, tc)
{
	check_document("Content-Type: a/b\nStatus: 404 Not here\n\nBODY",
	    "Status: 404 Not here\r\nContent-Type: a/b\r\n\r\n");
	/* no body belongs to these, and no length to the first of them */
	check("status: 204 No Content\nContent-Length: 4\n\nBODY", 0,
	    "Status: 204 No Content\r\n\r\n", 0, 1);
	check("Status: 304\nContent-Length: 4\n\nBODY", 0,
	    "Status: 304 Not Modified\r\nContent-Length: 4\r\n\r\n", 0, 1);
	check_document("Status: 999 X\n\nBODY", "Status: 999 X\r\n\r\n");
	check_document("Status: 404\n\nBODY", "Status: 404 Not Found\r\n\r\n");
	check_document("Status:\t503  Busy now \nContent-Type: a/b\n\nBODY",
	    "Status: 503 Busy now\r\nContent-Type: a/b\r\n\r\n");
	check_document("Status: 200 OK\nContent-Type: a/b\n\nBODY",
	    "Status: 200 OK\r\nContent-Type: a/b\r\n\r\n");
}

/* Responses that have no body by their status (RFC 9110 section 6.4.1). */
ATF_TC_WITHOUT_HEAD(no_body);
ATF_TC_BODY(no_body, tc)
{
	check("status: 204 No Content\n\nBODY", 0,
	    "Status: 204 No Content\r\n\r\n", 0, 1);
	check("Status: 304 Not Modified\nETag: x\n\nBODY", 1,
	    "Status: 304 Not Modified\r\nETag: x\r\n\r\n", 0, 1);
}

static void
check_length(const char *text, int64_t length, int passed)
{
	struct response *r;
	struct response_info info;
	size_t used;

	ATF_REQUIRE((r = response_new(MAX)) != NULL);
	ATF_REQUIRE_EQ(1, feed(r, text, strlen(text), 0, &used));
	ATF_REQUIRE_EQ(0, response_finish(r, 1, &info));
	ATF_CHECK_EQ_MSG(length, info.length, "%s", text);
	ATF_CHECK_EQ_MSG(passed,
	    strstr(info.header, "Content-Length: ") != NULL, "%s", text);
	free(info.header);
	response_free(r);
}

/* Content-Length is known and passed on, once, where it means the body. */
ATF_TC_WITHOUT_HEAD(content_length);
ATF_TC_BODY(content_length, tc)
{
	check_length("Content-Type: a/b\n\n", -1, 0);
	check_length("Content-Type: a/b\nContent-Length:\n\n", -1, 0);
	check_length("Content-Type: a/b\nContent-Length: 0\n\n", 0, 1);
	check_length("content-length:17 \r\nStatus: 200 OK\r\n\r\n", 17, 1);
	check_length("Status: 200 OK\nContent-Length: 5\n"
		     "Content-Length: 5\n\n",
	    5, 1);
	check_length("Status: 200 OK\nContent-Length: 9223372036854775807\n\n",
	    INT64_MAX, 1);
	/* the chunks' framing counts, and 204 must not have one */
	check_length("HTTP/1.1 200 OK\nContent-Length: 5\n"
		     "Transfer-Encoding: chunked\n\n",
	    -1, 0);
	check_length("Status: 204 None\nContent-Length: 5\n\n", -1, 0);
}

/* A success without a reason is not called an error. */
ATF_TC_WITHOUT_HEAD(status_without_reason);
ATF_TC_BODY(status_without_reason, tc)
{
	static const char *const texts[] = { "Status: 200\n\nBODY",
		"Status: 204 \n\nBODY", "HTTP/1.1 200\n\nBODY",
		"Status: 301\n\nBODY", "Status: 304\n\nBODY" };
	struct response *r;
	struct response_info info;
	size_t i, used;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		ATF_REQUIRE((r = response_new(MAX)) != NULL);
		ATF_REQUIRE_EQ(1,
		    feed(r, texts[i], strlen(texts[i]), 0, &used));
		ATF_REQUIRE_EQ(0, response_finish(r, 1, &info));
		ATF_CHECK_MSG(strstr(info.header, "Error") == NULL, "%s",
		    info.header);
		free(info.header);
		response_free(r);
	}
}

/* The header of a script that speaks HTTP itself: its status counts. */
ATF_TC_WITHOUT_HEAD(nph);
ATF_TC_BODY(nph, tc)
{
	check_document("HTTP/1.1 404 Gone fishing\r\nServer: x\r\n\r\nBODY",
	    "Status: 404 Gone fishing\r\nServer: x\r\n\r\n");
	check_document("HTTP/1.0 200 OK\n\nBODY", "Status: 200 OK\r\n\r\n");
	check_document("HTTP/1.1  201   Made\nContent-Type: a/b\n\nBODY",
	    "Status: 201 Made\r\nContent-Type: a/b\r\n\r\n");
	check_document("HTTP/1.1 302 Found\nLocation: /here\n\nBODY",
	    "Status: 302 Found\r\nLocation: /here\r\n\r\n");
}

/*
 * Without Status, a path is for the web server to serve: nginx is told so,
 * others are not known to do it, and the client is sent there.
 */
ATF_TC_WITHOUT_HEAD(local_redirect);
ATF_TC_BODY(local_redirect, tc)
{
	check("Location: /other?a=b\n\nBODY", 1,
	    "X-Accel-Redirect: /other?a=b\r\n\r\n", 0, 1);
	/* nobody else follows one by itself */
	check("Location: /other?a=b\n\nBODY", 0,
	    "Status: 302 Found\r\nLocation: /other?a=b\r\n\r\n", 0, 0);
	/* a fragment, or what browsers take for a host, is the client's */
	check("Location: /a#b\n\nBODY", 1,
	    "Status: 302 Found\r\nLocation: /a#b\r\n\r\n", 0, 0);
	check("Location: /\\host\n\nBODY", 1,
	    "Status: 302 Found\r\nLocation: /\\host\r\n\r\n", 0, 0);
	check("location: /\r\nX-A: 1\r\n\r\nBODY", 1,
	    "X-Accel-Redirect: /\r\nX-A: 1\r\n\r\n", 0, 1);
}

/* A URL is for the client: 302, or the script's status, with its document. */
ATF_TC_WITHOUT_HEAD(client_redirect);
ATF_TC_BODY(client_redirect, tc)
{
	check_document("Location: http://a/b\n\nBODY",
	    "Status: 302 Found\r\nLocation: http://a/b\r\n\r\n");
	check_document("Content-Type: a/b\nLocation: http://a/b\n\nBODY",
	    "Status: 302 Found\r\nLocation: http://a/b\r\n"
	    "Content-Type: a/b\r\n\r\n");
	check_document("Location: http://a/b\nStatus: 301 Moved\n\nBODY",
	    "Status: 301 Moved\r\nLocation: http://a/b\r\n\r\n");
	check_document("Status: 303 See\nLocation: /x\n\nBODY",
	    "Status: 303 See\r\nLocation: /x\r\n\r\n");
	/* the path of another host, or one of this page */
	check_document("Location: //host/x\n\nBODY",
	    "Status: 302 Found\r\nLocation: //host/x\r\n\r\n");
	check_document("Location: /\\host/x\n\nBODY",
	    "Status: 302 Found\r\nLocation: /\\host/x\r\n\r\n");
	check_document("Location: /x#there\n\nBODY",
	    "Status: 302 Found\r\nLocation: /x#there\r\n\r\n");
	check_document("Location: other.cgi\n\nBODY",
	    "Status: 302 Found\r\nLocation: other.cgi\r\n\r\n");
}

/* A script may ask nginx for a file itself; its document is not wanted. */
ATF_TC_WITHOUT_HEAD(accel_redirect);
ATF_TC_BODY(accel_redirect, tc)
{
	check("X-Accel-Redirect: /f\nContent-Type: a/b\n\nBODY", 1,
	    "X-Accel-Redirect: /f\r\nContent-Type: a/b\r\n\r\n", 0, 1);
}

/* What concerns one connection only is not passed on. */
ATF_TC_WITHOUT_HEAD(hop_by_hop);
ATF_TC_BODY(hop_by_hop, tc)
{
	check_document("Connection: close\nKeep-Alive: 5\nTE: x\nTrailer: y\n"
		       "Proxy-Connection: z\nupgrade: h2\nContent-Type: a/b\n"
		       "Connections: 2\n\nBODY",
	    "Content-Type: a/b\r\nConnections: 2\r\n\r\n");
	check("Content-Type: a/b\nTransfer-Encoding: chunked\n\nBODY", 1,
	    "Content-Type: a/b\r\n\r\n", 1, 0);
	check("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked \r\n\r\nBODY", 0,
	    "Status: 200 OK\r\n\r\n", 1, 0);
	check_document("Transfer-Encoding: identity\nContent-Type: a/b\n\nBODY",
	    "Content-Type: a/b\r\n\r\n");
}

/* A header as long as the limit is one; one byte more is not. */
ATF_TC_WITHOUT_HEAD(limit);
ATF_TC_BODY(limit, tc)
{
	static const char text[] = "Content-Type: a/b\r\nX: 123\r\n\r\n";
	const size_t len = sizeof text - 1;
	struct response *r;
	struct response_info info;
	size_t max, cut, used;
	int rc;

	for (max = len - 3; max <= len + 1; max++)
		for (cut = 0; cut <= len + 1; cut++) {
			ATF_REQUIRE((r = response_new(max)) != NULL);
			rc = feed(r, text, len, cut, &used);
			ATF_CHECK_EQ(max >= len ? 1 : -1, rc);
			if (rc == 1) {
				ATF_CHECK_EQ(len, used);
				ATF_REQUIRE_EQ(0, response_finish(r, 0, &info));
				free(info.header);
			} else
				ATF_CHECK(response_error(r) != NULL);
			response_free(r);
		}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, line_ends);
	ATF_TP_ADD_TC(tp, folding);
	ATF_TP_ADD_TC(tp, spaces);
	ATF_TP_ADD_TC(tp, repeated);
	ATF_TP_ADD_TC(tp, status);
	ATF_TP_ADD_TC(tp, no_body);
	ATF_TP_ADD_TC(tp, content_length);
	ATF_TP_ADD_TC(tp, status_without_reason);
	ATF_TP_ADD_TC(tp, nph);
	ATF_TP_ADD_TC(tp, local_redirect);
	ATF_TP_ADD_TC(tp, client_redirect);
	ATF_TP_ADD_TC(tp, accel_redirect);
	ATF_TP_ADD_TC(tp, hop_by_hop);
	ATF_TP_ADD_TC(tp, limit);
	return atf_no_error();
}
