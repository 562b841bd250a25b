/*
 * The limits, limit.c and cgi_limit.c:
 *   - every name of the list has its default and takes values of its unit:
 *     counts, sizes with suffixes, times in seconds with fractions
 *   - the range of each is kept, both ends included
 *   - several pairs in one text; the first wrong one is reported
 *   - what is no number, unit or name is refused, and changes nothing
 *   - FastCGI's names can be set without those of CGI
 *   - `scripts', `starts' and `connections' are fitted to the machine, within
 *     bounds, and only where they were not set
 */
#include <stddef.h>
#include <stdio.h>

#include "../gateway/cgi_limit.h"
#include "../gateway/limit.h"
#include "../gateway/pace.h"
#include "unit.h"

#define K 1024LL
#define M (K * 1024)
#define G (M * 1024)
#define YEAR 31536000000LL

/* All that -L may set. */
struct all {
	struct limits limits;
	struct cgi_limits cgi;
};

#define FIELD(name) offsetof(struct all, name)

static void
init(struct all *all)
{
	limits_init(&all->limits);
	cgi_limits_init(&all->cgi);
}

static const char *
set(struct all *all, const char *pairs)
{
	return cgi_limits_set(&all->cgi, &all->limits, pairs);
}

static void
fit(struct all *all, uint64_t nofile, uint64_t nproc, uint64_t memory)
{
	limits_fit(&all->limits, nofile,
	    cgi_limits_fit(&all->cgi, nofile, nproc, memory));
}

static const struct {
	const char *name;
	size_t offset;
	int64_t standard;
	int time;
} known[] = {
	{ "scripts", FIELD(cgi.scripts), 0, 0 },
	{ "starts", FIELD(cgi.starts), 0, 0 },
	{ "queue", FIELD(cgi.queue), 1024, 0 },
	{ "connections", FIELD(limits.connections), 0, 0 },
	{ "requests", FIELD(limits.requests), 16384, 0 },
	{ "half_open", FIELD(limits.half_open), 256, 0 },
	{ "params", FIELD(limits.params), 128 * K, 0 },
	{ "header", FIELD(cgi.header), 64 * K, 0 },
	{ "output", FIELD(limits.output), 256 * K, 0 },
	{ "stdin", FIELD(limits.stdin_mem), 64 * K, 0 },
	{ "window", FIELD(limits.window), 256 * K, 0 },
	{ "spool", FIELD(limits.spool), G, 0 },
	{ "spool_all", FIELD(limits.spool_all), 4 * G, 0 },
	{ "stderr", FIELD(cgi.errors), 64 * K, 0 },
	{ "queue_wait", FIELD(cgi.queue_wait), 10000, 1 },
	{ "params_time", FIELD(limits.params_time), 30000, 1 },
	{ "header_time", FIELD(cgi.header_time), 300000, 1 },
	{ "idle_time", FIELD(cgi.idle_time), 300000, 1 },
	{ "total_time", FIELD(cgi.total_time), 0, 1 },
	{ "grace", FIELD(cgi.grace), 3000, 1 },
	{ "linger", FIELD(cgi.linger), 60000, 1 },
	{ "drain", FIELD(limits.drain), 30000, 1 },
	{ "conn_idle", FIELD(limits.conn_idle), 600000, 1 },
};

#define NKNOWN (sizeof known / sizeof known[0])

static int64_t
value(const struct all *all, size_t i)
{
	int64_t v;

	memcpy(&v, (const char *)all + known[i].offset, sizeof v);
	return v;
}

static void
check_refused(const char *pairs)
{
	struct all all, before;

	init(&all);
	memcpy(&before, &all, sizeof all);
	ATF_CHECK_MSG(set(&all, pairs) != NULL, "%s", pairs);
	ATF_CHECK_MSG(memcmp(&before, &all, sizeof all) == 0,
	    "%s changed something", pairs);
}

/* The defaults are those that the manual promises. */
ATF_TC_WITHOUT_HEAD(defaults);
ATF_TC_BODY(defaults, tc)
{
	struct all all;
	size_t i;

	memset(&all, 0xff, sizeof all);
	init(&all);
	for (i = 0; i < NKNOWN; i++)
		ATF_CHECK_EQ_MSG(known[i].standard, value(&all, i), "%s",
		    known[i].name);
	/* and there is nothing else in the structure */
	ATF_CHECK_EQ(NKNOWN * sizeof(int64_t), sizeof all);
}

/* Each name sets its own limit and no other. */
ATF_TC_WITHOUT_HEAD(names);
ATF_TC_BODY(names, tc)
{
	struct all all;
	char pair[64];
	size_t i, k;

	for (i = 0; i < NKNOWN; i++) {
		init(&all);
		(void)snprintf(pair, sizeof pair, "%s=%s", known[i].name,
		    known[i].time ? "7.25" : "65432");
		ATF_CHECK_MSG(set(&all, pair) == NULL ||
			strcmp(known[i].name, "output") == 0,
		    "%s", pair);
		if (strcmp(known[i].name, "output") == 0)
			ATF_CHECK(set(&all, "output=65536") == NULL);
		for (k = 0; k < NKNOWN; k++)
			if (k != i)
				ATF_CHECK_EQ(known[k].standard, value(&all, k));
			else
				ATF_CHECK_EQ(known[i].time ? 7250 :
					strcmp(known[i].name, "output") == 0 ?
							     65536 :
							     65432,
				    value(&all, k));
	}
}

