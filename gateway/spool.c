/*
 * One job at a time is under way for a spool: a write of all of the tail, or
 * a read of a block.  While it is, `io', the file and its offsets belong to
 * the thread.  When everything written has been read, the file is started
 * again from its beginning.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "pool.h"
#include "spool.h"

#define SPOOL_BLOCK 65536 /* bytes of one read, and of a tail worth writing */
#define SPOOL_FULL (4 * SPOOL_BLOCK) /* bytes of a tail that is too long */

enum spool_state {
	SPOOL_IDLE,
	SPOOL_WRITING,
	SPOOL_READING,
	SPOOL_MOVING, /* nothing to do but to come back */
	SPOOL_CLOSING
};

struct spool {
	struct job job;
	const struct spool_ops *ops;
	void *arg; /* NULL after spool_free: the job's end frees the spool */
	struct pool *pool;
	char *dir;
	int64_t *total;
	struct evbuffer *tail; /* not yet written */
	struct evbuffer *io; /* of the job under way */
	struct evbuffer *to; /* of the fetch asked for, or NULL */
	off_t roff; /* read so far */
	off_t woff; /* written so far */
	int64_t size; /* counted in *total */
	size_t moving; /* bytes of io while writing */
	enum spool_state state;
	int fd;
	int error;
	int told_full;
};

static void work(struct job *);
static void done(struct job *);

static void
start(struct spool *spool, enum spool_state state)
{
	spool->state = state;
	pool_submit(spool->pool, &spool->job);
}

struct spool *
spool_new(struct pool *pool, const char *dir, int64_t *total,
    const struct spool_ops *ops, void *arg)
{
	struct spool *spool;

	if ((spool = calloc(1, sizeof *spool)) == NULL)
		return NULL;
	spool->fd = -1;
	spool->pool = pool;
	spool->total = total;
	spool->ops = ops;
	spool->arg = arg;
	spool->job.work = work;
	spool->job.done = done;
	spool->dir = strdup(dir);
	spool->tail = evbuffer_new();
	spool->io = evbuffer_new();
	if (spool->dir == NULL || spool->tail == NULL || spool->io == NULL) {
		spool_free(spool);
		errno = ENOMEM;
		return NULL;
	}
	return spool;
}

void
spool_free(struct spool *spool)
{
	if (spool == NULL)
		return;
	*spool->total -= spool->size;
	spool->size = 0;
	spool->arg = NULL;
	if (spool->state != SPOOL_IDLE)
		return; /* done() calls again */
	if (spool->fd != -1) {
		start(spool, SPOOL_CLOSING);
		return;
	}
	if (spool->tail != NULL)
		evbuffer_free(spool->tail);
	if (spool->io != NULL)
		evbuffer_free(spool->io);
	free(spool->dir);
	free(spool);
}

/* On the thread. */
static int
open_file(struct spool *spool)
{
	char *path;

	spool->fd = open(spool->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->fd != -1)
		return 0;
	/* not every file system has nameless files */
	if (asprintf(&path, "%s/afcgi.XXXXXX", spool->dir) == -1)
		return -1;
	if ((spool->fd = mkostemp(path, O_CLOEXEC)) != -1)
		(void)unlink(path);
	free(path);
	return spool->fd == -1 ? -1 : 0;
}

/*
 * On the thread: writes io at woff.  A new round begins with an empty file, so
 * that the disk has back what the count says.  Returns 0, or -1 with errno.
 */
static int
write_file(struct spool *spool)
{
	struct evbuffer_iovec vec[16];
	off_t at = spool->woff;
	ssize_t n;
	int count;

	if (spool->fd == -1 && open_file(spool) == -1)
		return -1;
	if (at == 0 && ftruncate(spool->fd, 0) == -1)
		return -1;
	while (evbuffer_get_length(spool->io) > 0) {
		count = evbuffer_peek(spool->io, -1, NULL, vec, 16);
		n = pwritev(spool->fd, vec, count > 16 ? 16 : count, at);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		at += n;
		(void)evbuffer_drain(spool->io, (size_t)n);
	}
	return 0;
}

