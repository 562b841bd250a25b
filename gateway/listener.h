/*
 * The sockets that web servers connect to: made here, or inherited from
 * systemd (LISTEN_FDS) or from spawn-fcgi (descriptor 0).  All accepting is
 * paused at the limit of connections and when descriptors run out.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <sys/types.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "socket.h"

struct listener;
struct server;

struct listeners {
	STAILQ_HEAD(, listener) list;
	struct server *server;
	struct event retry; /* accepting is tried again */
	int paused;
	int max_fd; /* no connection is accepted above this descriptor */
	struct socket_rights rights; /* of unix sockets that are made */
	const uid_t *uids; /* peers that unix sockets admit; none: all */
	size_t nuids;
	char **addresses; /* peers that TCP sockets admit; NULL: all */
	size_t naddresses;
};

/*
 * Reads FCGI_WEB_SERVER_ADDRS (FastCGI section 3.2) from the environment.
 * Returns 0, or -1 with errno (EINVAL: an address that is none).
 */
int listeners_init(struct listeners *, struct server *, int max_fd);
/* Opens one, as socket_open does. */
const char *listeners_open(struct listeners *, const char *socket);
/*
 * How many sockets a service manager has passed, from descriptor 3 on; see
 * sd_listen_fds(3).
 */
int listeners_passed(void);
/*
 * Takes those, or else the one on descriptor 0.  Returns how many there are,
 * or -1 with errno.
 */
int listeners_inherit(struct listeners *);
/* Begins to accept.  Returns 0, or -1 with errno. */
int listeners_start(struct listeners *);
/* A connection has gone: there may be room for another. */
void listeners_resume(struct listeners *);
/* Closes them all; unlinks the unix sockets it made. */
void listeners_close(struct listeners *);

#endif
