/*
 * Chunks hold whole records only, so the header of the record that is written
 * next always stands in one piece where the writing has got to.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "outq.h"

#define FREE_MAX 16 /* chunks that the store keeps: a megabyte */
#define IOV_COUNT 8 /* chunks in one write */

void
outq_store_init(struct outq_store *store)
{
	STAILQ_INIT(&store->free);
	store->nfree = 0;
}

void
outq_store_clear(struct outq_store *store)
{
	struct outq_chunk *chunk;

	while ((chunk = STAILQ_FIRST(&store->free)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->free, entry);
		free(chunk);
	}
	store->nfree = 0;
}

static struct outq_chunk *
chunk_new(struct outq_store *store)
{
	struct outq_chunk *chunk;

	if ((chunk = STAILQ_FIRST(&store->free)) != NULL) {
		STAILQ_REMOVE_HEAD(&store->free, entry);
		store->nfree--;
	} else if ((chunk = malloc(sizeof *chunk)) == NULL)
		return NULL;
	chunk->off = chunk->len = 0;
	return chunk;
}

static void
chunk_free(struct outq_store *store, struct outq_chunk *chunk)
{
	if (store->nfree >= FREE_MAX) {
		free(chunk);
		return;
	}
	STAILQ_INSERT_HEAD(&store->free, chunk, entry);
	store->nfree++;
}

void
outq_init(struct outq *q, struct outq_store *store)
{
	memset(q, 0, sizeof *q);
	STAILQ_INIT(&q->chunks);
	q->store = store;
}

void
outq_clear(struct outq *q)
{
	struct outq_chunk *chunk;

	while ((chunk = STAILQ_FIRST(&q->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->chunks, entry);
		chunk_free(q->store, chunk);
	}
	q->bytes = q->left = 0;
}

/* The last chunk, if it has room for len bytes; else a new last one. */
static struct outq_chunk *
chunk_with_room(struct outq *q, size_t len)
{
	struct outq_chunk *chunk;

	chunk = STAILQ_LAST(&q->chunks, outq_chunk, entry);
	if (chunk != NULL && len <= OUTQ_CHUNK - chunk->len)
		return chunk;
	if ((chunk = chunk_new(q->store)) == NULL)
		return NULL;
	STAILQ_INSERT_TAIL(&q->chunks, chunk, entry);
	return chunk;
}

uint8_t *
outq_reserve(struct outq *q, size_t want, size_t least, size_t *room)
{
	struct outq_chunk *chunk;

	chunk = chunk_with_room(q, FCGI_HEADER_LEN + least);
	if (chunk == NULL)
		return NULL;
	*room = OUTQ_CHUNK - chunk->len - FCGI_HEADER_LEN;
	if (*room > want)
		*room = want;
	return chunk->data + chunk->len + FCGI_HEADER_LEN;
}

void
outq_commit(struct outq *q, uint8_t type, uint16_t id, size_t len)
{
	struct outq_chunk *chunk;

	chunk = STAILQ_LAST(&q->chunks, outq_chunk, entry);
	assert(len <= FCGI_MAX_CONTENT &&
	    FCGI_HEADER_LEN + len <= OUTQ_CHUNK - chunk->len);
	fcgi_header_put(chunk->data + chunk->len, type, id, (uint16_t)len);
	chunk->len += FCGI_HEADER_LEN + len;
	q->bytes += FCGI_HEADER_LEN + len;
}

void
outq_cancel(struct outq *q)
{
	if (q->bytes == 0)
		outq_clear(q);
}

int
outq_add(struct outq *q, uint8_t type, uint16_t id, const void *data,
    size_t len)
{
	uint8_t *p;
	size_t room;

	if ((p = outq_reserve(q, len, len, &room)) == NULL)
		return -1;
	if (len > 0)
		memcpy(p, data, len);
	outq_commit(q, type, id, len);
	return 0;
}

int
outq_add_raw(struct outq *q, const void *data, size_t len)
{
	struct outq_chunk *chunk;

	if ((chunk = chunk_with_room(q, len)) == NULL)
		return -1;
	memcpy(chunk->data + chunk->len, data, len);
	chunk->len += len;
	q->bytes += len;
	return 0;
}

/* Takes n written bytes off the queue, record by record. */
static void
advance(struct outq *q, size_t n,
    void (*done)(void *, const struct fcgi_header *), void *arg)
{
	struct outq_chunk *chunk;
	size_t part;

	q->bytes -= n;
	while (n > 0) {
		chunk = STAILQ_FIRST(&q->chunks);
		if (q->left == 0) {
			q->head = fcgi_header_get(chunk->data + chunk->off);
			q->left = FCGI_HEADER_LEN + (size_t)q->head.content +
			    q->head.padding;
		}
		part = n < q->left ? n : q->left;
		chunk->off += part;
		q->left -= part;
		n -= part;
		if (chunk->off == chunk->len) {
			STAILQ_REMOVE_HEAD(&q->chunks, entry);
			chunk_free(q->store, chunk);
		}
		if (q->left == 0)
			done(arg, &q->head);
	}
}

ssize_t
outq_write(struct outq *q, int fd,
    void (*done)(void *, const struct fcgi_header *), void *arg)
{
	struct iovec iov[IOV_COUNT];
	struct outq_chunk *chunk;
	ssize_t n;
	int count = 0;

	STAILQ_FOREACH(chunk, &q->chunks, entry) {
		if (count == IOV_COUNT)
			break;
		if (chunk->len == chunk->off)
			continue;
		iov[count].iov_base = chunk->data + chunk->off;
		iov[count++].iov_len = chunk->len - chunk->off;
	}
	if (count == 0)
		return 0;
	do
		n = writev(fd, iov, count);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		advance(q, (size_t)n, done, arg);
	return n;
}
