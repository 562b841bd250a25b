/*
 * The handler (handler.h) that answers requests by running CGI scripts: who
 * may start one, and who waits for that.  What happens to a script that runs
 * is in run.c.
 */
#ifndef CGI_H
#define CGI_H

#include <sys/types.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "child.h"
#include "handler.h"
#include "handover.h"
#include "pace.h"
#include "spawner.h"

struct run;
TAILQ_HEAD(run_list, run);

struct cgi {
	struct event_base *base;
	const struct cgi_limits *limits;
	const struct spawn_config *config;
	long max_fds; /* descriptors that the process may have */
	/*
	 * SERVER_SCRATCH bytes for what one read takes from a script; not the
	 * server's, which may be in use when a script's turn comes.
	 */
	uint8_t *scratch;
	struct pool *spawners;
	struct handover handover; /* of the pipes of what they start */
	struct children children;
	struct pace pace; /* of starts */
	struct run_list queue; /* waiting to be started, oldest first */
	struct run_list runs; /* all others */
	unsigned nqueue;
	unsigned nruns; /* in either list */
	unsigned nstarting; /* handed to the spawners */
	struct event retry; /* resources were lacking: try again then */
	int lacking;
	void (*empty)(void *); /* nruns has become 0 */
	void *empty_arg;
};

extern const struct handler cgi_handler; /* its argument is a struct cgi * */

/*
 * threads is the number of spawner threads.  Returns 0, or -1 with errno.
 */
int cgi_init(struct cgi *, struct event_base *, const struct cgi_limits *,
    const struct spawn_config *, unsigned threads);
/*
 * Ends (TERM, and KILL after the grace) the scripts that have outlived their
 * requests; freeing the connections has ended the others.
 */
void cgi_kill_all(struct cgi *);
/* No connection may be left.  Scripts still running get KILL. */
void cgi_clear(struct cgi *);

/* For run.c: */
/* Takes a run that is to be killed out of the queue. */
void cgi_dequeue(struct run *);
/* Takes back a run's spawn, if no thread has begun it. */
void cgi_forget(struct run *);

#endif
