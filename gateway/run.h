/*
 * One run of one script for one request: its pipes, its process, its clock.
 *
 *   QUEUED ----> SPAWNING ----> HEADER ----> BODY ----> ENDING --> LINGER
 *                                  \___________\__________\
 *                                   DETACHED, KILLED
 *
 *   QUEUED    waits for a script slot
 *   SPAWNING  with the spawners
 *   HEADER    runs; its response header is not complete
 *   BODY      runs; its output goes to the client as it comes
 *   ENDING    standard output is at its end: how has the process ended?
 *   LINGER    the request has ended; the process, or a child of it that has
 *             standard error open, has not
 *   DETACHED  the client needs no more of the response (HEAD, redirects to
 *             the web server); the script may finish its work
 *   KILLED    the client has left, or a limit was reached: being ended
 *
 * There is a request until LINGER, DETACHED or KILLED.  A run belongs to its
 * struct cgi, and frees itself when its process has been reaped.
 */
#ifndef RUN_H
#define RUN_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "pace.h"

struct cgi;
struct child;
struct chunked;
struct request;
struct response;
struct spawn;

enum run_state {
	RUN_QUEUED,
	RUN_SPAWNING,
	RUN_HEADER,
	RUN_BODY,
	RUN_ENDING,
	RUN_LINGER,
	RUN_DETACHED,
	RUN_KILLED
};

struct run {
	TAILQ_ENTRY(run) entry;
	struct cgi *cgi;
	struct request *req;
	struct spawn *spawn; /* QUEUED and SPAWNING */
	struct child *child;
	struct pace_start start;
	char *name; /* the script's path, for the log */
	enum run_state state;
	int in; /* our ends of the pipes; -1: closed */
	int out;
	int err;
	struct event in_event;
	struct event out_event;
	struct event err_event;
	struct event timer;
	struct response *response; /* HEADER */
	struct chunked *chunked; /* its body is chunked */
	uint8_t *pending; /* output that found no room */
	size_t pending_off;
	size_t pending_len;
	char *errors; /* stderr that waits to be forwarded */
	size_t errors_len;
	int64_t in_bytes; /* carried by the pipes */
	int64_t out_bytes;
	int64_t body_left; /* by its Content-Length; -1: unknown */
	int64_t errors_seen; /* bytes of stderr in all */
	int64_t began; /* clock_now() */
	int64_t progress; /* the last byte in or out */
	int64_t ended; /* the response, or the request */
	int64_t alarm; /* when timer goes off; 0: never */
	int64_t header_time; /* ms, as in struct cgi_limits */
	int64_t idle_time;
	int64_t total_time;
	int64_t grace;
	unsigned nginx:1; /* the web server is nginx */
	unsigned header_sent:1;
	unsigned too_long:1; /* more body than its Content-Length */
	unsigned over:1; /* about to be freed */
	unsigned held:1; /* BODY: the header waits for the end of the input */
	unsigned discard:1; /* there is a header only: HEAD, redirects */
	unsigned no_slot:1; /* it has waited for a slot, or for resources */
};

/*
 * Makes a run for a request that has just begun, and its spawn.  Returns NULL
 * with errno ENOMEM.
 */
struct run *run_new(struct cgi *, struct request *);
/* A bad AFCGI_* parameter's name, or NULL; reads them all. */
const char *run_read_params(struct run *);
void run_set_state(struct run *, enum run_state);
/* Makes the timer go off when the run's next limit is reached. */
void run_set_alarm(struct run *);
/* The spawn has succeeded: takes its pipes; child is the process. */
void run_start(struct run *, struct child *);
/*
 * Answers with a page if the header has not been sent, or else cuts the
 * response; ends the process, or forgets the run that never had one.
 */
void run_fail(struct run *, int status);
/* The handler's call-backs, but begin. */
size_t run_input(struct request *, const uint8_t *, size_t);
void run_input_arrived(struct request *);
void run_input_end(struct request *);
void run_input_failed(struct request *, int error);
void run_writable(struct request *);
void run_aborted(struct request *);
/* The child's. */
void run_exited(void *);
/* Ends the process, whatever the state; there is no request any more. */
void run_kill(struct run *);
/* For the event loop, when it is over; and for cgi_clear. */
void run_free(struct run *);

#endif
