/*
 * The handler of the tests of conn.c, records.c, request.c, output.c and
 * input.c; see unit_conn.h, which includes this.
 *
 * It is told what to do by the parameter MODE, and keeps for each request what
 * has happened to it:
 *
 *   echo    sends back what comes in, and ends with appStatus STATUS
 *   write   writes SIZE bytes, then ends
 *   page    answers with the page of STATUS
 *   cut     writes SIZE bytes, then cuts
 *   hold    takes input while play->room says so; the test does the rest
 */
#ifndef UNIT_PLAY_H
#define UNIT_PLAY_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stdio.h>

#include "../gateway/handler.h"
#include "../gateway/limit.h"
#include "../gateway/request.h"
#include "../gateway/server.h"
#include "unit.h"

/* One request, as the handler sees it. */
struct play {
	STAILQ_ENTRY(play) entry;
	struct rig *rig;
	struct request *req; /* NULL once it has ended or was aborted */
	uint16_t id;
	char mode[16];
	struct bytes in;
	size_t room; /* bytes of input that it is willing to take */
	size_t left; /* bytes of output still to be written */
	size_t total;
	uint32_t status;
	unsigned ninput; /* calls */
	unsigned narrived;
	unsigned nend;
	unsigned nfailed;
	unsigned nwritable;
	unsigned naborted;
	int error;
	unsigned woken; /* when writable was called first: rig->clock */
};

/* A record that the web server has received. */
struct record {
	struct fcgi_header h;
	size_t at; /* of its content, in rig->got */
};

struct rig {
	struct event_base *base;
	struct limits limits;
	struct server server;
	struct handler handler;
	int fd;
	int deaf; /* the web server does not read */
	int eof;
	struct event *event;
	struct bytes got;
	size_t parsed;
	struct record *records;
	size_t nrecords;
	size_t size; /* records that there is room for */
	STAILQ_HEAD(, play) plays;
	struct play *by_id[FCGI_MAX_ID + 1]; /* the newest of each id */
	unsigned nplays;
	unsigned clock;
	unsigned ngone; /* connections */
};

/* Writes on until there is no room, or it is done. */
static inline void
play_write(struct play *play)
{
	uint8_t buf[30000];
	size_t n, taken;

	while (play->left > 0) {
		n = play->left < sizeof buf ? play->left : sizeof buf;
		if (strcmp(play->mode, "echo") == 0)
			memcpy(buf, play->in.p + play->total - play->left, n);
		else
			unit_pattern(buf, n,
			    (uint32_t)(play->total - play->left) +
				play->id * 31U);
		taken = request_write(play->req, FCGI_STDOUT, buf, n);
		play->left -= taken;
		if (taken < n)
			return;
	}
	if (strcmp(play->mode, "hold") == 0 ||
	    (strcmp(play->mode, "echo") == 0 && play->nend == 0))
		return;
	if (strcmp(play->mode, "cut") == 0)
		request_cut(play->req, play->status);
	else
		request_end(play->req, play->status);
	play->req = NULL;
}

static inline size_t
play_number(const struct request *req, const char *name)
{
	const char *value = request_param(req, name);

	return value == NULL ? 0 : strtoul(value, NULL, 10);
}

static inline void
play_begin(struct request *req, void *arg)
{
	struct rig *rig = arg;
	struct play *play = calloc(1, sizeof *play);
	const char *mode = request_param(req, "MODE");

	ATF_REQUIRE(play != NULL);
	STAILQ_INSERT_TAIL(&rig->plays, play, entry);
	rig->nplays++;
	play->rig = rig;
	play->req = req;
	play->id = req->id;
	rig->by_id[req->id] = play;
	(void)snprintf(play->mode, sizeof play->mode, "%s",
	    mode == NULL ? "hold" : mode);
	play->status = (uint32_t)play_number(req, "STATUS");
	request_set_context(req, play);
	ATF_REQUIRE(request_context(req) == play);
	if (strcmp(play->mode, "page") == 0) {
		play->req = NULL;
		request_page(req, (int)play->status);
		return;
	}
	if (strcmp(play->mode, "echo") == 0) {
		play->room = SIZE_MAX;
		request_input_ready(req);
	} else if (strcmp(play->mode, "write") == 0 ||
	    strcmp(play->mode, "cut") == 0) {
		play->left = play->total = play_number(req, "SIZE");
		play_write(play);
	}
}

static inline size_t
play_input(struct request *req, const uint8_t *p, size_t n)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play->req == req);
	ATF_REQUIRE(n > 0);
	ATF_REQUIRE_EQ(0, play->nend);
	play->ninput++;
	if (n > play->room)
		n = play->room;
	bytes_add(&play->in, p, n);
	if (play->room != SIZE_MAX)
		play->room -= n;
	if (strcmp(play->mode, "echo") == 0) {
		play->total += n;
		play->left += n;
		play_write(play);
	}
	return n;
}

static inline void
play_input_arrived(struct request *req)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play->req == req);
	play->narrived++;
}

static inline void
play_input_end(struct request *req)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play->req == req);
	play->nend++;
	if (strcmp(play->mode, "echo") == 0)
		play_write(play);
}

static inline void
play_input_failed(struct request *req, int error)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play->req == req);
	play->nfailed++;
	play->error = error;
	play->req = NULL;
	request_page(req, 413);
}

static inline void
play_writable(struct request *req)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play->req == req);
	if (play->nwritable++ == 0)
		play->woken = ++play->rig->clock;
	play_write(play);
}

static inline void
play_aborted(struct request *req)
{
	struct play *play = request_context(req);

	ATF_REQUIRE(play != NULL && play->req == req);
	play->naborted++;
	play->req = NULL;
}

#endif