/* Sizes take k, m and g, small and capital; counts take none. */
ATF_TC_WITHOUT_HEAD(sizes);
ATF_TC_BODY(sizes, tc)
{
	struct all all;

	init(&all);
	ATF_CHECK(set(&all, "spool=3k") == NULL);
	ATF_CHECK_EQ(3 * K, all.limits.spool);
	ATF_CHECK(set(&all, "spool=5M") == NULL);
	ATF_CHECK_EQ(5 * M, all.limits.spool);
	ATF_CHECK(set(&all, "spool=1024g") == NULL);
	ATF_CHECK_EQ(1024 * G, all.limits.spool);
	ATF_CHECK(set(&all, "spool=0") == NULL);
	ATF_CHECK_EQ(0, all.limits.spool);
	check_refused("queue=1k");
	check_refused("spool=1x");
	check_refused("spool=1kk");
	check_refused("spool=1 k");
	check_refused("spool=1.5k");
	check_refused("spool=k");
	check_refused("spool=1025g");
	check_refused("spool=16e");
	check_refused("spool=99999999999999999999");
	check_refused("spool=18446744073709551615");
	check_refused("spool=9223372036854775808");
}

/* Times are seconds; fractions are rounded up to the millisecond. */
ATF_TC_WITHOUT_HEAD(times);
ATF_TC_BODY(times, tc)
{
	static const char *const bad[] = { "", ".", "-1", "+1", " 1", "1 ",
		"1s", "0x10", "1e3", "inf", "nan", "1.2.3", "1,5", "31536001",
		"1e999", "99999999999999999999999" };
	int64_t ms;
	size_t i;

	ATF_CHECK_EQ(0, limits_time("0", &ms));
	ATF_CHECK_EQ(0, ms);
	ATF_CHECK_EQ(0, limits_time("0.2", &ms));
	ATF_CHECK_EQ(200, ms);
	ATF_CHECK_EQ(0, limits_time(".5", &ms));
	ATF_CHECK_EQ(500, ms);
	ATF_CHECK_EQ(0, limits_time("2.", &ms));
	ATF_CHECK_EQ(2000, ms);
	ATF_CHECK_EQ(0, limits_time("0.0001", &ms));
	ATF_CHECK_EQ(1, ms);
	ATF_CHECK_EQ(0, limits_time("31536000", &ms));
	ATF_CHECK_EQ(YEAR, ms);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ms = 77;
		ATF_CHECK_EQ_MSG(-1, limits_time(bad[i], &ms), "\"%s\"",
		    bad[i]);
		ATF_CHECK_EQ(77, ms);
	}
	check_refused("grace=1m");
	check_refused("grace=-3");
}

/* The ends of the ranges are taken, and what is next to them is not. */
ATF_TC_WITHOUT_HEAD(ranges);
ATF_TC_BODY(ranges, tc)
{
	struct all all;

	init(&all);
	ATF_CHECK(set(&all,
		      "scripts=1,starts=1,connections=1,requests=1,"
		      "half_open=1,queue=0,params=512,header=64,output=64k,"
		      "stdin=4k,window=4k,spool=0,spool_all=0,stderr=0,"
		      "queue_wait=0.001,params_time=0.001,header_time=0,"
		      "idle_time=0,total_time=0,grace=0.001,"
		      "linger=0.001,drain=0,conn_idle=0.001") == NULL);
	ATF_CHECK_EQ(1, all.cgi.scripts);
	ATF_CHECK_EQ(1, all.limits.conn_idle);
	ATF_CHECK(set(&all,
		      "scripts=1000000,starts=1000000,connections=1000000,"
		      "requests=65535,half_open=65535,queue=1000000,"
		      "params=16m,header=16m,output=1g,stdin=1g,window=1g,"
		      "spool_all=1024g,stderr=1g,grace=31536000") == NULL);
	ATF_CHECK_EQ(65535, all.limits.requests);
	ATF_CHECK_EQ(YEAR, all.cgi.grace);
	check_refused("scripts=0");
	check_refused("starts=0");
	check_refused("starts=1000001");
	check_refused("connections=0");
	check_refused("requests=0");
	check_refused("requests=65536");
	check_refused("half_open=0");
	check_refused("half_open=65536");
	check_refused("params=511");
	check_refused("header=63");
	check_refused("output=65535");
	check_refused("stdin=4095");
	check_refused("window=4095");
	check_refused("window=1073741825");
	check_refused("queue_wait=0");
	check_refused("params_time=0");
	check_refused("grace=0");
	check_refused("linger=0");
	check_refused("conn_idle=0");
	check_refused("scripts=1000001");
	check_refused("scripts=-1");
}

