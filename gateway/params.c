/*
 * Decoding is done in place: a pair's two lengths take at least two bytes,
 * just what '=' and the final NUL need, so the strings never outgrow the
 * stream they came in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi.h"
#include "params.h"

#define PARAMS_FIRST 1024 /* bytes of a first allocation, at least */

void
params_init(struct params *p)
{
	memset(p, 0, sizeof *p);
}

void
params_clear(struct params *p)
{
	free(p->raw);
	free(p->vars);
	params_init(p);
}

int
params_append(struct params *p, const uint8_t *data, size_t len, size_t max)
{
	uint8_t *raw;
	size_t cap;

	if (len > max || p->len > max - len) {
		errno = E2BIG;
		return -1;
	}
	if (len > p->cap - p->len) {
		cap = p->cap * 2;
		if (cap < p->len + len)
			cap = p->len + len;
		if (cap < PARAMS_FIRST)
			cap = PARAMS_FIRST;
		if ((raw = realloc(p->raw, cap)) == NULL)
			return -1;
		p->raw = raw;
		p->cap = cap;
	}
	if (len > 0)
		memcpy(p->raw + p->len, data, len);
	p->len += len;
	return 0;
}

static const char *
check_name(const uint8_t *name, size_t len)
{
	size_t i;

	if (len == 0)
		return "a parameter without a name";
	for (i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] == '=' || name[i] == 0x7f)
			return "a byte that no parameter name may have";
	return NULL;
}

static const char *
check_value(const uint8_t *name, size_t name_len, const uint8_t *value,
    size_t len)
{
	if (memchr(value, '\0', len) != NULL)
		return "a NUL byte in a parameter's value";
	/* other values may have lines: SSL_CLIENT_CERT does */
	if (name_len >= 5 && memcmp(name, "HTTP_", 5) == 0 &&
	    (memchr(value, '\n', len) != NULL ||
		memchr(value, '\r', len) != NULL))
		return "a line break in a header's value";
	return NULL;
}

/*
 * Reads the pair at *offset: where its name starts and the two lengths.
 * Moves *offset behind it.  Returns 0, or -1 if the stream ends before it.
 */
static int
next_pair(const struct params *p, size_t *offset, size_t *name, uint32_t *nlen,
    uint32_t *vlen)
{
	size_t at = *offset;
	uint32_t *lens[2];
	int i, n;

	lens[0] = nlen;
	lens[1] = vlen;
	for (i = 0; i < 2; i++) {
		n = fcgi_length_get(p->raw + at, (uint32_t)(p->len - at),
		    lens[i]);
		if (n == 0)
			return -1;
		at += (size_t)n;
	}
	if (*nlen > p->len - at || *vlen > p->len - at - *nlen)
		return -1;
	*name = at;
	*offset = at + *nlen + *vlen;
	return 0;
}

/* Sorts by name, and same names by place: the order in which they came. */
static int
compare_vars(const void *a, const void *b)
{
	const char *x = *(char *const *)a;
	const char *y = *(char *const *)b;
	int order;

	if ((order = params_compare_names(x, y)) != 0)
		return order;
	return x < y ? -1 : x > y;
}

int
params_compare_names(const char *a, const char *b)
{
	while (*a == *b && *a != '=' && *a != '\0') {
		a++;
		b++;
	}
	return (*a == '=' ? 0 : (unsigned char)*a) -
	    (*b == '=' ? 0 : (unsigned char)*b);
}

static const char *
invalid(const char *wrong)
{
	errno = EINVAL;
	return wrong;
}

const char *
params_decode(struct params *p)
{
	size_t offset, name, n;
	uint32_t nlen, vlen;
	const char *wrong;
	uint8_t *to;

	for (offset = 0, n = 0; offset < p->len; n++)
		if (next_pair(p, &offset, &name, &nlen, &vlen) == -1)
			return invalid("a parameter longer than its stream");
	if ((p->vars = calloc(n + 1, sizeof *p->vars)) == NULL)
		return "out of memory";

	to = p->raw;
	for (offset = 0; offset < p->len;) {
		(void)next_pair(p, &offset, &name, &nlen, &vlen);
		if ((wrong = check_name(p->raw + name, nlen)) != NULL ||
		    (wrong = check_value(p->raw + name, nlen,
			 p->raw + name + nlen, vlen)) != NULL)
			return invalid(wrong);
		p->vars[p->nvars++] = (char *)to;
		memmove(to, p->raw + name, nlen);
		to += nlen;
		*to++ = '=';
		memmove(to, p->raw + name + nlen, vlen);
		to += vlen;
		*to++ = '\0';
	}
	if (n > 0)
		qsort(p->vars, n, sizeof *p->vars, compare_vars);
	return NULL;
}

const char *
params_get(const struct params *p, const char *name)
{
	size_t low = 0, high = p->nvars, mid;

	/* the first one whose name is greater */
	while (low < high) {
		mid = low + (high - low) / 2;
		if (params_compare_names(p->vars[mid], name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || params_compare_names(p->vars[low - 1], name) != 0)
		return NULL;
	return strchr(p->vars[low - 1], '=') + 1;
}
