/*
 * What goes out on a connection: whose record is next, and how large it may
 * be.  While several requests have output, each may fill its share of the
 * queue, in small records; one alone may fill it all, in large ones.  Who
 * finds no room waits in line; behind a thousand floods a page of one record
 * would do so for long, so who has had no output yet has every second turn.
 * A windowed request also stays within its credit; while it waits for more it
 * is in nobody's way.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi.h"

struct conn;
struct request;

/* See request_reserve in handler.h. */
uint8_t *output_reserve(struct request *, size_t want, size_t *room);
void output_commit(struct request *, enum fcgi_type, size_t len);
void output_cancel(struct request *);
/*
 * Bytes for which output_reserve would now find room, though it may find more
 * than that; 0: none.
 */
size_t output_room(const struct request *);
/* Credit has come: who waits for that may go on. */
void output_credited(struct request *);
/*
 * Queues the last records of a request, past all limits; status is an enum
 * fcgi_status or AFCGI_CUT.  Returns 0, or -1: ENOMEM.
 */
int output_end(struct request *, uint32_t app_status, uint8_t status);
/* Tells the peer that STDIN may cost so much more.  0, or -1: ENOMEM. */
int output_credit(struct request *, uint32_t bytes);
/* Queues a record that no peer can take for anything but an error. */
int output_poison(struct conn *);
/* Queues whole records that belong to no live request, past all limits. */
int output_raw(struct conn *, const void *, size_t);
/* Has what is queued written at the end of this turn of the event loop. */
void output_flush(struct conn *);
/* Writes what the socket takes.  Returns 0, or -1: the connection is dead. */
int output_write(struct conn *);
/* Calls those who wait for room, once each, while there is some. */
void output_wake(struct conn *);
/* The request does not wait for room any more, if it did. */
void output_unwait(struct request *);
/* The request is going: forget that it waits, and what it has queued. */
void output_forget(struct request *);
/* True if the peer does not read: take no more from it. */
int output_clogged(const struct conn *);

#endif
