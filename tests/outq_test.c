/*
 * The queue of records towards a connection, outq.c:
 *   - the bytes come out as they went in, whatever a write takes: one byte,
 *     every small number, as much as a socket has room for
 *   - the owner is told of each record once, in order, when its last byte has
 *     been written and not before
 *   - a reservation has the room that was asked for, or at least `least', and
 *     never crosses a chunk; it can be cancelled
 *   - chunks are used again, and only so many are kept
 *   - errors of the descriptor are passed on and lose nothing
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "../gateway/outq.h"
#include "unit.h"

struct fixture {
	struct outq_store store;
	struct outq q;
	int fds[2]; /* written to: 1; read from: 0 */
	struct bytes put; /* what went into the queue */
	struct bytes got; /* what came out of the descriptor */
	size_t ends[64]; /* where records end in put */
	unsigned nput;
	unsigned nwritten; /* records that it was told of */
	size_t written; /* bytes that were written before this write */
};

static void
setup(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	outq_store_init(&f->store);
	outq_init(&f->q, &f->store);
	ATF_REQUIRE_EQ(0,
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->fds));
}

static void
teardown(struct fixture *f)
{
	outq_clear(&f->q);
	outq_store_clear(&f->store);
	ATF_CHECK_EQ(0, f->store.nfree);
	(void)close(f->fds[0]);
	(void)close(f->fds[1]);
	bytes_free(&f->put);
	bytes_free(&f->got);
}

static void
note(struct fixture *f, uint8_t type, uint16_t id, const void *data, size_t len)
{
	bytes_record(&f->put, type, id, data, len, 0);
	ATF_REQUIRE(f->nput < 64);
	f->ends[f->nput++] = f->put.len;
}

static void
add(struct fixture *f, uint16_t id, size_t len)
{
	uint8_t *data = malloc(len + 1);

	ATF_REQUIRE(data != NULL);
	unit_pattern(data, len, id * 7919U);
	ATF_REQUIRE_EQ(0, outq_add(&f->q, FCGI_STDOUT, id, data, len));
	note(f, FCGI_STDOUT, id, data, len);
	free(data);
}

/* Records come one after the other. */
static void
done(void *arg, const struct fcgi_header *h)
{
	struct fixture *f = arg;
	const struct fcgi_header want = fcgi_header_get(
	    f->put.p + (f->nwritten == 0 ? 0 : f->ends[f->nwritten - 1]));

	ATF_REQUIRE(f->nwritten < f->nput);
	ATF_CHECK_EQ(want.type, h->type);
	ATF_CHECK_EQ(want.id, h->id);
	ATF_CHECK_EQ(want.content, h->content);
	f->nwritten++;
}

static void
take(struct fixture *f, size_t most)
{
	uint8_t buf[65536];
	ssize_t n;

	n = read(f->fds[0], buf, most < sizeof buf ? most : sizeof buf);
	if (n > 0)
		bytes_add(&f->got, buf, (size_t)n);
}

/* Writes once, and checks that it is told of just what is whole. */
static ssize_t
write_once(struct fixture *f)
{
	ssize_t n = outq_write(&f->q, f->fds[1], done, f);
	unsigned whole = 0;

	if (n > 0)
		f->written += (size_t)n;
	while (whole < f->nput && f->ends[whole] <= f->written)
		whole++;
	ATF_REQUIRE_EQ(whole, f->nwritten);
	ATF_REQUIRE_EQ(f->put.len - f->written, f->q.bytes);
	return n;
}

static void
finish(struct fixture *f, size_t most)
{
	while (f->got.len < f->put.len) {
		ATF_REQUIRE(write_once(f) != -1 || errno == EAGAIN);
		take(f, most);
	}
	ATF_CHECK_EQ(f->put.len, f->got.len);
	ATF_CHECK(memcmp(f->put.p, f->got.p, f->put.len) == 0);
	ATF_CHECK_EQ(f->nput, f->nwritten);
	ATF_CHECK_EQ(0, f->q.bytes);
}

/* An empty queue writes nothing and reports nothing. */
ATF_TC_WITHOUT_HEAD(empty);
ATF_TC_BODY(empty, tc)
{
	struct fixture f;

	setup(&f);
	ATF_CHECK_EQ(0, write_once(&f));
	ATF_CHECK_EQ(0, f.nwritten);
	teardown(&f);
}

