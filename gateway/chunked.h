/*
 * Decodes a body in chunks (RFC 9112 section 7.1), in place, cut anywhere.
 * Embedded in its owner, zeroed at first.
 */
#ifndef CHUNKED_H
#define CHUNKED_H

#include <stddef.h>
#include <stdint.h>

enum chunked_state {
	CHUNKED_SIZE, /* in a chunk's size */
	CHUNKED_EXTENSION, /* in what follows it, until LF */
	CHUNKED_DATA,
	CHUNKED_DATA_END, /* at the CRLF behind a chunk's data */
	CHUNKED_TRAILER, /* in the trailer, which is dropped */
	CHUNKED_DONE, /* anything more is dropped */
	CHUNKED_BROKEN /* this is no chunked body */
};

struct chunked {
	enum chunked_state state;
	uint64_t left; /* bytes of the chunk still to come */
	unsigned digits; /* of its size */
	unsigned line; /* bytes of a line of the trailer */
};

/*
 * Replaces the len bytes at p by the data in them.  Returns how many bytes of
 * data that is.  The state tells of the end, and of an error; after either
 * there is no more data.
 */
size_t chunked_decode(struct chunked *, uint8_t *p, size_t len);

#endif
