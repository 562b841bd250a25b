#include <stdio.h>

#include "page.h"

#define RETRY_AFTER 2 /* seconds */

const char *
page_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 302, "Found" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};
	size_t i;

	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return NULL;
}

size_t
page_write(char buf[PAGE_SIZE_MAX], int status)
{
	char retry[32] = "";
	const char *reason = page_reason(status);

	if (status == 503)
		(void)snprintf(retry, sizeof retry, "Retry-After: %d\r\n",
		    RETRY_AFTER);
	return (size_t)snprintf(buf, PAGE_SIZE_MAX,
	    "Status: %d %s\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Cache-Control: no-store\r\n"
	    "%s\r\n"
	    "%d %s\n",
	    status, reason, retry, status, reason);
}
