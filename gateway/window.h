/*
 * Flow control of one request (fcgi_flow(7)): what either side may still send.
 * Only arithmetic: who is told of it, and who waits, is for output.c and
 * input.c.
 *
 * A window belongs to its request.  It is open (`on') from the first credit
 * that comes before the end of the PARAMS; without that the request is plain
 * FastCGI, and nothing here limits it.
 *
 * Of the STDIN window, at any time:
 *
 *   left + held + headers + used = size
 *
 * That size is WINDOW_START at first, which is what a reader that has stopped
 * can cost.  It doubles for one that has taken more than what lies behind it
 * (a pipe, say) holds, whenever it has taken all there is.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_START 65536 /* bytes, or the limit if that is less */
#define WINDOW_READER (2 * 65536) /* bytes that a reader has consumed */

struct window {
	uint32_t size; /* of the STDIN window */
	uint32_t max; /* what it may become */
	uint32_t credit; /* what our STDOUT and STDERR may still cost */
	uint32_t left; /* what the peer's STDIN may still cost */
	uint32_t held; /* content of STDIN that has not been consumed */
	uint32_t headers; /* and what the headers of its records have cost */
	uint32_t used; /* consumed, and not yet given back */
	uint32_t read; /* consumed at all, as far as WINDOW_READER */
	unsigned on:1;
	unsigned waiting:1; /* for credit: the handler wants writable */
	unsigned cut:1; /* what had to be said found no credit */
};

/* The size that a window begins with, if it may become so large. */
uint32_t window_start(int64_t max);
/* Opens it. */
void window_open(struct window *, int64_t max);
/* The peer takes more.  Returns 0, or -1 if that is more than may be. */
int window_add(struct window *, uint32_t bytes);
/* Content, max bytes at most, that a record may have now; 0: none. */
size_t window_room(const struct window *, size_t max);
/* A record is sent; its content, at least a byte, is within the room. */
void window_spend(struct window *, size_t content);

/* A record of STDIN begins.  Returns 0, or -1 if it exceeds the window. */
int window_receive(struct window *, uint16_t content);
/*
 * So many bytes of STDIN have been consumed.  Returns what is to be given to
 * the peer now: what it has used, and more if the window grows; 0: it is too
 * little yet.
 */
uint32_t window_consume(struct window *, size_t n);

#endif