/* Pairs are taken in turn until one is wrong; that one is told. */
ATF_TC_WITHOUT_HEAD(pairs);
ATF_TC_BODY(pairs, tc)
{
	struct all all;

	init(&all);
	ATF_CHECK(set(&all, "queue=1,grace=2,queue=3") == NULL);
	ATF_CHECK_EQ(3, all.cgi.queue);
	ATF_CHECK_EQ(2000, all.cgi.grace);
	ATF_CHECK(set(&all, "queue=5,nonsense=1,grace=9") != NULL);
	ATF_CHECK_EQ(5, all.cgi.queue);
	ATF_CHECK_EQ(2000, all.cgi.grace);
	check_refused("");
	check_refused("queue");
	check_refused("queue=");
	check_refused("=1");
	check_refused("queue =1");
	check_refused("queue= 1");
	check_refused("queu=1");
	check_refused("queue_=1");
	check_refused("QUEUE=1");
	check_refused("queue=1=2");
	check_refused(",queue=1");
}

/* A server without CGI knows its own names alone, and needs no others. */
ATF_TC_WITHOUT_HEAD(apart);
ATF_TC_BODY(apart, tc)
{
	struct limits limits;

	limits_init(&limits);
	ATF_CHECK(limits_set(&limits, "output=64k,drain=2") == NULL);
	ATF_CHECK_EQ(64 * K, limits.output);
	ATF_CHECK_EQ(2000, limits.drain);
	ATF_CHECK_STREQ("unknown limit", limits_set(&limits, "scripts=1"));
	ATF_CHECK_STREQ("unknown limit", limits_set(&limits, "grace=1"));
	limits_fit(&limits, 1024, 0);
	ATF_CHECK_EQ(1024 - LIMITS_FD_RESERVE, limits.connections);
	limits.connections = 0;
	limits_fit(&limits, 1024, 2048);
	ATF_CHECK_EQ(1, limits.connections);
}

/* What was set stays; what was not is made to fit, and is never 0. */
ATF_TC_WITHOUT_HEAD(fit);
ATF_TC_BODY(fit, tc)
{
	static const uint64_t values[] = { 0, 1, 2, 31, 32, 33, 64, 256, 1024,
		65536, 1048576, UINT64_MAX / 2, UINT64_MAX };
	const size_t n = sizeof values / sizeof values[0];
	struct all all;
	size_t a, b, c;

	for (a = 0; a < n; a++)
		for (b = 0; b < n; b++)
			for (c = 0; c < n; c++) {
				init(&all);
				fit(&all, values[a], values[b], values[c]);
				ATF_CHECK(all.cgi.scripts >= 1);
				ATF_CHECK(all.cgi.scripts <= 1000000);
				ATF_CHECK_EQ(pace_default(), all.cgi.starts);
				ATF_CHECK(all.limits.connections >= 1);
				ATF_CHECK(all.limits.connections <= 1000000);
				if (values[b] > 1)
					ATF_CHECK((uint64_t)all.cgi.scripts <=
					    values[b]);
			}
	init(&all);
	all.cgi.scripts = 17;
	all.cgi.starts = 1;
	all.limits.connections = 19;
	fit(&all, 3, 3, 3);
	ATF_CHECK_EQ(17, all.cgi.scripts);
	ATF_CHECK_EQ(1, all.cgi.starts);
	ATF_CHECK_EQ(19, all.limits.connections);
}

/* Scripts and connections together find descriptors enough. */
ATF_TC_WITHOUT_HEAD(fit_descriptors);
ATF_TC_BODY(fit_descriptors, tc)
{
	struct all all;
	uint64_t nofile;

	for (nofile = 64; nofile < 100000; nofile += 97) {
		init(&all);
		fit(&all, nofile, 1000000, 1ULL << 40);
		ATF_CHECK((uint64_t)(all.cgi.scripts * 4 +
			      all.limits.connections) <= nofile);
	}
	/* more of everything never means fewer scripts */
	init(&all);
	fit(&all, 1024, 1000, 1ULL << 30);
	ATF_CHECK(all.cgi.scripts > 1);
	init(&all);
	fit(&all, 1024, 40, 1ULL << 30);
	ATF_CHECK_EQ(30, all.cgi.scripts);
	init(&all);
	fit(&all, 1024, 1000, 40 * M);
	ATF_CHECK_EQ(10, all.cgi.scripts);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, defaults);
	ATF_TP_ADD_TC(tp, names);
	ATF_TP_ADD_TC(tp, sizes);
	ATF_TP_ADD_TC(tp, times);
	ATF_TP_ADD_TC(tp, ranges);
	ATF_TP_ADD_TC(tp, pairs);
	ATF_TP_ADD_TC(tp, apart);
	ATF_TP_ADD_TC(tp, fit);
	ATF_TP_ADD_TC(tp, fit_descriptors);
	return atf_no_error();
}
