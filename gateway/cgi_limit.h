/*
 * The limits of what runs CGI scripts: how many run and wait, what they may
 * say, how long they may take.  Those of FastCGI are in limit.h; afcgi(8)
 * describes both.  All are set with -L at start, and the times of one request
 * by AFCGI_* parameters from the web server.
 */
#ifndef CGI_LIMIT_H
#define CGI_LIMIT_H

#include <stdint.h>

struct limits;

struct cgi_limits {
	/* counts */
	int64_t scripts; /* scripts running at once; 0: not yet set */
	int64_t starts; /* scripts coming up at once; 0: not yet set */
	int64_t queue; /* requests that wait for a script slot */
	/* bytes */
	int64_t header; /* response header of one script */
	int64_t errors; /* stderr of one script that is forwarded */
	/* milliseconds; 0 is no limit where the table allows it */
	int64_t queue_wait;
	int64_t header_time;
	int64_t idle_time;
	int64_t total_time;
	int64_t grace;
	int64_t linger;
};

/* Fills in the table's defaults. */
void cgi_limits_init(struct cgi_limits *);
/* As limits_set; a name may be of either structure. */
const char *cgi_limits_set(struct cgi_limits *, struct limits *,
    const char *pairs);
/*
 * Gives `scripts' and `starts' values that fit this machine, if they are still
 * 0: a script takes four descriptors while it starts, and a process.  nofile
 * and nproc are the process's own limits, memory is in bytes.  Returns the
 * number of descriptors that the scripts may take.
 */
uint64_t cgi_limits_fit(struct cgi_limits *, uint64_t nofile, uint64_t nproc,
    uint64_t memory);

#endif
