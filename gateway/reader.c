/*
 * A header is collected in `raw' until it is whole; content and padding are
 * only counted.
 */
#include <string.h>

#include "reader.h"

/* Returns the number of bytes it took of the n at p. */
static size_t
read_header(struct reader *r, const uint8_t *p, size_t n)
{
	size_t part = FCGI_HEADER_LEN - r->have;

	if (part > n)
		part = n;
	memcpy(r->raw + r->have, p, part);
	r->have += (unsigned)part;
	if (r->have == FCGI_HEADER_LEN) {
		r->h = fcgi_header_get(r->raw);
		r->content = r->h.content;
		r->padding = r->h.padding;
		r->have = 0;
		r->inside = 1;
	}
	return part;
}

int
reader_feed(struct reader *r, const struct reader_ops *ops, void *arg,
    const uint8_t *p, size_t n)
{
	size_t part;

	while (n > 0) {
		if (!r->inside) {
			part = read_header(r, p, n);
			p += part;
			n -= part;
			if (!r->inside)
				return 0;
			if (ops->header(arg, &r->h) == -1)
				return -1;
		}
		if (r->content > 0) {
			part = r->content < n ? r->content : n;
			if (part > 0)
				ops->data(arg, &r->h, p, part);
			r->content -= part;
			p += part;
			n -= part;
		}
		if (r->content > 0)
			return 0;
		part = r->padding < n ? r->padding : n;
		r->padding -= part;
		p += part;
		n -= part;
		if (r->padding > 0)
			return 0;
		r->inside = 0;
		if (ops->end(arg, &r->h) == -1)
			return -1;
	}
	return 0;
}

int
reader_partial(const struct reader *r)
{
	return r->inside || r->have > 0;
}
