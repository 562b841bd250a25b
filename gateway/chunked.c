/*
 * The state says what the next byte is; data is moved down over the framing.
 */
#include <string.h>

#include "chunked.h"

#define DIGITS_MAX 15 /* of a size: no more fit into int64_t */

static int
size_digit(struct chunked *c, uint8_t byte)
{
	unsigned value;

	if (byte >= '0' && byte <= '9')
		value = byte - '0';
	else if (byte >= 'a' && byte <= 'f')
		value = byte - 'a' + 10U;
	else if (byte >= 'A' && byte <= 'F')
		value = byte - 'A' + 10U;
	else if (c->digits > 0 &&
	    (byte == '\r' || byte == '\n' || byte == ';' || byte == ' ' ||
		byte == '\t')) {
		c->state = CHUNKED_EXTENSION;
		return 0;
	} else
		return -1;
	if (++c->digits > DIGITS_MAX)
		return -1;
	c->left = c->left << 4 | value;
	return 1;
}

/* One byte that is not data.  Returns 0, or -1. */
static int
step(struct chunked *c, uint8_t byte)
{
	int rc;

	switch (c->state) {
	case CHUNKED_SIZE:
		if ((rc = size_digit(c, byte)) != 0)
			return rc == 1 ? 0 : -1;
		/* the byte that ended the size */
		/* FALLTHROUGH */
	case CHUNKED_EXTENSION:
		if (byte == '\n') {
			c->state = c->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
			c->digits = c->line = 0;
		}
		return 0;
	case CHUNKED_DATA_END:
		if (byte == '\n')
			c->state = CHUNKED_SIZE;
		else if (byte != '\r')
			return -1;
		return 0;
	case CHUNKED_TRAILER:
		if (byte == '\n') {
			if (c->line == 0)
				c->state = CHUNKED_DONE;
			c->line = 0;
		} else if (byte != '\r')
			c->line = 1;
		return 0;
	default:
		return 0;
	}
}

size_t
chunked_decode(struct chunked *c, uint8_t *p, size_t len)
{
	uint8_t *to = p;
	size_t at = 0, part;

	while (at < len && c->state != CHUNKED_DONE &&
	    c->state != CHUNKED_BROKEN) {
		if (c->state != CHUNKED_DATA) {
			if (step(c, p[at++]) == -1)
				c->state = CHUNKED_BROKEN;
			continue;
		}
		part = c->left < len - at ? (size_t)c->left : len - at;
		memmove(to, p + at, part);
		to += part;
		at += part;
		c->left -= part;
		if (c->left == 0)
			c->state = CHUNKED_DATA_END;
	}
	return (size_t)(to - p);
}
