/*
 * The parameters of a request, params.c:
 *   - a stream cut anywhere decodes to the same pairs, in place
 *   - pairs are sorted by name; same names keep their order, the last wins
 *   - empty values, long names and values, both forms of lengths
 * What is refused is in params_refuse_test.c.
 */
#include <stdio.h>

#include "../gateway/params.h"
#include "unit.h"

#define MAX (1024 * 1024)

static const char *
decode(struct params *p, const struct bytes *in)
{
	params_init(p);
	ATF_REQUIRE_EQ(0, params_append(p, in->p, in->len, MAX));
	return params_decode(p);
}

/* The strings are what they should be, sorted, and ended by NULL. */
static void
check_vars(const struct params *p, const char *const *want)
{
	size_t i;

	for (i = 0; want[i] != NULL; i++) {
		ATF_REQUIRE(i < p->nvars);
		ATF_CHECK_STREQ(want[i], p->vars[i]);
	}
	ATF_CHECK_EQ(i, p->nvars);
	ATF_CHECK(p->vars[p->nvars] == NULL);
}

static void
check_taken(const void *name, size_t name_len, const void *value,
    size_t value_len)
{
	struct bytes in = { 0 };
	struct params p;

	bytes_pair_n(&in, name, name_len, value, value_len);
	ATF_CHECK(decode(&p, &in) == NULL);
	ATF_REQUIRE_EQ(1, p.nvars);
	ATF_CHECK_EQ(name_len + 1 + value_len, strlen(p.vars[0]));
	params_clear(&p);
	bytes_free(&in);
}

static void
make_stream(struct bytes *in)
{
	char value[300];

	memset(value, 'v', sizeof value);
	bytes_pair(in, "SCRIPT_NAME", "/cgi-bin/a");
	bytes_pair(in, "EMPTY", "");
	bytes_pair_n(in, "LONG", 4, value, 200);
	bytes_pair(in, "A", "1=2=3");
	bytes_pair(in, "HTTP_COOKIE", "a=b");
	bytes_pair(in, "HTTP_COOKIE", "c=d");
	value[127] = '\0';
	bytes_pair(in, "L127", value);
	value[127] = 'v';
	value[128] = '\0';
	bytes_pair(in, "L128", value);
}

/* No bytes at all are no parameters, and no error. */
ATF_TC_WITHOUT_HEAD(nothing);
ATF_TC_BODY(nothing, tc)
{
	static const char *const none[] = { NULL };
	struct params p;

	params_init(&p);
	ATF_REQUIRE_EQ(0, params_append(&p, (const uint8_t *)"", 0, MAX));
	ATF_CHECK(params_decode(&p) == NULL);
	check_vars(&p, none);
	ATF_CHECK(params_get(&p, "X") == NULL);
	ATF_CHECK(params_get(&p, "") == NULL);
	params_clear(&p);
	params_clear(&p);
}

/*
 * Appended in two parts, cut at every offset, and byte by byte, the stream
 * means the same.
 */
ATF_TC_WITHOUT_HEAD(every_split);
ATF_TC_BODY(every_split, tc)
{
	struct bytes in = { 0 };
	struct params p, whole;
	size_t cut, i;

	make_stream(&in);
	ATF_REQUIRE(decode(&whole, &in) == NULL);
	ATF_REQUIRE_EQ(8, whole.nvars);
	for (cut = 0; cut <= in.len + 1; cut++) {
		params_init(&p);
		if (cut <= in.len) {
			ATF_REQUIRE_EQ(0, params_append(&p, in.p, cut, MAX));
			ATF_REQUIRE_EQ(0,
			    params_append(&p, in.p + cut, in.len - cut, MAX));
		} else
			for (i = 0; i < in.len; i++)
				ATF_REQUIRE_EQ(0,
				    params_append(&p, in.p + i, 1, MAX));
		ATF_REQUIRE(params_decode(&p) == NULL);
		ATF_REQUIRE_EQ(whole.nvars, p.nvars);
		for (i = 0; i < p.nvars; i++)
			ATF_CHECK_STREQ(whole.vars[i], p.vars[i]);
		params_clear(&p);
	}
	params_clear(&whole);
	bytes_free(&in);
}

