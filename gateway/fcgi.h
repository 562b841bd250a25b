/*
 * The wire format: FastCGI 1.0, and the extension of it that gives each
 * request flow control (fcgi_flow(7)).  Constants, the record header and the
 * fixed bodies, encoded and decoded byte by byte.  This is the one description
 * of the wire; gateway, nginx module and tests include it.  It needs
 * <stdint.h> alone and holds no state.
 *
 *       0         1         2         3         4         5         6     7
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *  | version |  type   |    requestId      |  contentLength    |padding| 0 |
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *  | contentLength bytes, then paddingLength bytes that mean nothing       |
 *
 * All numbers are unsigned and big-endian.  Section numbers in the comments
 * are those of the FastCGI Specification 1.0 (M. R. Brown, 1996).
 */
#ifndef FCGI_H
#define FCGI_H

#include <stdint.h>

#define FCGI_VERSION_1 1
#define FCGI_HEADER_LEN 8
#define FCGI_MAX_CONTENT 65535
#define FCGI_MAX_ID 65535
#define FCGI_NULL_ID 0 /* management records, section 3.3 */

/* Record types, section 8. */
enum fcgi_type {
	FCGI_BEGIN_REQUEST = 1,
	FCGI_ABORT_REQUEST = 2,
	FCGI_END_REQUEST = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6,
	FCGI_STDERR = 7,
	FCGI_DATA = 8,
	FCGI_GET_VALUES = 9,
	FCGI_GET_VALUES_RESULT = 10,
	FCGI_UNKNOWN_TYPE = 11
};

/* FCGI_BEGIN_REQUEST, section 5.1: role (2), flags (1), reserved (5). */
#define FCGI_BEGIN_LEN 8
#define FCGI_KEEP_CONN 1

enum fcgi_role { FCGI_RESPONDER = 1, FCGI_AUTHORIZER = 2, FCGI_FILTER = 3 };

/* FCGI_END_REQUEST, section 5.5: appStatus (4), protocolStatus (1), 0 (3). */
#define FCGI_END_LEN 8

enum fcgi_status {
	FCGI_REQUEST_COMPLETE = 0,
	FCGI_CANT_MPX_CONN = 1,
	FCGI_OVERLOADED = 2,
	FCGI_UNKNOWN_ROLE = 3
};

/* FCGI_UNKNOWN_TYPE, section 4.2: type (1), reserved (7). */
#define FCGI_UNKNOWN_LEN 8

/* A record header in host order. */
struct fcgi_header {
	uint8_t version;
	uint8_t type;
	uint16_t id;
	uint16_t content; /* bytes of content, 0 to 65535 */
	uint8_t padding; /* bytes of padding after it, 0 to 255 */
};

static inline uint16_t
fcgi_get16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t
fcgi_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static inline void
fcgi_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
fcgi_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Decodes the FCGI_HEADER_LEN bytes at p; checks nothing. */
static inline struct fcgi_header
fcgi_header_get(const uint8_t *p)
{
	struct fcgi_header h;

	h.version = p[0];
	h.type = p[1];
	h.id = fcgi_get16(p + 2);
	h.content = fcgi_get16(p + 4);
	h.padding = p[6];
	return h;
}

/* Writes FCGI_HEADER_LEN bytes to p: version 1, no padding. */
static inline void
fcgi_header_put(uint8_t *p, uint8_t type, uint16_t id, uint16_t content)
{
	p[0] = FCGI_VERSION_1;
	p[1] = type;
	fcgi_put16(p + 2, id);
	fcgi_put16(p + 4, content);
	p[6] = 0;
	p[7] = 0;
}

/* Writes FCGI_HEADER_LEN + FCGI_BEGIN_LEN bytes: a whole record. */
static inline void
fcgi_begin_put(uint8_t *p, uint16_t id, uint16_t role, uint8_t flags)
{
	int i;

	fcgi_header_put(p, FCGI_BEGIN_REQUEST, id, FCGI_BEGIN_LEN);
	p += FCGI_HEADER_LEN;
	fcgi_put16(p, role);
	p[2] = flags;
	for (i = 3; i < FCGI_BEGIN_LEN; i++)
		p[i] = 0;
}

