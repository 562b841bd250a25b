/*
 * An HTTP/1.1 response that is read as it comes: its header, then, if it is in
 * chunks, the messages of a stream of server-sent events.  Its owner has it
 * zeroed before each response.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stddef.h>
#include <stdint.h>

struct response {
	enum { HEADER, SIZE, SIZE_END, DATA, DATA_END } state;
	uint32_t left; /* bytes of the chunk */
	uint32_t at; /* bytes of the header, or of the line of the stream */
	uint32_t matched; /* bytes of what is looked for there */
	uint64_t number; /* in that line: of a message */
};

/*
 * Reads up to n bytes; *used is how many.  What it returns:
 *
 *	RESPONSE_MORE		all have been read
 *	RESPONSE_BEGUN		the header is complete
 *	RESPONSE_MESSAGE	so is the beginning of a line "data: NUMBER ..."
 *	RESPONSE_END		the stream has ended
 *	RESPONSE_BAD		the status is none of success
 *
 * After the last two there is nothing more to read.
 */
enum response_event {
	RESPONSE_MORE,
	RESPONSE_BEGUN,
	RESPONSE_MESSAGE,
	RESPONSE_END,
	RESPONSE_BAD
};
enum response_event response_read(struct response *, const char *, size_t n,
    size_t *used);

#endif
