/*
 * The wire format, fcgi.h:
 *   - numbers are big-endian, at all boundaries
 *   - a record header survives encoding and decoding, and has the layout of
 *     section 3.3
 *   - BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE have the layouts of sections
 *     5.1, 5.5 and 4.2
 *   - lengths of pairs take one byte up to 127 and four above, are refused
 *     while they are not all there, and need not be as short as possible
 */
#include "unit.h"

static const uint32_t numbers[] = { 0, 1, 2, 126, 127, 128, 129, 254, 255, 256,
	257, 32767, 32768, 65534, 65535, 65536, 65537, 0xffffff, 0x1000000,
	0x7ffffffe, 0x7fffffff };

#define NNUMBERS (sizeof numbers / sizeof numbers[0])

/* Every number comes back as it was put, highest byte first. */
ATF_TC_WITHOUT_HEAD(numbers);
ATF_TC_BODY(numbers, tc)
{
	static const uint8_t bytes[] = { 0x12, 0x34, 0xfe, 0xff };
	uint8_t p[4];
	size_t i;

	ATF_CHECK_EQ(0x1234, fcgi_get16(bytes));
	ATF_CHECK_EQ(0x1234feffU, fcgi_get32(bytes));
	fcgi_put32(p, 0x1234feffU);
	ATF_CHECK(memcmp(p, bytes, 4) == 0);
	for (i = 0; i < NNUMBERS; i++) {
		fcgi_put32(p, numbers[i]);
		ATF_CHECK_EQ(numbers[i], fcgi_get32(p));
		fcgi_put32(p, numbers[i] | 0x80000000U);
		ATF_CHECK_EQ(numbers[i] | 0x80000000U, fcgi_get32(p));
		fcgi_put16(p, (uint16_t)numbers[i]);
		ATF_CHECK_EQ((uint16_t)numbers[i], fcgi_get16(p));
	}
}

/* A header is decoded to what was encoded, whatever its numbers are. */
ATF_TC_WITHOUT_HEAD(header_round_trip);
ATF_TC_BODY(header_round_trip, tc)
{
	static const uint16_t values[] = { 0, 1, 127, 128, 255, 256, 32767,
		32768, 65534, 65535 };
	const size_t n = sizeof values / sizeof values[0];
	uint8_t p[FCGI_HEADER_LEN + 1];
	struct fcgi_header h;
	size_t i, k;
	unsigned type;

	for (type = 0; type < 256; type++)
		for (i = 0; i < n; i++)
			for (k = 0; k < n; k++) {
				memset(p, 0xee, sizeof p);
				fcgi_header_put(p, (uint8_t)type, values[i],
				    values[k]);
				h = fcgi_header_get(p);
				ATF_REQUIRE_EQ(FCGI_VERSION_1, h.version);
				ATF_REQUIRE_EQ(type, h.type);
				ATF_REQUIRE_EQ(values[i], h.id);
				ATF_REQUIRE_EQ(values[k], h.content);
				ATF_REQUIRE_EQ(0, h.padding);
				ATF_REQUIRE_EQ(0, p[7]);
				ATF_REQUIRE_EQ(0xee, p[FCGI_HEADER_LEN]);
			}
}

/* Decoding takes all fields from where section 3.3 puts them, unchecked. */
ATF_TC_WITHOUT_HEAD(header_layout);
ATF_TC_BODY(header_layout, tc)
{
	static const uint8_t p[] = { 9, 200, 0xab, 0xcd, 0xef, 0x01, 255, 77 };
	struct fcgi_header h = fcgi_header_get(p);

	ATF_CHECK_EQ(9, h.version);
	ATF_CHECK_EQ(200, h.type);
	ATF_CHECK_EQ(0xabcd, h.id);
	ATF_CHECK_EQ(0xef01, h.content);
	ATF_CHECK_EQ(255, h.padding);
}

static void
check_bytes(const uint8_t *got, const uint8_t *want, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		ATF_CHECK_EQ_MSG(want[i], got[i], "byte %zu: %u, not %u", i,
		    got[i], want[i]);
	ATF_CHECK_EQ_MSG(0xee, got[len], "written behind its end");
}