/* Records of all lengths, through a socket that takes what it likes. */
ATF_TC_WITHOUT_HEAD(all_lengths);
ATF_TC_BODY(all_lengths, tc)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 255, 256, 8192, 32768,
		65534, 65535, 0, 65535, 32768, 32768, 3, 65535 };
	struct fixture f;
	uint16_t i;

	setup(&f);
	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		add(&f, (uint16_t)(i + 1), lengths[i]);
	finish(&f, 100000);
	teardown(&f);
}

/* Writes to a file that may grow by n bytes only: just so many are taken. */
static ssize_t
write_some(struct fixture *f, size_t n)
{
	struct rlimit old, small;
	ssize_t rc;
	int error;

	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_FSIZE, &old));
	small = old;
	small.rlim_cur = f->written + n;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
	rc = outq_write(&f->q, f->fds[1], done, f);
	error = errno;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_FSIZE, &old));
	errno = error;
	return rc;
}

static void
write_in_pieces(size_t piece, const size_t *lengths, uint16_t n)
{
	struct fixture f;
	unsigned whole;
	ssize_t got;
	uint16_t i;

	setup(&f);
	(void)close(f.fds[1]);
	f.fds[1] = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ATF_REQUIRE(f.fds[1] != -1);
	for (i = 0; i < n; i++)
		add(&f, (uint16_t)(i + 1), lengths[i]);
	while (f.q.bytes > 0) {
		got = write_some(&f, piece);
		ATF_REQUIRE(got > 0);
		ATF_REQUIRE((size_t)got == piece ||
		    ((size_t)got < piece && f.q.bytes == 0));
		f.written += (size_t)got;
		for (whole = 0; whole < f.nput; whole++)
			if (f.ends[whole] > f.written)
				break;
		ATF_REQUIRE_EQ(whole, f.nwritten);
	}
	ATF_REQUIRE_EQ((ssize_t)f.put.len,
	    pread(f.fds[1], bytes_room(&f.got, f.put.len), f.put.len, 0));
	ATF_CHECK(memcmp(f.put.p, f.got.p, f.put.len) == 0);
	teardown(&f);
}

