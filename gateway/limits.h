/*
 * Every limit of the program: how much may be queued, held, opened, and how
 * long may be waited.  One table (limits.c) gives each its name, unit, default
 * and range; afcgi(8) describes them.  They are set with -L at start, and the
 * times of one request by AFCGI_* parameters from the web server.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdint.h>

struct limits {
	/* counts */
	int64_t scripts; /* scripts running at once; 0: not yet set */
	int64_t queue; /* requests that wait for a script slot */
	int64_t connections; /* open connections; 0: not yet set */
	int64_t requests; /* live requests on one connection */
	int64_t half_open; /* those of them whose PARAMS have not ended */
	/* bytes */
	int64_t params; /* PARAMS of one request */
	int64_t header; /* response header of one script */
	int64_t output; /* queued towards one connection */
	int64_t stdin_mem; /* STDIN of one request held in memory */
	int64_t spool; /* STDIN of one request held on disk */
	int64_t spool_all; /* STDIN of all requests held on disk */
	int64_t window; /* STDIN window of one request, fcgi_flow(7) */
	int64_t errors; /* stderr of one script that is forwarded */
	/* milliseconds; 0 is no limit where the table allows it */
	int64_t queue_wait;
	int64_t params_time;
	int64_t header_time;
	int64_t idle_time;
	int64_t total_time;
	int64_t grace;
	int64_t linger;
	int64_t drain;
	int64_t conn_idle;
};

/* Fills in the table's defaults. */
void limits_init(struct limits *);
/*
 * Sets "name=value[,name=value...]".  Sizes take the suffixes k, m and g;
 * times are seconds and may have a fraction.  Returns NULL, or a static text
 * that says what is wrong with the first pair that is.
 */
const char *limits_set(struct limits *, const char *pairs);
/*
 * Reads a time of at most a year in seconds from text, as -L does, into
 * milliseconds.  Returns 0, or -1 if it is none.
 */
int limits_time(const char *text, int64_t *ms);
/*
 * Gives `scripts' and `connections' values that fit this machine, where they
 * are still 0: a script takes four descriptors while it starts, and a process;
 * nofile and nproc are the process's own limits, memory is in bytes.
 */
void limits_fit(struct limits *, uint64_t nofile, uint64_t nproc,
    uint64_t memory);

#endif
