/*
 * What client_play.c, the player, shares with the commands: client_action.c,
 * those that send, and client_expect.c, those that wait for something.  A
 * command gets the rest of its line, which it may take apart.
 */
#ifndef CLIENT_PLAY_H
#define CLIENT_PLAY_H

#include "client.h"

#define MAX_PEERS 512

struct play {
	const char *where;
	int64_t timeout; /* ms, of one expectation */
	unsigned line;
	unsigned current; /* of peers */
	struct peer *peers[MAX_PEERS];
	size_t npeers;
	struct wire wire;
	size_t piece;
};

struct command {
	const char *name;
	void (*run)(struct play *, char *);
	bool unconnected; /* works without an open connection */
};

/*
 * Pumps until the condition holds, or fails with the message at the deadline
 * or the other side's close.
 */
#define WAIT_FOR(pl, condition, ...)                           \
	do {                                                   \
		int64_t deadline_ = now_ms() + (pl)->timeout;  \
		while (!(condition) && now_ms() < deadline_ && \
		    play_peer(pl)->state == PEER_OPEN)         \
			play_pump(pl, deadline_ - now_ms());   \
		if (!(condition))                              \
			failed(play_peer(pl), __VA_ARGS__);    \
	} while (0)

/* client_play.c */
struct peer *play_peer(const struct play *);
struct answer *play_answer(const struct play *, uint16_t);
void play_pump(struct play *, int64_t);
char *play_word(char **);
unsigned long play_number(const struct play *, char **, unsigned long);
uint16_t play_id(const struct play *, char **);
void play_unescape(const struct play *, struct buf *, const char *);

void play_unhex(const struct play *, struct buf *, char *);

/* client_action.c, client_expect.c; each ends with a NULL name */
extern const struct command action_commands[];
extern const struct command expect_commands[];

#endif
