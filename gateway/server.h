/*
 * What all connections of a process share: the event loop, the limits, the
 * handler, memory that is used again, and the list of the connections.
 * Made by main, passed down; there is one.
 */
#ifndef SERVER_H
#define SERVER_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "outq.h"

struct conn;
struct event_base;
struct handler;
struct limits;
struct pool;

/* Bytes that one read takes from a descriptor at most. */
#define SERVER_SCRATCH 65536

struct server {
	struct event_base *base;
	const struct limits *limits;
	const struct handler *handler;
	void *handler_arg;
	int64_t max_requests; /* that it takes at once: FCGI_MAX_REQS */
	struct pool *disk; /* one thread: writes and reads spool files */
	const char *spool_dir; /* where they are made */
	int64_t spooled; /* bytes in all of them */
	uint8_t *scratch; /* SERVER_SCRATCH bytes, for one call-back */
	struct outq_store store;
	TAILQ_HEAD(, conn) conns;
	unsigned nconns;
	uint64_t serial; /* number of the newest connection */
	int draining;
	/* a connection has gone: accepting may go on */
	void (*conn_gone)(void *);
	void *conn_gone_arg;
};

/* Returns 0, or -1 with errno. */
int server_init(struct server *, struct event_base *, const struct limits *,
    const char *spool_dir);
/* Closes what connections there still are, aborting their requests. */
void server_clear(struct server *);
/*
 * Closes idle connections now and the others when their requests have ended.
 */
void server_drain(struct server *);

#endif
