/*
 * The short pages, page.c:
 *   - each is a whole CGI response, which response.c takes
 *   - it names the status in its header and in its body
 *   - only 503 asks to come back later
 */
#include <stdio.h>

#include "../gateway/page.h"
#include "../gateway/response.h"
#include "unit.h"

static const int statuses[] = { 400, 403, 404, 408, 413, 431, 500, 502, 503,
	504, 507 };

/* Status, Content-Type, an empty line, and "NNN reason". */
ATF_TC_WITHOUT_HEAD(pages);
ATF_TC_BODY(pages, tc)
{
	char page[PAGE_SIZE_MAX], want[128];
	const char *body;
	size_t i, len;

	for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		memset(page, 'x', sizeof page);
		len = page_write(page, statuses[i]);
		ATF_REQUIRE(len > 0 && len < sizeof page);
		ATF_CHECK_EQ('\0', page[len]);
		(void)snprintf(want, sizeof want, "Status: %d %s\r\n",
		    statuses[i], page_reason(statuses[i]));
		ATF_CHECK(strncmp(page, want, strlen(want)) == 0);
		ATF_CHECK(strstr(page,
			      "\r\nContent-Type: text/plain; "
			      "charset=utf-8\r\n") != NULL);
		ATF_REQUIRE((body = strstr(page, "\r\n\r\n")) != NULL);
		(void)snprintf(want, sizeof want, "%d %s\n", statuses[i],
		    page_reason(statuses[i]));
		ATF_CHECK_STREQ(want, body + 4);
		ATF_CHECK_EQ(statuses[i] == 503,
		    strstr(page, "Retry-After: ") != NULL);
	}
}

/* The reasons are those of the registry. */
ATF_TC_WITHOUT_HEAD(reasons);
ATF_TC_BODY(reasons, tc)
{
	ATF_CHECK_STREQ("Bad Request", page_reason(400));
	ATF_CHECK_STREQ("Forbidden", page_reason(403));
	ATF_CHECK_STREQ("Not Found", page_reason(404));
	ATF_CHECK_STREQ("Request Header Fields Too Large", page_reason(431));
	ATF_CHECK_STREQ("Service Unavailable", page_reason(503));
	ATF_CHECK_STREQ("Gateway Timeout", page_reason(504));
	ATF_CHECK_STREQ("Insufficient Storage", page_reason(507));
	ATF_CHECK_STREQ("Unknown", page_reason(1234));
}

/* What a script's header must be, a page's header is. */
ATF_TC_WITHOUT_HEAD(valid);
ATF_TC_BODY(valid, tc)
{
	struct response *r;
	struct response_info info;
	char page[PAGE_SIZE_MAX];
	size_t i, len, used;

	for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		len = page_write(page, statuses[i]);
		ATF_REQUIRE((r = response_new(PAGE_SIZE_MAX)) != NULL);
		ATF_REQUIRE_EQ(1, response_feed(r, page, len, &used));
		ATF_REQUIRE_EQ(0, response_finish(r, 1, &info));
		ATF_CHECK_EQ(0, memcmp(page, info.header, strlen("Status:")));
		ATF_CHECK(used < len);
		free(info.header);
		response_free(r);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, pages);
	ATF_TP_ADD_TC(tp, reasons);
	ATF_TP_ADD_TC(tp, valid);
	return atf_no_error();
}
