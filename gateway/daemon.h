/*
 * What a server process needs besides a handler (handler.h): its descriptors,
 * its signals, the sockets, and an end that loses no request.
 *
 *   RUNNING --TERM--> DRAINING --limit drain--> KILLING --> daemon_run returns
 *                         \____ nothing left, or TERM ____/
 *
 * INT is as good as TERM; HUP has the log opened again; USR1 is pulse.h's.
 * When draining begins the sockets are closed, and requests may end by
 * themselves; when killing begins, those that have not are aborted.
 *
 * There is one, zeroed and owned by main, which calls, in this order:
 *
 *   daemon_prepare, daemon_open, daemon_listen, log_open, daemon_run,
 *   daemon_clear
 *
 * All but the last two end the process when they fail, after having said on
 * standard error why.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <sys/types.h>
#include <sys/resource.h>

#include <stdint.h>

#include <event2/event_struct.h>

#include "listener.h"
#include "pulse.h"
#include "server.h"

enum daemon_phase { DAEMON_RUNNING, DAEMON_DRAINING, DAEMON_KILLING };

struct daemon {
	/* For main to set, before daemon_prepare: */
	const char *name; /* begins what is said on standard error */
	/* and before daemon_run; what is NULL is not called: */
	void (*drain)(void *arg); /* draining has begun */
	/* Counts what is under way beside the connections: it is waited for. */
	unsigned (*busy)(void *arg);
	const char *busy_name; /* what that is, in the plural */
	/* Ends it; returns the ms that this may take. */
	int64_t (*kill)(void *arg);
	void *arg;

	/* Of daemon_prepare: */
	struct rlimit nofile; /* as it was */
	uint64_t files; /* descriptors that there may be now */
	/* Of daemon_open: */
	struct event_base *base;
	struct server server;
	struct listeners listeners;

	enum daemon_phase phase;
	struct event term;
	struct event interrupt;
	struct event hangup;
	struct event deadline; /* of draining, then of killing */
	struct pulse pulse;
};

/*
 * Gives signals their defaults, and 022 for the umask; makes sure of
 * descriptors 0 to 2, and closes those above that were not passed to be
 * listened on; raises the limit of open files as far as it goes.
 */
void daemon_prepare(struct daemon *);
/*
 * Makes the event loop and the server, and takes the sockets that were
 * inherited; returns how many there were.  The limits, fitted already, and the
 * name of the directory stay the caller's.
 */
int daemon_open(struct daemon *, const struct limits *, const char *spool_dir);
/* Opens a socket, named as in listeners_open. */
void daemon_listen(struct daemon *, const char *socket);
/*
 * Serves until it is told to stop; server.handler and server.handler_arg are
 * set by then.  Afterwards no socket, no connection and no request is left.
 * Returns 0, or -1 with errno if the event loop has failed.
 */
int daemon_run(struct daemon *);
/* What busy counts may have become 0. */
void daemon_check(struct daemon *);
/* Frees the event loop, in which no event may be left, and closes the log. */
void daemon_clear(struct daemon *);
/* Ends the process, which could not start, after "name: what: why". */
_Noreturn void daemon_fail(struct daemon *, const char *what, const char *why);

#endif