/* On the thread: reads a block at roff into io. */
static int
read_file(struct spool *spool)
{
	struct evbuffer_iovec vec;
	off_t left = spool->woff - spool->roff;
	size_t want = left < SPOOL_BLOCK ? (size_t)left : SPOOL_BLOCK;
	ssize_t n;

	/* behind woff there may be bytes of an earlier round */
	if (evbuffer_reserve_space(spool->io, SPOOL_BLOCK, &vec, 1) != 1) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = pread(spool->fd, vec.iov_base, want, spool->roff);
	while (n == -1 && errno == EINTR);
	if (n <= 0) {
		if (n == 0)
			errno = EIO; /* somebody has cut the file */
		return -1;
	}
	vec.iov_len = (size_t)n;
	return evbuffer_commit_space(spool->io, &vec, 1);
}

static void
work(struct job *job)
{
	struct spool *spool = (struct spool *)(void *)job;
	int rc = 0;

	if (spool->state == SPOOL_WRITING)
		rc = write_file(spool);
	else if (spool->state == SPOOL_READING)
		rc = read_file(spool);
	else if (spool->state == SPOOL_CLOSING) {
		(void)close(spool->fd); /* which may take its time */
		spool->fd = -1;
	}
	spool->error = rc == -1 ? errno : 0;
}

/* Gives the spool its next job, if there is one. */
static void
step(struct spool *spool)
{
	if (spool->state != SPOOL_IDLE || spool->error != 0)
		return;
	if (spool->to != NULL && spool->woff > spool->roff)
		start(spool, SPOOL_READING);
	else if (spool->to != NULL && evbuffer_get_length(spool->tail) > 0) {
		/* nothing is on disk: the tail need not go there */
		spool->moving = evbuffer_get_length(spool->tail);
		(void)evbuffer_add_buffer(spool->io, spool->tail);
		start(spool, SPOOL_MOVING);
	} else if (evbuffer_get_length(spool->tail) >= SPOOL_BLOCK) {
		spool->moving = evbuffer_get_length(spool->tail);
		(void)evbuffer_add_buffer(spool->io, spool->tail);
		spool->size += (int64_t)spool->moving;
		*spool->total += (int64_t)spool->moving;
		start(spool, SPOOL_WRITING);
	}
}

static void
finish_fetch(struct spool *spool)
{
	struct evbuffer *to = spool->to;

	if (spool->state == SPOOL_READING) {
		spool->roff += (off_t)evbuffer_get_length(spool->io);
		if (spool->roff == spool->woff) {
			spool->roff = spool->woff = 0;
			*spool->total -= spool->size;
			spool->size = 0;
		}
	}
	spool->to = NULL;
	spool->moving = 0;
	spool->state = SPOOL_IDLE;
	(void)evbuffer_add_buffer(to, spool->io);
	step(spool);
	spool->ops->fetched(spool->arg);
}

static void
done(struct job *job)
{
	struct spool *spool = (struct spool *)(void *)job;

	if (spool->arg == NULL || spool->error != 0) {
		if (spool->state == SPOOL_CLOSING && spool->fd != -1) {
			(void)close(spool->fd); /* the pool has ended */
			spool->fd = -1;
		}
		spool->state = SPOOL_IDLE;
		if (spool->arg == NULL)
			spool_free(spool);
		else
			spool->ops->failed(spool->arg, spool->error);
		return;
	}
	if (spool->state != SPOOL_WRITING) {
		finish_fetch(spool);
		return;
	}
	spool->woff += (off_t)spool->moving;
	spool->moving = 0;
	spool->state = SPOOL_IDLE;
	step(spool);
	if (spool->told_full && !spool_full(spool)) {
		spool->told_full = 0;
		spool->ops->drained(spool->arg);
	}
}

int
spool_add(struct spool *spool, const uint8_t *data, size_t len)
{
	if (evbuffer_add(spool->tail, data, len) == -1) {
		errno = ENOMEM;
		return -1;
	}
	step(spool);
	return 0;
}

void
spool_fetch(struct spool *spool, struct evbuffer *to)
{
	if (spool->to != NULL || spool_bytes(spool) == 0)
		return;
	spool->to = to;
	step(spool);
}

int64_t
spool_bytes(const struct spool *spool)
{
	return spool->woff - spool->roff + (int64_t)spool->moving +
	    (int64_t)evbuffer_get_length(spool->tail);
}

int64_t
spool_size(const struct spool *spool)
{
	return spool->size + (int64_t)evbuffer_get_length(spool->tail);
}

int
spool_full(struct spool *spool)
{
	if (evbuffer_get_length(spool->tail) < SPOOL_FULL)
		return 0;
	spool->told_full = 1;
	return 1;
}
