/*
 * Input on disk, spool.c:
 *   - what goes in comes out, in order, over long random sequences of adding
 *     and fetching, also when the file is begun again
 *   - its bytes are counted, in itself and in the total, and given back
 *   - it says when the disk is too slow, and when it has caught up
 *   - a fetch of nothing, and a second fetch, do nothing
 *   - the file fails: no directory, a file that may not grow
 *   - it may be freed at any time; the file has no name
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "../gateway/pool.h"
#include "../gateway/spool.h"
#include "unit.h"

struct fixture {
	struct event_base *base;
	struct pool *pool;
	struct spool *spool;
	struct evbuffer *to;
	int64_t total;
	uint64_t added;
	uint64_t got;
	unsigned nfetched;
	unsigned ndrained;
	unsigned nfailed;
	int error;
	int inside; /* a call of ours: no call-back may come now */
};

static void
fetched(void *arg)
{
	struct fixture *f = arg;

	ATF_REQUIRE(!f->inside);
	f->nfetched++;
}

static void
drained(void *arg)
{
	struct fixture *f = arg;

	ATF_REQUIRE(!f->inside);
	f->ndrained++;
}

static void
failed(void *arg, int error)
{
	struct fixture *f = arg;

	ATF_REQUIRE(!f->inside);
	f->nfailed++;
	f->error = error;
	spool_free(f->spool);
	f->spool = NULL;
}

static const struct spool_ops ops = { fetched, drained, failed };

static void
setup(struct fixture *f, const char *dir)
{
	memset(f, 0, sizeof *f);
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	ATF_REQUIRE((f->pool = pool_new(f->base, 1)) != NULL);
	ATF_REQUIRE((f->to = evbuffer_new()) != NULL);
	f->spool = spool_new(f->pool, dir, &f->total, &ops, f);
	ATF_REQUIRE(f->spool != NULL);
}

static void
teardown(struct fixture *f)
{
	spool_free(f->spool);
	pool_free(f->pool);
	ATF_CHECK_EQ(0, f->total);
	evbuffer_free(f->to);
	event_base_free(f->base);
}

static void
add(struct fixture *f, size_t n)
{
	uint8_t *p = malloc(n + 1);
	size_t i;

	for (i = 0; i < n; i++, f->added++)
		p[i] = (uint8_t)(f->added * 2654435761U >> 16);
	f->inside = 1;
	ATF_REQUIRE_EQ(0, spool_add(f->spool, p, n));
	f->inside = 0;
	free(p);
}

/* What has been fetched must be what was added next. */
static void
check(struct fixture *f)
{
	uint8_t buf[4096];
	int n, i;

	while ((n = evbuffer_remove(f->to, buf, sizeof buf)) > 0)
		for (i = 0; i < n; i++, f->got++)
			ATF_REQUIRE_EQ_MSG((uint8_t)(f->got * 2654435761U >>
					       16),
			    buf[i], "at %llu", (unsigned long long)f->got);
	ATF_REQUIRE(f->got <= f->added);
}

static void
fetch(struct fixture *f)
{
	f->inside = 1;
	spool_fetch(f->spool, f->to);
	f->inside = 0;
}

static int
has_all(void *arg)
{
	struct fixture *f = arg;

	check(f);
	if (f->got == f->added)
		return 1;
	fetch(f);
	return 0;
}

static int
has_failed(void *arg)
{
	return ((struct fixture *)arg)->nfailed > 0;
}

static int
has_drained(void *arg)
{
	return ((struct fixture *)arg)->ndrained > 0;
}

static int
is_idle(void *arg)
{
	struct fixture *f = arg;

	/* less than a block may stay in memory */
	return f->total >= (int64_t)(f->added - f->got) - 65536;
}

