/*
 * A stream of server-sent events (the WHATWG's HTML standard, section 9.2)
 * that any number of clients listen to.
 *
 * The messages, which are events as they go over the wire, stand one behind
 * the other in one ring of bytes; when it is full the oldest are forgotten.  A
 * listener is a place in that ring and no more: nothing is queued for it, so
 * one that reads slowly costs what one that waits does.
 *
 * Each message has the lists of those who want it next.  Who has had all
 * messages is in the lists of the one that is yet to come; so when it comes
 * nobody has to be moved, or even looked at: it is there, and who wants it is
 * known.  They are then served in slices, a turn of the event loop each, for
 * ten thousand of them take a while, and others have requests too.
 *
 *   ready    there was room for all that it was given
 *   stalled  there was not: it goes on when it is writable
 *
 * A message is forgotten when all who are ready have had it, and, if somebody
 * is stalled there, after a moment.  Who is stalled there still is dropped:
 * that is the limit for how far one may lag behind.  Who adds faster than that
 * waits (stream_wait).
 */
#ifndef STREAM_H
#define STREAM_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

#define STREAM_BYTES 65536
#define STREAM_MESSAGES 1024
#define STREAM_MESSAGE 1024 /* bytes of one, at most */

/* No proxy may keep an event back; X-Accel-Buffering tells nginx so. */
#define STREAM_FIELDS                         \
	"Content-Type: text/event-stream\r\n" \
	"Cache-Control: no-store\r\n"         \
	"X-Accel-Buffering: no\r\n"

struct event_base;
struct client;
struct request;

TAILQ_HEAD(clients, client);

struct message {
	uint64_t start; /* bytes of all messages before it */
	int64_t added; /* clock_now() */
	struct clients ready;
	struct clients stalled;
};

/* One who has a message to add, and waits for the room. */
struct waiter {
	TAILQ_ENTRY(waiter) entry;
	void (*add)(struct waiter *); /* there is room now */
	int waiting;
};

struct stream {
	char ring[STREAM_BYTES];
	struct message messages[STREAM_MESSAGES + 1]; /* and one to come */
	uint64_t first; /* number of the oldest that is kept */
	uint64_t next; /* of the one that is yet to come */
	uint64_t due; /* of the first that ready listeners may wait for */
	struct event turn; /* serves a slice of them */
	TAILQ_HEAD(, waiter) waiters; /* in the order in which they came */
	unsigned nclients;
	unsigned latest:1; /* what is not the latest is of no interest */
	unsigned ended:1;
};

/* first is the number of the first message. */
void stream_init(struct stream *, struct event_base *, uint64_t first);
/*
 * Makes the request a listener, who gets the text, which stays the caller's and
 * begins with STREAM_FIELDS and an empty line, and then the messages from that
 * number on: first at the least, next at the most.
 */
void stream_listen(struct stream *, struct request *, const char *text,
    uint64_t from);
/*
 * Calls add when it is time for a message, at once or later.  stream_unwait: it
 * has none any more.
 */
void stream_wait(struct stream *, struct waiter *);
void stream_unwait(struct stream *, struct waiter *);
/*
 * Adds a message of at most STREAM_MESSAGE bytes, for all listeners.  Never
 * blocks; who has not waited may cut listeners that are not to blame.
 */
void stream_add(struct stream *, const char *, size_t);
/* Ends it for all listeners, and soon for those who still come. */
void stream_end(struct stream *);

#endif
