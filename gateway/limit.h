/*
 * The limits of the FastCGI server: how much may be queued, held, opened, and
 * how long may be waited; and the reading of such tables.  One table
 * (limit.c) gives each its name, unit, default and range.  What answers the
 * requests may have a table of its own (cgi_limit.h): the names of both are
 * set by one option, -L.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stddef.h>
#include <stdint.h>

#define LIMIT_KB 1024LL
#define LIMIT_MB (1024 * LIMIT_KB)
#define LIMIT_GB (1024 * LIMIT_MB)
#define LIMIT_YEAR 31536000000LL /* ms */

/* Descriptors kept back so that accepted requests can finish. */
#define LIMITS_FD_RESERVE 32

struct limits {
	/* counts */
	int64_t connections; /* open connections; 0: not yet set */
	int64_t requests; /* live requests on one connection */
	int64_t half_open; /* those of them whose PARAMS have not ended */
	/* bytes */
	int64_t params; /* PARAMS of one request */
	int64_t output; /* queued towards one connection */
	int64_t stdin_mem; /* STDIN of one request held in memory */
	int64_t spool; /* STDIN of one request held on disk */
	int64_t spool_all; /* STDIN of all requests held on disk */
	int64_t window; /* STDIN window of one request, fcgi_flow(7) */
	/* milliseconds; 0 is no limit where the table allows it */
	int64_t params_time;
	int64_t drain;
	int64_t conn_idle;
};

enum limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_TIME };

/* A row of a table: an int64_t in the structure that the table is of. */
struct limit {
	const char *name;
	size_t offset;
	enum limit_unit unit;
	int64_t standard; /* 0: to be fitted, if min is more */
	int64_t min;
	int64_t max;
};

struct limit_table {
	const struct limit *rows;
	size_t nrows;
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
 * Gives `connections' a value that fits this machine, if it is still 0: nofile
 * is the process's own limit of descriptors, of which `taken' may be in use
 * for other things.
 */
void limits_fit(struct limits *, uint64_t nofile, uint64_t taken);

/* For a table of somebody else's: */
void limits_init_table(const struct limit_table *, void *values);
/* As limits_set, for the names of the table too. */
const char *limits_set_both(struct limits *, const struct limit_table *,
    void *values, const char *pairs);
/* The value that is nearest to v in the range. */
int64_t limits_clamp(uint64_t v, int64_t min, int64_t max);

#endif
