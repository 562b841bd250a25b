/*
 * FCGI_STDIN of one request between the connection and the handler: passed
 * straight on while the handler takes it, else kept, first in memory, then in
 * a spool file.  When memory is full and no other request needs the connection,
 * it is stopped for a moment before the disk is used, and for long when the
 * disk's limit is reached.
 *
 * The input of a windowed request never stops the connection: it stays in
 * memory, which its window bounds, and the peer gets credit as the handler
 * takes it.  If all of it must be taken (request_take_input) it goes to disk,
 * and there is credit for what is kept there as well.
 *
 *   connection -> memory -> handler             (direct)
 *   connection -> spool -> memory -> handler    (spooling, until it is empty)
 *
 * Embedded in the request.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct request;
struct spool;

struct input {
	struct evbuffer *memory; /* NULL while nothing waits */
	struct spool *spool;
	size_t owed; /* bytes kept here that have not brought credit */
	unsigned ready:1; /* the handler takes input */
	unsigned ended:1; /* FCGI_STDIN has ended */
	unsigned done:1; /* and the handler knows */
	unsigned stopped:1; /* the connection is stopped for this */
	unsigned stalled:1; /* it was, for long: use the disk */
	unsigned flow:1; /* the connection must not be stopped for this */
	unsigned failed:1;
};

/* Drops all that waits, and lets the connection go on. */
void input_clear(struct request *);
void input_add(struct request *, const uint8_t *, size_t);
void input_end(struct request *);
/* The handler is ready: deliver what waits. */
void input_deliver(struct request *);
/* From now on the connection is not stopped for this. */
void input_flow(struct request *);
/* The connection has been stopped for long, or must go on for others. */
void input_unstop(struct request *);

#endif
