/*
 * FCGI_STDIN on disk: an unlinked temporary file that takes what nobody
 * reads while its connection must go on.  First in, first out.  All file
 * operations happen on a pool's thread; the event loop only hands over and
 * takes back buffers.
 *
 *   add -> tail (memory) -> file -> fetch
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <sys/types.h>

#include <stdint.h>

struct evbuffer;
struct pool;
struct spool;

struct spool_ops {
	/* What spool_fetch asked for has been added to its buffer. */
	void (*fetched)(void *);
	/* There is room again after spool_full was true. */
	void (*drained)(void *);
	/* The file failed, with an errno; only spool_free may follow. */
	void (*failed)(void *, int error);
};

/*
 * dir is where the file is made, when it is first needed.  *total counts the
 * bytes of all files.  Returns NULL with errno ENOMEM.
 */
struct spool *spool_new(struct pool *, const char *dir, int64_t *total,
    const struct spool_ops *, void *arg);
/* Accepts NULL.  A file operation under way ends by itself. */
void spool_free(struct spool *);
/* Returns 0, or -1 with errno ENOMEM. */
int spool_add(struct spool *, const uint8_t *, size_t);
/*
 * Moves some of the oldest bytes to the end of the buffer, now or later; then
 * calls fetched, never from inside this call.  Nothing happens if the spool is
 * empty, or if a fetch is under way.
 */
void spool_fetch(struct spool *, struct evbuffer *);
/* Bytes that came in and have not been fetched. */
int64_t spool_bytes(const struct spool *);
/* Bytes that the file takes on the disk, or soon will. */
int64_t spool_size(const struct spool *);
/* True if the disk is slower than the input: add no more until drained. */
int spool_full(struct spool *);

#endif
