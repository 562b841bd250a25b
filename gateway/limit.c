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

#include "limit.h"

static const struct limit rows[] = {
#define L(name, field, unit, standard, min, max)                              \
	{                                                                     \
		name, offsetof(struct limits, field), LIMIT_##unit, standard, \
		    min, max                                                  \
	}
	L("connections", connections, COUNT, 0, 1, 1000000),
	L("requests", requests, COUNT, 16384, 1, 65535),
	L("half_open", half_open, COUNT, 256, 1, 65535),
	L("params", params, BYTES, 128 * LIMIT_KB, 512, 16 * LIMIT_MB),
	L("output", output, BYTES, 256 * LIMIT_KB, 64 * LIMIT_KB, LIMIT_GB),
	L("stdin", stdin_mem, BYTES, 64 * LIMIT_KB, 4 * LIMIT_KB, LIMIT_GB),
	L("window", window, BYTES, 256 * LIMIT_KB, 4 * LIMIT_KB, LIMIT_GB),
	L("spool", spool, BYTES, LIMIT_GB, 0, 1024 * LIMIT_GB),
	L("spool_all", spool_all, BYTES, 4 * LIMIT_GB, 0, 1024 * LIMIT_GB),
	L("params_time", params_time, TIME, 30000, 1, LIMIT_YEAR),
	L("drain", drain, TIME, 30000, 0, LIMIT_YEAR),
	L("conn_idle", conn_idle, TIME, 600000, 1, LIMIT_YEAR),
#undef L
};

static const struct limit_table table = { rows, sizeof rows / sizeof rows[0] };

static int64_t *
field(void *values, const struct limit *l)
{
	return (int64_t *)(void *)((char *)values + l->offset);
}

void
limits_init_table(const struct limit_table *t, void *values)
{
	size_t i;

	for (i = 0; i < t->nrows; i++)
		*field(values, &t->rows[i]) = t->rows[i].standard;
}

void
limits_init(struct limits *limits)
{
	limits_init_table(&table, limits);
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
	if (*end != '\0' || end == text || seconds > (double)LIMIT_YEAR / 1000)
		return -1;
	*ms = (int64_t)ceil(seconds * 1000);
	return 0;
}

static int
read_value(const struct limit *l, const char *text, int64_t *value)
{
	const char *suffix;
	uint64_t bytes;

	if (l->unit == LIMIT_TIME)
		return limits_time(text, value);
	/* expand_number does not look at what follows a suffix */
	suffix = text + strspn(text, "0123456789");
	if (suffix == text ||
	    (*suffix != '\0' &&
		(l->unit == LIMIT_COUNT || strchr("kKmMgG", *suffix) == NULL ||
		    suffix[1] != '\0')) ||
	    expand_number(text, &bytes) == -1 || bytes > INT64_MAX)
		return -1;
	*value = (int64_t)bytes;
	return 0;
}

/* The row of a name, or NULL. */
static const struct limit *
find(const struct limit_table *t, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < t->nrows; i++)
		if (strlen(t->rows[i].name) == len &&
		    strncmp(t->rows[i].name, name, len) == 0)
			return &t->rows[i];
	return NULL;
}

static const char *
set_one(struct limits *limits, const struct limit_table *other,
    void *other_values, const char *pair)
{
	const struct limit *l;
	void *values = limits;
	const char *text;
	int64_t value;
	size_t len;

	if ((text = strchr(pair, '=')) == NULL)
		return "a limit needs a value: name=value";
	len = (size_t)(text++ - pair);
	if ((l = find(&table, pair, len)) == NULL && other != NULL) {
		l = find(other, pair, len);
		values = other_values;
	}
	if (l == NULL)
		return "unknown limit";
	if (read_value(l, text, &value) == -1)
		return "a limit's value is not a number";
	if (value < l->min || value > l->max)
		return "a limit's value is out of range";
	*field(values, l) = value;
	return NULL;
}

const char *
limits_set_both(struct limits *limits, const struct limit_table *other,
    void *values, const char *pairs)
{
	char *copy, *rest, *pair;
	const char *wrong = NULL;

	if ((copy = rest = strdup(pairs)) == NULL)
		return "out of memory";
	while (wrong == NULL && (pair = strsep(&rest, ",")) != NULL)
		wrong = set_one(limits, other, values, pair);
	free(copy);
	return wrong;
}

const char *
limits_set(struct limits *limits, const char *pairs)
{
	return limits_set_both(limits, NULL, NULL, pairs);
}

int64_t
limits_clamp(uint64_t v, int64_t min, int64_t max)
{
	if (v < (uint64_t)min)
		return min;
	return v > (uint64_t)max ? max : (int64_t)v;
}

void
limits_fit(struct limits *limits, uint64_t nofile, uint64_t taken)
{
	uint64_t fds;

	if (limits->connections != 0)
		return;
	fds = nofile > LIMITS_FD_RESERVE ? nofile - LIMITS_FD_RESERVE : 1;
	limits->connections =
	    limits_clamp(fds > taken ? fds - taken : 1, 1, 16384);
}
