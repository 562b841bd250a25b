/*
 * What is refused as the parameters of a request, params.c:
 *   - more bytes than the limit: reached and passed by one
 *   - lengths that lie, 4 GiB lengths, pairs that are cut short
 *   - empty names; NUL, '=', spaces and control bytes in names; NUL in values;
 *     line breaks in the values of HTTP_ variables
 *   - and no stream of random bytes does harm
 */
#include <errno.h>

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

/* The pair alone is refused; so it is behind a good one. */
static void
check_refused(const void *name, size_t name_len, const void *value,
    size_t value_len)
{
	struct bytes in = { 0 };
	struct params p;
	int i;

	for (i = 0; i < 2; i++) {
		in.len = 0;
		if (i == 1)
			bytes_pair(&in, "GOOD", "value");
		bytes_pair_n(&in, name, name_len, value, value_len);
		ATF_CHECK_MSG(decode(&p, &in) != NULL, "%zu bytes of name, %zu",
		    name_len, value_len);
		params_clear(&p);
	}
	bytes_free(&in);
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

/* As many bytes as the limit says are taken, and not one more. */
ATF_TC_WITHOUT_HEAD(limit);
ATF_TC_BODY(limit, tc)
{
	struct params p;
	uint8_t data[3000] = { 0 };
	size_t i, max;

	for (max = 0; max <= 3; max++) {
		params_init(&p);
		for (i = 0; i < max; i++)
			ATF_CHECK_EQ(0, params_append(&p, data, 1, max));
		ATF_CHECK_EQ(0, params_append(&p, data, 0, max));
		errno = 0;
		ATF_CHECK_EQ(-1, params_append(&p, data, 1, max));
		ATF_CHECK_EQ(E2BIG, errno);
		ATF_CHECK_EQ(max, p.len);
		params_clear(&p);
	}
	params_init(&p);
	ATF_CHECK_EQ(-1, params_append(&p, data, 2049, 2048));
	ATF_CHECK_EQ(0, params_append(&p, data, 2000, 2048));
	ATF_CHECK_EQ(-1, params_append(&p, data, 49, 2048));
	ATF_CHECK_EQ(-1, params_append(&p, data, 3000, 2048));
	ATF_CHECK_EQ(0, params_append(&p, data, 48, 2048));
	params_clear(&p);
}

/* A stream that stops anywhere but between two pairs is refused. */
ATF_TC_WITHOUT_HEAD(cut_short);
ATF_TC_BODY(cut_short, tc)
{
	struct bytes in = { 0 }, part;
	struct params p;
	size_t whole = 0, n;

	bytes_pair(&in, "SCRIPT_NAME", "/x");
	whole = in.len;
	bytes_pair_n(&in, "LONG", 4, in.p, 0);
	for (n = 1; n < in.len; n++) {
		part.p = in.p;
		part.len = n;
		ATF_CHECK_EQ_MSG(n == whole, decode(&p, &part) == NULL,
		    "%zu bytes", n);
		params_clear(&p);
	}
	bytes_free(&in);
}

/* Lengths that say more than there is, each in turn, by one and by 4 GiB. */
ATF_TC_WITHOUT_HEAD(lying_lengths);
ATF_TC_BODY(lying_lengths, tc)
{
	static const struct {
		size_t len;
		uint8_t raw[12];
	} bad[] = {
		{ 1, { 1 } },
		{ 2, { 1, 0 } },
		{ 3, { 2, 0, 'A' } },
		{ 3, { 1, 1, 'A' } },
		{ 4, { 1, 2, 'A', 'b' } },
		{ 4, { 3, 0, 'A', 'b' } },
		{ 1, { 0x80 } },
		{ 4, { 0x80, 0, 0, 1 } },
		{ 4, { 1, 0x80, 0, 0 } },
		{ 6, { 0xff, 0xff, 0xff, 0xff, 0, 'A' } },
		{ 6, { 1, 0xff, 0xff, 0xff, 0xff, 'A' } },
		{ 9, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'A' } },
		{ 9, { 0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 'A' } },
		{ 9, { 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 1, 'A' } },
	};
	struct bytes in = { 0 };
	struct params p;
	size_t i;
	int behind;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (behind = 0; behind < 2; behind++) {
			in.len = 0;
			if (behind)
				bytes_pair(&in, "GOOD", "value");
			bytes_add(&in, bad[i].raw, bad[i].len);
			ATF_CHECK_MSG(decode(&p, &in) != NULL, "number %zu", i);
			params_clear(&p);
		}
	bytes_free(&in);
}

/* Every byte a name may not have is refused, at its start, middle and end. */
ATF_TC_WITHOUT_HEAD(bad_names);
ATF_TC_BODY(bad_names, tc)
{
	char name[4];
	unsigned c, i;
	int bad;

	check_refused("", 0, "", 0);
	check_refused("", 0, "value", 5);
	for (c = 0; c < 256; c++)
		for (i = 0; i < 3; i++) {
			memcpy(name, "ABC", 4);
			name[i] = (char)c;
			bad = c <= ' ' || c == '=' || c == 0x7f;
			if (bad)
				check_refused(name, 3, "v", 1);
			else
				check_taken(name, 3, "v", 1);
		}
}

/* A value may have any byte but NUL; of a header's, no line break either. */
ATF_TC_WITHOUT_HEAD(bad_values);
ATF_TC_BODY(bad_values, tc)
{
	char value[4];
	unsigned c, i;

	for (c = 0; c < 256; c++)
		for (i = 0; i < 3; i++) {
			memcpy(value, "abc", 4);
			value[i] = (char)c;
			if (c == 0)
				check_refused("SSL_CLIENT_CERT", 15, value, 3);
			else
				check_taken("SSL_CLIENT_CERT", 15, value, 3);
			if (c == 0 || c == '\n' || c == '\r')
				check_refused("HTTP_X", 6, value, 3);
			else
				check_taken("HTTP_X", 6, value, 3);
		}
	check_refused("HTTP_", 5, "\n", 1);
	check_taken("HTTP", 4, "\n", 1);
	check_taken("XHTTP_A", 7, "\r\n", 2);
}

/* Random bytes, and good streams with a few bytes changed: no harm is done. */
ATF_TC_WITHOUT_HEAD(random_bytes);
ATF_TC_BODY(random_bytes, tc)
{
	struct bytes in = { 0 };
	struct params p;
	uint32_t random = 12345;
	size_t n, i, good = 0;
	int round;

	for (round = 0; round < 20000; round++) {
		in.len = 0;
		if (round % 2 == 0)
			make_stream(&in);
		else
			for (n = unit_random(&random) % 64; n > 0; n--)
				*bytes_room(&in, 1) =
				    (uint8_t)(unit_random(&random) >>
					(round % 4));
		for (n = unit_random(&random) % 4; in.len > 0 && n > 0; n--)
			in.p[unit_random(&random) % in.len] =
			    (uint8_t)unit_random(&random);
		if (decode(&p, &in) == NULL) {
			good++;
			for (i = 0; i < p.nvars; i++)
				ATF_REQUIRE(strchr(p.vars[i], '=') != NULL);
			ATF_REQUIRE(params_get(&p, "NO_SUCH") == NULL);
		}
		params_clear(&p);
	}
	ATF_CHECK(good > 100 && good < 19000);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, limit);
	ATF_TP_ADD_TC(tp, cut_short);
	ATF_TP_ADD_TC(tp, lying_lengths);
	ATF_TP_ADD_TC(tp, bad_names);
	ATF_TP_ADD_TC(tp, bad_values);
	ATF_TP_ADD_TC(tp, random_bytes);
	return atf_no_error();
}
