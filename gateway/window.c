/*
 * The credit of both directions; see window.h.
 */
#include "fcgi.h"
#include "window.h"

uint32_t
window_start(int64_t max)
{
	return max < WINDOW_START ? (uint32_t)max : WINDOW_START;
}

void
window_open(struct window *w, int64_t max)
{
	w->on = 1;
	w->max = (uint32_t)max;
	w->size = w->left = window_start(max);
}

int
window_add(struct window *w, uint32_t bytes)
{
	if (bytes > AFCGI_WINDOW_MAX - w->credit)
		return -1;
	w->credit += bytes;
	return 0;
}

size_t
window_room(const struct window *w, size_t max)
{
	if (!w->on)
		return max;
	if (w->credit <= AFCGI_COST(0))
		return 0;
	return max < w->credit - AFCGI_COST(0) ? max :
						 w->credit - AFCGI_COST(0);
}

void
window_spend(struct window *w, size_t content)
{
	if (w->on)
		w->credit -= (uint32_t)AFCGI_COST(content);
}

int
window_receive(struct window *w, uint16_t content)
{
	if (!w->on || content == 0)
		return 0;
	if (AFCGI_COST((uint32_t)content) > w->left)
		return -1;
	w->left -= AFCGI_COST((uint32_t)content);
	w->held += content;
	w->headers += AFCGI_COST(0);
	return 0;
}

/* All that came has been read: it may be the window that the peer waits for. */
static uint32_t
grow(struct window *w)
{
	uint32_t more = w->max - w->size;

	if (w->read < WINDOW_READER || w->held > 0)
		return 0;
	if (more > w->size)
		more = w->size;
	w->size += more;
	return more;
}

/*
 * The headers go with the content, in proportion: where one record ends and
 * another begins is not kept.
 */
uint32_t
window_consume(struct window *w, size_t n)
{
	uint32_t held, headers, bytes;

	if (!w->on || n == 0)
		return 0;
	held = w->held - (uint32_t)n;
	headers = (uint32_t)((uint64_t)w->headers * held / w->held);
	w->used += w->held - held + w->headers - headers;
	w->held = held;
	w->headers = headers;
	if (w->read < WINDOW_READER)
		w->read += (uint32_t)n;
	if (w->used < w->size / 2)
		return 0;
	bytes = w->used + grow(w);
	w->left += bytes;
	w->used = 0;
	return bytes;
}