/* Sorted by name, a shorter one first; '=' in values does not matter. */
ATF_TC_WITHOUT_HEAD(sorted);
ATF_TC_BODY(sorted, tc)
{
	static const char *const want[] = { "A=1", "A-=5", "AB=2", "A_=3=4",
		"B=", "a=0", NULL };
	struct bytes in = { 0 };
	struct params p;

	bytes_pair(&in, "a", "0");
	bytes_pair(&in, "A_", "3=4");
	bytes_pair(&in, "AB", "2");
	bytes_pair(&in, "B", "");
	bytes_pair(&in, "A-", "5");
	bytes_pair(&in, "A", "1");
	ATF_REQUIRE(decode(&p, &in) == NULL);
	check_vars(&p, want);
	ATF_CHECK_STREQ("1", params_get(&p, "A"));
	ATF_CHECK_STREQ("3=4", params_get(&p, "A_"));
	ATF_CHECK_STREQ("", params_get(&p, "B"));
	ATF_CHECK_STREQ("0", params_get(&p, "a"));
	ATF_CHECK(params_get(&p, "AA") == NULL);
	ATF_CHECK(params_get(&p, "b") == NULL);
	ATF_CHECK(params_get(&p, "") == NULL);
	params_clear(&p);
	bytes_free(&in);
}

/* Of several with one name all are there, in order; the last is the value. */
ATF_TC_WITHOUT_HEAD(duplicates);
ATF_TC_BODY(duplicates, tc)
{
	static const size_t first[] = { 1, 0, 2 };
	struct bytes in = { 0 };
	struct params p;
	char value[16], want[32];
	size_t i;

	for (i = 0; i < 300; i++) {
		(void)snprintf(value, sizeof value, "%zu", 1000 - i);
		bytes_pair(&in,
		    i % 3 == 0	   ? "X" :
			i % 3 == 1 ? "W" :
				     "Y",
		    value);
	}
	ATF_REQUIRE(decode(&p, &in) == NULL);
	ATF_REQUIRE_EQ(300, p.nvars);
	for (i = 0; i < 300; i++) {
		/* first came X, then W, then Y, and so on */
		(void)snprintf(want, sizeof want, "%c=%zu", "WXY"[i / 100],
		    1000 - (i % 100 * 3 + first[i / 100]));
		ATF_CHECK_STREQ(want, p.vars[i]);
	}
	ATF_CHECK_STREQ("703", params_get(&p, "X"));
	ATF_CHECK_STREQ("702", params_get(&p, "W"));
	ATF_CHECK_STREQ("701", params_get(&p, "Y"));
	params_clear(&p);
	bytes_free(&in);
}

/* Names and values of all lengths around those where the form changes. */
ATF_TC_WITHOUT_HEAD(long_lengths);
ATF_TC_BODY(long_lengths, tc)
{
	static const size_t sizes[] = { 1, 126, 127, 128, 129, 255, 256, 65535,
		65536, 100000 };
	const size_t n = sizeof sizes / sizeof sizes[0];
	char *text = malloc(100000);
	size_t i, k;

	ATF_REQUIRE(text != NULL);
	memset(text, 'x', 100000);
	for (i = 0; i < n; i++) {
		check_taken(text, sizes[i], text, 0);
		for (k = 0; k < n; k++)
			check_taken(text, sizes[i], text, sizes[k]);
	}
	free(text);
}

/* Small lengths may come in four bytes. */
ATF_TC_WITHOUT_HEAD(long_form);
ATF_TC_BODY(long_form, tc)
{
	static const char *const want[] = { "AB=", "C=de", NULL };
	static const uint8_t raw[] = { 1, 0x80, 0, 0, 2, 'C', 'd', 'e', 0x80, 0,
		0, 2, 0x80, 0, 0, 0, 'A', 'B' };
	struct params p;

	params_init(&p);
	ATF_REQUIRE_EQ(0, params_append(&p, raw, sizeof raw, MAX));
	ATF_REQUIRE(params_decode(&p) == NULL);
	check_vars(&p, want);
	params_clear(&p);
}

/* Names are compared up to '=' or the end, as bytes. */
ATF_TC_WITHOUT_HEAD(compare);
ATF_TC_BODY(compare, tc)
{
	ATF_CHECK(params_compare_names("A=1", "A=2") == 0);
	ATF_CHECK(params_compare_names("A=1", "A") == 0);
	ATF_CHECK(params_compare_names("A", "A=") == 0);
	ATF_CHECK(params_compare_names("A=1", "AB=1") < 0);
	ATF_CHECK(params_compare_names("AB", "A=1") > 0);
	ATF_CHECK(params_compare_names("A=9", "A-=1") < 0);
	ATF_CHECK(params_compare_names("\xff=", "a=") > 0);
	ATF_CHECK(params_compare_names("", "A") < 0);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, nothing);
	ATF_TP_ADD_TC(tp, every_split);
	ATF_TP_ADD_TC(tp, sorted);
	ATF_TP_ADD_TC(tp, duplicates);
	ATF_TP_ADD_TC(tp, long_lengths);
	ATF_TP_ADD_TC(tp, long_form);
	ATF_TP_ADD_TC(tp, compare);
	return atf_no_error();
}
