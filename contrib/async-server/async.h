/*
 * What the parts of fcgi-async share: the state of the whole program, which
 * each route is given when a request begins, and the routes, each in a file
 * of its own.  A route is a handler as handler.h has it; with the router of
 * async.c in front, what it leaves out has a meaning:
 *
 *   input         left out: what arrives is dropped
 *   input_failed  always: the request is aborted here, and cut there
 *   aborted       left out: the context is freed
 */
#ifndef ASYNC_H
#define ASYNC_H

#include <event2/event_struct.h>

#include "handler.h"
#include "stream.h"

struct event_base;

struct ticker {
	struct stream stream;
	struct event timer; /* the next full second, while anybody listens */
};

struct async {
	struct event_base *base;
	struct stream chat;
	struct ticker ticker;
};

extern const struct handler ticker_handler; /* GET clock */
extern const struct handler chat_handler; /* GET chat */
extern const struct handler post_handler; /* POST chat */
extern const struct handler upload_handler; /* POST upload */
extern const struct handler echo_handler; /* POST echo */
extern const struct handler delay_handler; /* GET delay?ms=N */
extern const struct handler bytes_handler; /* GET bytes?n=N */

void ticker_init(struct ticker *, struct event_base *);
void ticker_end(struct ticker *);

#endif
