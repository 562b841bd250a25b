/*
 * Finds the records in a connection's bytes, which may be cut anywhere.  It
 * holds no content: that is passed on as it comes, in pieces.  Embedded in
 * its owner, zeroed at first.
 *
 * For each record: header once, data for each piece of content, end once.
 * Padding is dropped.  header and end return 0 to go on, or -1 to stop for
 * good; after that the reader must not be fed again.
 */
#ifndef READER_H
#define READER_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi.h"

struct reader {
	struct fcgi_header h; /* of the record being read */
	uint8_t raw[FCGI_HEADER_LEN];
	unsigned have; /* bytes of raw filled, below FCGI_HEADER_LEN */
	size_t content; /* bytes of content still to come */
	size_t padding; /* bytes of padding still to come */
	int inside; /* a header has been read, its end not yet */
};

struct reader_ops {
	int (*header)(void *, const struct fcgi_header *);
	void (
	    *data)(void *, const struct fcgi_header *, const uint8_t *, size_t);
	int (*end)(void *, const struct fcgi_header *);
};

/* Returns 0, or -1 when an operation stopped it. */
int reader_feed(struct reader *, const struct reader_ops *, void *arg,
    const uint8_t *, size_t);
/* True if the bytes so far end in the middle of a record. */
int reader_partial(const struct reader *);

#endif
