/*
 * The parameters of one request: the bytes of its FCGI_PARAMS stream, then,
 * once the stream has ended, its name-value pairs as strings "NAME=VALUE" in
 * the same memory, sorted by name.  Embedded in its owner; no states but
 * "raw" and "decoded".
 */
#ifndef PARAMS_H
#define PARAMS_H

#include <stddef.h>
#include <stdint.h>

struct params {
	uint8_t *raw;
	size_t len;
	size_t cap;
	char **vars; /* nvars strings in raw, sorted by name, and NULL */
	size_t nvars; /* same names stand in the order in which they came */
};

void params_init(struct params *);
/* Frees what is inside, not the structure; leaves it as params_init does. */
void params_clear(struct params *);
/*
 * Adds len bytes of the stream; it may be cut anywhere.  max is the limit in
 * bytes.  Returns 0, or -1 with errno E2BIG (over the limit) or ENOMEM.
 */
int params_append(struct params *, const uint8_t *, size_t len, size_t max);
/*
 * Decodes the pairs (FastCGI section 3.4).  Refused are what the environment
 * of a process cannot hold or what could pass for another variable: a pair
 * longer than the stream, an empty name, control bytes, spaces or '=' in a
 * name, NUL in a value, CR or LF in the value of an HTTP_ variable.
 * Returns NULL, or a static text that says what is wrong, with errno EINVAL or
 * ENOMEM; after that only params_clear may be called.
 */
const char *params_decode(struct params *);
/*
 * The value of a variable after params_decode; the last one if the name came
 * several times; NULL if it did not come.
 */
const char *params_get(const struct params *, const char *name);
/* Compares the names of two strings "NAME=VALUE", as strcmp does. */
int params_compare_names(const char *, const char *);

#endif