/* Writes FCGI_HEADER_LEN + FCGI_END_LEN bytes: a whole record. */
static inline void
fcgi_end_put(uint8_t *p, uint16_t id, uint32_t app_status, uint8_t status)
{
	fcgi_header_put(p, FCGI_END_REQUEST, id, FCGI_END_LEN);
	p += FCGI_HEADER_LEN;
	fcgi_put32(p, app_status);
	p[4] = status;
	p[5] = p[6] = p[7] = 0;
}

/* Writes FCGI_HEADER_LEN + FCGI_UNKNOWN_LEN bytes: a whole record. */
static inline void
fcgi_unknown_put(uint8_t *p, uint8_t type)
{
	int i;

	fcgi_header_put(p, FCGI_UNKNOWN_TYPE, FCGI_NULL_ID, FCGI_UNKNOWN_LEN);
	p += FCGI_HEADER_LEN;
	p[0] = type;
	for (i = 1; i < FCGI_UNKNOWN_LEN; i++)
		p[i] = 0;
}

/*
 * The extension, fcgi_flow(7).  A server that knows it answers this name in
 * FCGI_GET_VALUES with the STDIN window of a request, in bytes, as a decimal
 * number; only then may either side send what follows.
 *
 * AFCGI_CREDIT adds to what its receiver may still send for a request: STDOUT
 * and STDERR together when the client sends it, STDIN when the server does.
 *
 *       0         1         2         3         4         5         6     7
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *  |    1    |   200   |    requestId      |         4         |padding| 0 |
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *  |                 bytes                 |
 *  +---------+---------+---------+---------+
 *
 * AFCGI_DRAIN, from the server: no new request on this connection.
 *
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *  |    1    |   201   |         0         |         0         |padding| 0 |
 *  +---------+---------+---------+---------+---------+---------+-------+---+
 *
 * A record of n bytes of content, n > 0, costs AFCGI_COST(n) of the credit.
 */
#define AFCGI_WINDOW "AFCGI_WINDOW"
#define AFCGI_WINDOW_MAX 0x7fffffff /* what a window may never exceed */
#define AFCGI_CREDIT_LEN 4
#define AFCGI_COST(n) (FCGI_HEADER_LEN + (n))

enum afcgi_type { AFCGI_CREDIT = 200, AFCGI_DRAIN = 201 };

/* protocolStatus: the response is incomplete and will remain so. */
enum afcgi_status { AFCGI_CUT = 200 };

/* Writes FCGI_HEADER_LEN + AFCGI_CREDIT_LEN bytes: a whole record. */
static inline void
afcgi_credit_put(uint8_t *p, uint16_t id, uint32_t bytes)
{
	fcgi_header_put(p, AFCGI_CREDIT, id, AFCGI_CREDIT_LEN);
	fcgi_put32(p + FCGI_HEADER_LEN, bytes);
}

/* Writes FCGI_HEADER_LEN bytes: a whole record. */
static inline void
afcgi_drain_put(uint8_t *p)
{
	fcgi_header_put(p, AFCGI_DRAIN, FCGI_NULL_ID, 0);
}

/*
 * Name-value pairs, section 3.4: two lengths, then name and value.  A length
 * up to 127 is one byte; a longer one is four with the top bit set.
 * Decodes one length from the n bytes at p.  Returns how many bytes it took
 * (1 or 4), or 0 when they are not all there.
 */
static inline int
fcgi_length_get(const uint8_t *p, uint32_t n, uint32_t *len)
{
	if (n < 1)
		return 0;
	if ((p[0] & 0x80) == 0) {
		*len = p[0];
		return 1;
	}
	if (n < 4)
		return 0;
	*len = fcgi_get32(p) & 0x7fffffffU;
	return 4;
}

/* Encodes len (below 2^31) at p in 1 or 4 bytes; returns how many. */
static inline int
fcgi_length_put(uint8_t *p, uint32_t len)
{
	if (len < 0x80) {
		p[0] = (uint8_t)len;
		return 1;
	}
	fcgi_put32(p, len | 0x80000000U);
	return 4;
}

#endif
