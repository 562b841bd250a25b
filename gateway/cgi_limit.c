/*
 * The table of the limits of scripts.
 */
#include <sys/types.h>

#include <stddef.h>

#include "cgi_limit.h"
#include "limit.h"
#include "pace.h"

#define FDS_PER_SCRIPT 4
#define MEMORY_PER_SCRIPT (4 * LIMIT_MB)

static const struct limit rows[] = {
#define L(name, field, unit, standard, min, max)                        \
	{                                                               \
		name, offsetof(struct cgi_limits, field), LIMIT_##unit, \
		    standard, min, max                                  \
	}
	L("scripts", scripts, COUNT, 0, 1, 1000000),
	L("starts", starts, COUNT, 0, 1, 1000000),
	L("queue", queue, COUNT, 1024, 0, 1000000),
	L("header", header, BYTES, 64 * LIMIT_KB, 64, 16 * LIMIT_MB),
	L("stderr", errors, BYTES, 64 * LIMIT_KB, 0, LIMIT_GB),
	L("queue_wait", queue_wait, TIME, 10000, 1, LIMIT_YEAR),
	L("header_time", header_time, TIME, 300000, 0, LIMIT_YEAR),
	L("idle_time", idle_time, TIME, 300000, 0, LIMIT_YEAR),
	L("total_time", total_time, TIME, 0, 0, LIMIT_YEAR),
	L("grace", grace, TIME, 3000, 1, LIMIT_YEAR),
	L("linger", linger, TIME, 60000, 1, LIMIT_YEAR),
#undef L
};

static const struct limit_table table = { rows, sizeof rows / sizeof rows[0] };

void
cgi_limits_init(struct cgi_limits *limits)
{
	limits_init_table(&table, limits);
}

const char *
cgi_limits_set(struct cgi_limits *limits, struct limits *fastcgi,
    const char *pairs)
{
	return limits_set_both(fastcgi, &table, limits, pairs);
}

uint64_t
cgi_limits_fit(struct cgi_limits *limits, uint64_t nofile, uint64_t nproc,
    uint64_t memory)
{
	uint64_t fds, scripts;

	fds = nofile > LIMITS_FD_RESERVE ? nofile - LIMITS_FD_RESERVE : 1;
	if (limits->scripts == 0) {
		scripts = memory / MEMORY_PER_SCRIPT;
		if (scripts > nproc - nproc / 4)
			scripts = nproc - nproc / 4;
		/* at most three quarters of the descriptors */
		if (scripts > fds / 4 * 3 / FDS_PER_SCRIPT)
			scripts = fds / 4 * 3 / FDS_PER_SCRIPT;
		limits->scripts = limits_clamp(scripts, 1, 4096);
	}
	if (limits->starts == 0)
		limits->starts = pace_default();
	return (uint64_t)limits->scripts * FDS_PER_SCRIPT;
}
