/*
 * What waits to be written to one connection: a queue of whole FastCGI
 * records in chunks of memory.  A record never crosses a chunk's end, so its
 * writer fills it in place, and the queue finds the records again when they
 * have been written: it tells its owner of each, which is how the owner knows
 * what every request still has queued.
 *
 * Chunks come from a store that the connections share and that keeps a few
 * free ones, so that memory already touched is used again.
 */
#ifndef OUTQ_H
#define OUTQ_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "fcgi.h"

/* Two large records, or one of the greatest length. */
#define OUTQ_CHUNK (2 * (FCGI_HEADER_LEN + 32768))

struct outq_chunk {
	STAILQ_ENTRY(outq_chunk) entry;
	size_t off; /* bytes already written */
	size_t len; /* bytes filled */
	uint8_t data[OUTQ_CHUNK];
};

STAILQ_HEAD(outq_chunks, outq_chunk);

struct outq_store {
	struct outq_chunks free;
	unsigned nfree;
};

struct outq {
	struct outq_chunks chunks;
	struct outq_store *store;
	size_t bytes; /* queued, headers included */
	struct fcgi_header head; /* the record that is being written */
	size_t left; /* bytes of it not yet written */
};

void outq_store_init(struct outq_store *);
void outq_store_clear(struct outq_store *);

void outq_init(struct outq *, struct outq_store *);
/* Drops what is queued. */
void outq_clear(struct outq *);
/*
 * Room for the content of one record of at most want bytes (1 to 65,535).
 * The bytes may be filled in; then comes outq_commit or outq_cancel, before
 * any other call for this queue.  Sets *room to the bytes
 * there are: want, or at least `least', which is what makes a new chunk
 * unnecessary.  Returns NULL when memory is lacking.
 */
uint8_t *outq_reserve(struct outq *, size_t want, size_t least, size_t *room);
/* Makes the first len bytes of the reserved room a record. */
void outq_commit(struct outq *, uint8_t type, uint16_t id, size_t len);
/* Nothing came of a reservation. */
void outq_cancel(struct outq *);
/* Copies a record of at most 65,535 bytes in.  Returns 0, or -1: no memory. */
int outq_add(struct outq *, uint8_t type, uint16_t id, const void *,
    size_t len);
/* Copies bytes in as they are: whole records already made. */
int outq_add_raw(struct outq *, const void *, size_t len);
/*
 * Writes what the descriptor takes, calling done for each record that has
 * been written to its end.  Returns the number of bytes, or -1 with errno
 * (EAGAIN: the descriptor takes nothing now).
 */
ssize_t outq_write(struct outq *, int fd,
    void (*done)(void *, const struct fcgi_header *), void *arg);

#endif