/* Written n bytes at a time, for every n, nothing is lost or told twice. */
ATF_TC_WITHOUT_HEAD(partial_writes);
ATF_TC_BODY(partial_writes, tc)
{
	static const size_t few[] = { 0, 11, 30, 0, 1, 8 };
	static const size_t many[] = { 65535, 0, 65535, 65535, 1, 8192, 65535 };
	size_t n;

	ATF_REQUIRE(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	for (n = 1; n <= 110; n++)
		write_in_pieces(n, few, 6);
	for (n = 4095; n <= 300000; n = n * 5 / 3)
		write_in_pieces(n, many, 7);
}

/* With the socket's buffer as small as it gets, and a reader that dawdles. */
ATF_TC_WITHOUT_HEAD(slow_reader);
ATF_TC_BODY(slow_reader, tc)
{
	struct fixture f;
	uint32_t random = 99;
	int size = 1, i;

	setup(&f);
	(void)setsockopt(f.fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	for (i = 0; i < 60; i++) {
		add(&f, (uint16_t)(i + 1), unit_random(&random) % 20000);
		(void)write_once(&f);
		take(&f, unit_random(&random) % 3000);
	}
	finish(&f, 777);
	teardown(&f);
}

/* Reserved room can be filled in place, in part, or given back. */
ATF_TC_WITHOUT_HEAD(reserve);
ATF_TC_BODY(reserve, tc)
{
	struct fixture f;
	uint8_t *p;
	size_t room;

	setup(&f);
	ATF_REQUIRE((p = outq_reserve(&f.q, 1000, 100, &room)) != NULL);
	ATF_CHECK_EQ(1000, room);
	ATF_CHECK_EQ(0, f.q.bytes);
	outq_cancel(&f.q);
	ATF_CHECK_EQ(0, write_once(&f));
	ATF_REQUIRE((p = outq_reserve(&f.q, 65535, 65535, &room)) != NULL);
	ATF_CHECK_EQ(65535, room);
	unit_pattern(p, 500, 1);
	outq_commit(&f.q, FCGI_STDERR, 9, 500);
	note(&f, FCGI_STDERR, 9, p, 500);
	ATF_REQUIRE((p = outq_reserve(&f.q, 1, 1, &room)) != NULL);
	ATF_CHECK_EQ(1, room);
	outq_cancel(&f.q);
	ATF_CHECK_EQ(FCGI_HEADER_LEN + 500, f.q.bytes);
	ATF_REQUIRE((p = outq_reserve(&f.q, 1, 1, &room)) != NULL);
	*p = 'x';
	outq_commit(&f.q, FCGI_STDOUT, 10, 1);
	note(&f, FCGI_STDOUT, 10, "x", 1);
	finish(&f, 100);
	teardown(&f);
}

/*
 * Near a chunk's end a reservation is shortened, but not below `least': then
 * it is a new chunk's.  Nothing is lost when that one is cancelled.
 */
ATF_TC_WITHOUT_HEAD(chunk_end);
ATF_TC_BODY(chunk_end, tc)
{
	const size_t most = OUTQ_CHUNK - 3 * FCGI_HEADER_LEN;
	struct fixture f;
	size_t left, room;

	for (left = 0; left < 40; left++) {
		setup(&f);
		add(&f, 7, 30000);
		add(&f, 1, most - 30000 - left);
		/* `left' bytes of content would still fit */
		ATF_REQUIRE(outq_reserve(&f.q, 30, 10, &room) != NULL);
		ATF_CHECK_EQ(left >= 10 && left < 30 ? left : 30, room);
		outq_cancel(&f.q);
		add(&f, 2, 20);
		add(&f, 3, 65535);
		finish(&f, 100000);
		teardown(&f);
	}
}

/* Raw bytes are records too, and the owner is told of each. */
ATF_TC_WITHOUT_HEAD(raw);
ATF_TC_BODY(raw, tc)
{
	struct fixture f;
	uint8_t two[2 * FCGI_HEADER_LEN + FCGI_END_LEN];

	setup(&f);
	fcgi_header_put(two, FCGI_STDOUT, 5, 0);
	fcgi_end_put(two + FCGI_HEADER_LEN, 5, 0, 0);
	add(&f, 5, 100);
	ATF_REQUIRE_EQ(0, outq_add_raw(&f.q, two, sizeof two));
	bytes_add(&f.put, two, sizeof two);
	f.ends[f.nput++] = f.put.len - FCGI_HEADER_LEN - FCGI_END_LEN;
	f.ends[f.nput++] = f.put.len;
	add(&f, 6, 0);
	finish(&f, 1);
	teardown(&f);
}

/* Chunks go back to the store, which keeps few, and come from it again. */
ATF_TC_WITHOUT_HEAD(reuse);
ATF_TC_BODY(reuse, tc)
{
	struct fixture f;
	struct outq_chunk *first;
	uint16_t i;

	setup(&f);
	add(&f, 1, 65535);
	first = STAILQ_FIRST(&f.q.chunks);
	finish(&f, 100000);
	ATF_CHECK_EQ(1, f.store.nfree);
	ATF_CHECK(STAILQ_EMPTY(&f.q.chunks));
	add(&f, 2, 10);
	ATF_CHECK_EQ(0, f.store.nfree);
	ATF_CHECK(STAILQ_FIRST(&f.q.chunks) == first);
	for (i = 3; i < 50; i++)
		add(&f, i, 65535);
	finish(&f, 100000);
	ATF_CHECK(f.store.nfree > 1 && f.store.nfree < 40);
	add(&f, 50, 65535);
	outq_clear(&f.q);
	ATF_CHECK_EQ(0, f.q.bytes);
	ATF_CHECK_EQ(0, outq_write(&f.q, f.fds[1], done, &f));
	teardown(&f);
}

/* A full descriptor is EAGAIN, a closed one EPIPE; nothing is reported. */
ATF_TC_WITHOUT_HEAD(errors);
ATF_TC_BODY(errors, tc)
{
	struct fixture f;
	unsigned before;
	uint16_t i;

	ATF_REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	setup(&f);
	for (i = 1; i < 20; i++)
		add(&f, i, 65535);
	while (write_once(&f) != -1)
		continue;
	ATF_CHECK_EQ(EAGAIN, errno);
	before = f.nwritten;
	ATF_CHECK_EQ(-1, write_once(&f));
	ATF_CHECK_EQ(before, f.nwritten);
	(void)close(f.fds[0]);
	f.fds[0] = -1;
	ATF_CHECK_EQ(-1, write_once(&f));
	ATF_CHECK_EQ(EPIPE, errno);
	ATF_CHECK_EQ(before, f.nwritten);
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, empty);
	ATF_TP_ADD_TC(tp, all_lengths);
	ATF_TP_ADD_TC(tp, partial_writes);
	ATF_TP_ADD_TC(tp, slow_reader);
	ATF_TP_ADD_TC(tp, reserve);
	ATF_TP_ADD_TC(tp, chunk_end);
	ATF_TP_ADD_TC(tp, raw);
	ATF_TP_ADD_TC(tp, reuse);
	ATF_TP_ADD_TC(tp, errors);
	return atf_no_error();
}