/* The whole records are, byte by byte, those of the specification. */
ATF_TC_WITHOUT_HEAD(whole_records);
ATF_TC_BODY(whole_records, tc)
{
	static const uint8_t begin[] = { 1, 1, 0x12, 0x34, 0, 8, 0, 0, 0, 2, 1,
		0, 0, 0, 0, 0 };
	static const uint8_t end[] = { 1, 3, 0xff, 0xfe, 0, 8, 0, 0, 0xde, 0xad,
		0xbe, 0xef, 3, 0, 0, 0 };
	static const uint8_t unknown[] = { 1, 11, 0, 0, 0, 8, 0, 0, 99, 0, 0, 0,
		0, 0, 0, 0 };
	uint8_t p[17];

	memset(p, 0xee, sizeof p);
	fcgi_begin_put(p, 0x1234, FCGI_AUTHORIZER, FCGI_KEEP_CONN);
	check_bytes(p, begin, sizeof begin);
	memset(p, 0xee, sizeof p);
	fcgi_end_put(p, 0xfffe, 0xdeadbeefU, FCGI_UNKNOWN_ROLE);
	check_bytes(p, end, sizeof end);
	memset(p, 0xee, sizeof p);
	fcgi_unknown_put(p, 99);
	check_bytes(p, unknown, sizeof unknown);
}

/* A length takes 1 byte up to 127, else 4, and comes back the same. */
ATF_TC_WITHOUT_HEAD(lengths);
ATF_TC_BODY(lengths, tc)
{
	uint8_t p[5];
	uint32_t len;
	size_t i;
	int n;

	for (i = 0; i < NNUMBERS; i++) {
		memset(p, 0xee, sizeof p);
		n = fcgi_length_put(p, numbers[i]);
		ATF_CHECK_EQ(numbers[i] < 128 ? 1 : 4, n);
		ATF_CHECK_EQ(0xee, p[n]);
		ATF_CHECK_EQ(numbers[i] >= 128, p[0] >> 7);
		len = ~numbers[i];
		ATF_CHECK_EQ(n, fcgi_length_get(p, (uint32_t)n, &len));
		ATF_CHECK_EQ(numbers[i], len);
		len = ~numbers[i];
		ATF_CHECK_EQ(n, fcgi_length_get(p, sizeof p, &len));
		ATF_CHECK_EQ(numbers[i], len);
	}
}

/* A length of which bytes are missing is none. */
ATF_TC_WITHOUT_HEAD(lengths_cut);
ATF_TC_BODY(lengths_cut, tc)
{
	static const uint8_t big[] = { 0x80, 0, 1, 0 };
	uint8_t p[4];
	uint32_t len, n;

	ATF_CHECK_EQ(0, fcgi_length_get(big, 0, &len));
	for (n = 0; n < 4; n++) {
		memcpy(p, big, n); /* the others are not to be looked at */
		ATF_CHECK_EQ(0, fcgi_length_get(p, n, &len));
	}
	ATF_CHECK_EQ(4, fcgi_length_get(big, 4, &len));
	ATF_CHECK_EQ(256, len);
}

/* Four bytes may hold a small number, and the top bit is no part of it. */
ATF_TC_WITHOUT_HEAD(lengths_long_form);
ATF_TC_BODY(lengths_long_form, tc)
{
	static const uint8_t five[] = { 0x80, 0, 0, 5 };
	static const uint8_t zero[] = { 0x80, 0, 0, 0 };
	static const uint8_t most[] = { 0xff, 0xff, 0xff, 0xff };
	uint32_t len;

	ATF_CHECK_EQ(4, fcgi_length_get(five, 4, &len));
	ATF_CHECK_EQ(5, len);
	ATF_CHECK_EQ(4, fcgi_length_get(zero, 4, &len));
	ATF_CHECK_EQ(0, len);
	ATF_CHECK_EQ(4, fcgi_length_get(most, 4, &len));
	ATF_CHECK_EQ(0x7fffffffU, len);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, numbers);
	ATF_TP_ADD_TC(tp, header_round_trip);
	ATF_TP_ADD_TC(tp, header_layout);
	ATF_TP_ADD_TC(tp, whole_records);
	ATF_TP_ADD_TC(tp, lengths);
	ATF_TP_ADD_TC(tp, lengths_cut);
	ATF_TP_ADD_TC(tp, lengths_long_form);
	return atf_no_error();
}