/* A little stays in memory, and comes back. */
ATF_TC_WITHOUT_HEAD(small);
ATF_TC_BODY(small, tc)
{
	struct fixture f;

	setup(&f, ".");
	ATF_CHECK_EQ(0, spool_bytes(f.spool));
	add(&f, 10);
	ATF_CHECK_EQ(10, spool_bytes(f.spool));
	fetch(&f);
	ATF_CHECK_EQ(0, f.nfetched);
	ATF_REQUIRE(unit_loop(f.base, has_all, &f));
	ATF_CHECK_EQ(1, f.nfetched);
	ATF_CHECK_EQ(0, spool_bytes(f.spool));
	teardown(&f);
}

/* Nothing to fetch: nothing happens. */
ATF_TC_WITHOUT_HEAD(empty);
ATF_TC_BODY(empty, tc)
{
	struct fixture f;

	setup(&f, ".");
	fetch(&f);
	unit_loop_for(f.base, 50);
	ATF_CHECK_EQ(0, f.nfetched);
	add(&f, 100);
	fetch(&f);
	fetch(&f);
	ATF_REQUIRE(unit_loop(f.base, has_all, &f));
	unit_loop_for(f.base, 50);
	ATF_CHECK_EQ(1, f.nfetched);
	teardown(&f);
}

/* Megabytes at once: on disk, counted, and back again. */
ATF_TC_WITHOUT_HEAD(large);
ATF_TC_BODY(large, tc)
{
	struct fixture f;

	setup(&f, ".");
	add(&f, 5000000);
	ATF_CHECK_EQ(5000000, spool_bytes(f.spool));
	ATF_CHECK(spool_size(f.spool) >= 5000000);
	ATF_REQUIRE(unit_loop(f.base, is_idle, &f));
	ATF_CHECK_EQ(0, f.nfetched);
	ATF_REQUIRE(unit_loop(f.base, has_all, &f));
	ATF_CHECK(f.nfetched > 1);
	ATF_CHECK_EQ(0, spool_bytes(f.spool));
	ATF_CHECK_EQ(0, f.total);
	teardown(&f);
}

/* The file used again from its beginning does not give old bytes. */
ATF_TC_WITHOUT_HEAD(again);
ATF_TC_BODY(again, tc)
{
	struct fixture f;
	size_t n;

	setup(&f, ".");
	for (n = 400000; n > 60000; n = n * 9 / 10 + 7) {
		add(&f, n);
		ATF_REQUIRE(unit_loop(f.base, is_idle, &f));
		ATF_REQUIRE(unit_loop(f.base, has_all, &f));
		ATF_REQUIRE_EQ(0, spool_bytes(f.spool));
	}
	teardown(&f);
}

/* Adding and fetching in a random order. */
ATF_TC_WITHOUT_HEAD(random_order);
ATF_TC_BODY(random_order, tc)
{
	struct fixture f;
	uint32_t random = 22;
	size_t i, round;

	for (i = 0; i < 5; i++) {
		setup(&f, ".");
		for (round = 0; round < 1500; round++) {
			switch (unit_random(&random) % 6) {
			case 0:
			case 1:
				add(&f, unit_random(&random) % 100);
				break;
			case 2:
				add(&f, unit_random(&random) % 90000);
				break;
			case 3:
			case 4:
				fetch(&f);
				break;
			default:
				break;
			}
			ATF_REQUIRE_EQ((int64_t)(f.added - f.got) -
				(int64_t)evbuffer_get_length(f.to),
			    spool_bytes(f.spool));
			if (unit_random(&random) % 3 == 0)
				(void)event_base_loop(f.base, EVLOOP_NONBLOCK);
			if (unit_random(&random) % 50 == 0)
				ATF_REQUIRE(unit_loop(f.base, has_all, &f));
			check(&f);
		}
		ATF_REQUIRE(unit_loop(f.base, has_all, &f));
		ATF_CHECK_EQ(0, f.total);
		teardown(&f);
	}
}

/* Adding faster than the disk: it says so, and when it can take more. */
ATF_TC_WITHOUT_HEAD(full);
ATF_TC_BODY(full, tc)
{
	struct fixture f;

	setup(&f, ".");
	while (!spool_full(f.spool)) {
		ATF_REQUIRE(f.added < 100 * 1024 * 1024);
		add(&f, 50000);
	}
	ATF_CHECK_EQ(0, f.ndrained);
	ATF_REQUIRE(unit_loop(f.base, has_drained, &f));
	ATF_CHECK(!spool_full(f.spool));
	ATF_REQUIRE(unit_loop(f.base, has_all, &f));
	ATF_CHECK_EQ(1, f.ndrained);
	teardown(&f);
}

