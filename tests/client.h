/*
 * What the parts of fcgi-client share: a growing buffer, the connection to
 * the program under test (client_peer.c), and the three ways to use it: one
 * request (fcgi-client.c), many at once (client_many.c) and a script of
 * records (client_play.c).
 *
 * A peer owns its answers, one for each request id that was ever begun on it.
 * Whatever goes wrong ends the program through failed(), which says what was
 * waited for and what came instead.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_HISTORY 12 /* records kept for failed() */

struct buf {
	uint8_t *data;
	size_t len;
	size_t size;
};

/* What came for one request id. */
struct answer {
	struct buf out; /* FCGI_STDOUT so far */
	struct buf err; /* FCGI_STDERR so far */
	size_t out_used; /* how much of out a play has matched */
	size_t err_used;
	unsigned records; /* FCGI_STDOUT records that were not empty */
	unsigned first; /* serial number of the first such record */
	unsigned last; /* and of the last */
	bool windowed; /* credit has been sent for it */
	int64_t credit; /* what STDOUT and STDERR may still cost */
	uint32_t window; /* kept up to that; 0: by nobody */
	uint64_t granted; /* AFCGI_CREDIT that came, in all */
	bool out_closed;
	bool err_closed;
	bool ended;
	uint32_t app;
	uint8_t proto;
};

enum peer_state {
	PEER_OPEN,
	PEER_CLOSED, /* the other side closed between two records */
	PEER_CUT /* closed inside a record, after a bad one, or reset */
};

struct peer {
	int fd;
	int number;
	enum peer_state state;
	bool paused; /* stop-reading */
	bool lenient; /* answers may come for ids nobody begun here */
	bool bad_record; /* a version byte that is not 1 came */
	bool local; /* a unix socket: SIOCOUTQ tells what was read */
	size_t piece; /* bytes of one write, 0: no limit */
	size_t head; /* bytes of the first write alone, 0: no limit */
	size_t sent; /* of out */
	struct buf out; /* queued */
	struct buf in; /* a record that is not complete */
	struct buf mgmt; /* management records, whole, in order */
	unsigned records; /* that came, all types */
	char *history[CLIENT_HISTORY];
	struct answer **answers; /* by request id */
};

/* How streams and records are written; the play changes it as it goes. */
struct wire {
	size_t chunk; /* content bytes of one stream record, at most */
	uint8_t padding;
};

struct request {
	uint16_t id;
	uint16_t role;
	bool keep;
	const char **params; /* NAME=VALUE */
	size_t nparams;
	const uint8_t *body;
	size_t body_len;
};

/* client_connect.c */
int client_connect(const char *, bool *);

/* client_peer.c */
void buf_add(struct buf *, const void *, size_t);
void buf_clear(struct buf *);
void failed(const struct peer *, const char *, ...)
    __attribute__((__noreturn__, __format__(__printf__, 2, 3)));
int64_t now_ms(void);
struct peer *peer_new(const char *, int);
void peer_free(struct peer *);
struct answer *peer_begin(struct peer *, uint16_t);
void peer_shut(struct peer *);
size_t answer_body(const struct answer *);
void peer_pump(struct peer **, size_t, int64_t);

/* client_send.c */
void send_record(struct peer *, const struct wire *, uint8_t, uint16_t,
    const void *, size_t);
void send_stream(struct peer *, const struct wire *, uint8_t, uint16_t,
    const void *, size_t);
void send_begin(struct peer *, const struct wire *, uint16_t, uint16_t,
    uint8_t);
void send_credit(struct peer *, const struct wire *, uint16_t, uint32_t);
void send_request(struct peer *, const struct wire *, const struct request *);
void pair_add(struct buf *, const char *);

/* client_many.c */
struct many {
	unsigned requests;
	unsigned connections;
	unsigned live; /* requests at once on one connection */
	const char *expect; /* body, %d is the request's number; or NULL */
	unsigned times; /* how often the body repeats it */
	bool echo; /* the body must be the request's own */
};

int many_run(const char *, const struct many *, const struct wire *,
    const struct request *, int64_t);

/* client_play.c */
int play_run(const char *, const char *, int64_t);

#endif
