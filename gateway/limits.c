/*
 * The table of limits, and the reading of values.
 */
#include <sys/types.h>

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <libutil.h>

#include "limits.h"

#define KB 1024LL
#define MB (1024 * KB)
#define GB (1024 * MB)
#define YEAR 31536000000LL /* ms */

/* Descriptors kept back so that accepted requests can finish. */
#define FD_RESERVE 32
#define FDS_PER_SCRIPT 4
#define MEMORY_PER_SCRIPT (4 * MB)

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_TIME };

static const struct limit {
	const char *name;
	size_t offset;
	enum unit unit;
	int64_t standard;
	int64_t min;
	int64_t max;
} table[] = {
#define L(name, field, unit, standard, min, max)                               \
	{                                                                      \
		name, offsetof(struct limits, field), unit, standard, min, max \
	}
	L("scripts", scripts, UNIT_COUNT, 0, 1, 1000000),
	L("queue", queue, UNIT_COUNT, 1024, 0, 1000000),
	L("connections", connections, UNIT_COUNT, 0, 1, 1000000),
	L("requests", requests, UNIT_COUNT, 16384, 1, 65535),
	L("half_open", half_open, UNIT_COUNT, 256, 1, 65535),
	L("params", params, UNIT_BYTES, 128 * KB, 512, 16 * MB),
	L("header", header, UNIT_BYTES, 64 * KB, 64, 16 * MB),
	L("output", output, UNIT_BYTES, 256 * KB, 64 * KB, GB),
	L("stdin", stdin_mem, UNIT_BYTES, 64 * KB, 4 * KB, GB),
	L("window", window, UNIT_BYTES, 256 * KB, 4 * KB, GB),
	L("spool", spool, UNIT_BYTES, GB, 0, 1024 * GB),
	L("spool_all", spool_all, UNIT_BYTES, 4 * GB, 0, 1024 * GB),
	L("stderr", errors, UNIT_BYTES, 64 * KB, 0, GB),
	L("queue_wait", queue_wait, UNIT_TIME, 10000, 1, YEAR),
	L("params_time", params_time, UNIT_TIME, 30000, 1, YEAR),
	L("header_time", header_time, UNIT_TIME, 300000, 0, YEAR),
	L("idle_time", idle_time, UNIT_TIME, 300000, 0, YEAR),
	L("total_time", total_time, UNIT_TIME, 0, 0, YEAR),
	L("grace", grace, UNIT_TIME, 3000, 1, YEAR),
	L("linger", linger, UNIT_TIME, 60000, 1, YEAR),
	L("drain", drain, UNIT_TIME, 30000, 0, YEAR),
	L("conn_idle", conn_idle, UNIT_TIME, 600000, 1, YEAR),
#undef L
};

#define NLIMITS (sizeof table / sizeof table[0])

static int64_t *
field(struct limits *limits, const struct limit *l)
{
	return (int64_t *)(void *)((char *)limits + l->offset);
}

void
limits_init(struct limits *limits)
{
	size_t i;

	for (i = 0; i < NLIMITS; i++)
		*field(limits, &table[i]) = table[i].standard;
}

int
limits_time(const char *text, int64_t *ms)
{
	char *end;
	double seconds;

	/* strtod also reads " 1", "0x1", "inf" and "nan" */
	if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0')
		return -1;
	seconds = strtod(text, &end);
	if (*end != '\0' || end == text || seconds > (double)YEAR / 1000)
		return -1;
	*ms = (int64_t)ceil(seconds * 1000);
	return 0;
}

static int
read_value(const struct limit *l, const char *text, int64_t *value)
{
	const char *suffix;
	uint64_t bytes;

	if (l->unit == UNIT_TIME)
		return limits_time(text, value);
	/* expand_number does not look at what follows a suffix */
	suffix = text + strspn(text, "0123456789");
	if (suffix == text ||
	    (*suffix != '\0' &&
		(l->unit == UNIT_COUNT || strchr("kKmMgG", *suffix) == NULL ||
		    suffix[1] != '\0')) ||
	    expand_number(text, &bytes) == -1 || bytes > INT64_MAX)
		return -1;
	*value = (int64_t)bytes;
	return 0;
}

static const char *
set_one(struct limits *limits, const char *pair)
{
	const char *text;
	int64_t value;
	size_t i, len;

	if ((text = strchr(pair, '=')) == NULL)
		return "a limit needs a value: name=value";
	len = (size_t)(text++ - pair);
	for (i = 0; i < NLIMITS; i++) {
		if (strlen(table[i].name) != len ||
		    strncmp(table[i].name, pair, len) != 0)
			continue;
		if (read_value(&table[i], text, &value) == -1)
			return "a limit's value is not a number";
		if (value < table[i].min || value > table[i].max)
			return "a limit's value is out of range";
		*field(limits, &table[i]) = value;
		return NULL;
	}
	return "unknown limit";
}

const char *
limits_set(struct limits *limits, const char *pairs)
{
	char *copy, *rest, *pair;
	const char *wrong = NULL;

	if ((copy = rest = strdup(pairs)) == NULL)
		return "out of memory";
	while (wrong == NULL && (pair = strsep(&rest, ",")) != NULL)
		wrong = set_one(limits, pair);
	free(copy);
	return wrong;
}

static int64_t
clamp(uint64_t v, int64_t min, int64_t max)
{
	if (v < (uint64_t)min)
		return min;
	return v > (uint64_t)max ? max : (int64_t)v;
}

void
limits_fit(struct limits *limits, uint64_t nofile, uint64_t nproc,
    uint64_t memory)
{
	uint64_t fds, scripts;

	fds = nofile > FD_RESERVE ? nofile - FD_RESERVE : 1;
	if (limits->scripts == 0) {
		scripts = memory / MEMORY_PER_SCRIPT;
		if (scripts > nproc - nproc / 4)
			scripts = nproc - nproc / 4;
		/* at most three quarters of the descriptors */
		if (scripts > fds / 4 * 3 / FDS_PER_SCRIPT)
			scripts = fds / 4 * 3 / FDS_PER_SCRIPT;
		limits->scripts = clamp(scripts, 1, 4096);
	}
	if (limits->connections == 0) {
		scripts = (uint64_t)limits->scripts * FDS_PER_SCRIPT;
		limits->connections =
		    clamp(fds > scripts ? fds - scripts : 1, 1, 16384);
	}
}