/* No directory: the error is told once. */
ATF_TC_WITHOUT_HEAD(no_directory);
ATF_TC_BODY(no_directory, tc)
{
	struct fixture f;

	setup(&f, "no/such/directory");
	add(&f, 200000);
	ATF_REQUIRE(unit_loop(f.base, has_failed, &f));
	unit_loop_for(f.base, 50);
	ATF_CHECK_EQ(1, f.nfailed);
	ATF_CHECK_EQ(ENOENT, f.error);
	ATF_CHECK_EQ(0, f.total);
	teardown(&f);
}

/* A file that may not grow: as with a full disk, after a part was written. */
ATF_TC_WITHOUT_HEAD(cannot_grow);
ATF_TC_BODY(cannot_grow, tc)
{
	struct rlimit limit;
	struct fixture f;

	ATF_REQUIRE(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
	setup(&f, ".");
	limit.rlim_cur = 300000;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	add(&f, 200000);
	ATF_REQUIRE(unit_loop(f.base, is_idle, &f));
	add(&f, 200000);
	ATF_REQUIRE(unit_loop(f.base, has_failed, &f));
	ATF_CHECK_EQ(EFBIG, f.error);
	limit.rlim_cur = limit.rlim_max;
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	teardown(&f);
}

/* Freed while a write, or a read, may be under way; no call-back comes. */
ATF_TC_WITHOUT_HEAD(freed_at_work);
ATF_TC_BODY(freed_at_work, tc)
{
	struct fixture f;
	uint32_t random = 8;
	unsigned before;
	int round;

	for (round = 0; round < 60; round++) {
		setup(&f, ".");
		add(&f, unit_random(&random) % 500000);
		if (round % 3 == 1)
			(void)unit_loop(f.base, is_idle, &f);
		if (round % 2 == 1)
			fetch(&f);
		if (round % 5 == 1)
			(void)event_base_loop(f.base, EVLOOP_NONBLOCK);
		before = f.nfetched + f.ndrained + f.nfailed;
		spool_free(f.spool);
		f.spool = NULL;
		ATF_CHECK_EQ(0, f.total);
		if (round % 2 == 0)
			unit_loop_for(f.base, 10);
		ATF_CHECK_EQ(before, f.nfetched + f.ndrained + f.nfailed);
		teardown(&f);
	}
	spool_free(NULL);
}

/* In its directory there is nothing to see, while it lives or later. */
ATF_TC_WITHOUT_HEAD(nameless);
ATF_TC_BODY(nameless, tc)
{
	struct fixture f;
	unsigned n = 0;
	DIR *dir;

	ATF_REQUIRE_EQ(0, mkdir("spool", 0700));
	setup(&f, "spool");
	add(&f, 1000000);
	ATF_REQUIRE(unit_loop(f.base, is_idle, &f));
	ATF_REQUIRE((dir = opendir("spool")) != NULL);
	while (readdir(dir) != NULL)
		n++;
	ATF_CHECK_EQ(2, n); /* "." and ".." */
	ATF_REQUIRE_EQ(0, closedir(dir));
	teardown(&f);
	ATF_REQUIRE_EQ(0, rmdir("spool"));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, small);
	ATF_TP_ADD_TC(tp, empty);
	ATF_TP_ADD_TC(tp, large);
	ATF_TP_ADD_TC(tp, again);
	ATF_TP_ADD_TC(tp, random_order);
	ATF_TP_ADD_TC(tp, full);
	ATF_TP_ADD_TC(tp, no_directory);
	ATF_TP_ADD_TC(tp, cannot_grow);
	ATF_TP_ADD_TC(tp, freed_at_work);
	ATF_TP_ADD_TC(tp, nameless);
	return atf_no_error();
}
