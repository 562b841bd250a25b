/*
 * A byte at a time: a chunk may end anywhere in a line, and so may what read(2)
 * returns.
 */
#include <string.h>

#include "response.h"

static enum response_event
header_byte(struct response *r, char c)
{
	static const char end[] = "\r\n\r\n";

	if (r->at++ == strlen("HTTP/1.1 ") && c != '2')
		return RESPONSE_BAD;
	r->matched = c == end[r->matched] ? r->matched + 1 : c == '\r';
	if (r->matched < sizeof(end) - 1)
		return RESPONSE_MORE;
	r->at = 0;
	r->matched = 0;
	r->state = SIZE;
	return RESPONSE_BEGUN;
}

static void
size_byte(struct response *r, char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	if (p == NULL)
		r->state = SIZE_END;
	else
		r->left = r->left * 16 + (uint32_t)(p - digits);
}

static enum response_event
data_byte(struct response *r, char c)
{
	static const char data[] = "data: ";

	if (--r->left == 0)
		r->state = DATA_END;
	if (c == '\n') {
		r->at = 0;
		r->matched = 0;
		r->number = 0;
	} else if (r->at < sizeof(data) - 1) {
		if (c == data[r->at++])
			r->matched++;
	} else if (r->matched == sizeof(data) - 1) {
		if (c < '0' || c > '9') {
			r->matched = 0;
			return RESPONSE_MESSAGE;
		}
		r->number = r->number * 10 + (uint64_t)(c - '0');
	}
	return RESPONSE_MORE;
}

enum response_event
response_read(struct response *r, const char *p, size_t n, size_t *used)
{
	enum response_event event = RESPONSE_MORE;
	size_t i;

	for (i = 0; i < n && event == RESPONSE_MORE; i++) {
		switch (r->state) {
		case HEADER:
			event = header_byte(r, p[i]);
			break;
		case SIZE:
			size_byte(r, p[i]);
			break;
		case SIZE_END:
			r->state = DATA;
			if (r->left == 0)
				event = RESPONSE_END;
			break;
		case DATA:
			event = data_byte(r, p[i]);
			break;
		case DATA_END:
			if (p[i] == '\n')
				r->state = SIZE;
			break;
		}
	}
	*used = i;
	return event;
}
