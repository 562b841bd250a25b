/*
 * A task is what a route keeps of a request that it has not answered yet.  It
 * is the first member of a structure of the route's own, and the context of
 * the request (request_set_context): that is how a call-back, which is given
 * nothing but the request, finds what there is to know about it.
 *
 * The route frees its structure when it ends the request, or when the request
 * is aborted, and no timer or list may know of it then.
 */
#ifndef TASK_H
#define TASK_H

#include <stddef.h>
#include <stdint.h>

#include "handler.h"

struct task {
	const struct handler *handler; /* whose call-backs are for it */
	struct request *req;
	const char *text; /* what is to be sent first; its rest, and NUL */
};

/*
 * Makes a zeroed structure of that size, a task and the request's context from
 * now on; free(3) frees it.  Returns NULL if there is no memory: the request
 * has been answered then.
 */
void *task_new(struct request *, const struct handler *, size_t);
/*
 * Sends the text as far as there is room.  Returns 1 if that was all of it;
 * else 0, and writable will be called.
 */
int task_send(struct task *);
/*
 * The whole of a short answer, and the end of the request, at once or as soon
 * as there is room; nothing may have been sent before.  fields are lines that
 * end with CR LF.  The body is plain text; NULL means the status itself for an
 * error, and nothing for others.
 */
void task_reply(struct request *, int status, const char *fields,
    const char *body);
/*
 * True if a response may begin before the body has come.  nginx by itself sends
 * no more of the body once it sees a response.
 */
int task_is_duplex(const struct request *);
/* True if only the header is wanted. */
int task_is_head(const struct request *);

/* The decimal number that text begins with, or -1: none, or above max. */
int64_t task_number(const char *text, int64_t max);
/* That of "name=number" in the query; -1 if it is bad, or the default. */
int64_t task_query(const struct request *, const char *name, int64_t max,
    int64_t standard);

#endif
