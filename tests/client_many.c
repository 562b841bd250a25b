/*
 * Many requests at once, for fcgi-client: spreads them over connections and
 * checks every answer.  Request ids go all over the 16 bits, in no order,
 * and are used again once their request has ended.
 *
 * A lane is one connection and the numbers of the requests that live on it;
 * it owns its peer, and makes a new one if the gateway closed the old one
 * after the last of its requests, as it must without FCGI_KEEP_CONN.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gateway/fcgi.h"
#include "client.h"

#define ID_STRIDE 7919 /* no factor of 65535, so that all ids come up */

struct live {
	uint16_t id;
	unsigned number;
};

struct lane {
	struct peer *peer;
	struct live *live;
	unsigned nlive;
	unsigned begun; /* on this peer */
};

struct load {
	const char *where;
	const struct many *many;
	const struct wire *wire;
	const struct request *req;
	struct lane *lanes;
	unsigned next; /* number of the next request */
	unsigned done;
	unsigned connections;
	unsigned interleaved;
};

/* The text with its number in place of each %d, repeated. */
static void
expand(struct buf *b, const char *text, unsigned n, unsigned times)
{
	char digits[16];
	const char *p;
	int len;

	len = snprintf(digits, sizeof(digits), "%u", n);
	for (; times > 0; times--) {
		for (p = text; *p != '\0'; p++) {
			if (p[0] == '%' && p[1] == 'd') {
				buf_add(b, digits, (size_t)len);
				p++;
			} else if (p[0] == '\\' && p[1] == 'n') {
				buf_add(b, "\n", 1);
				p++;
			} else
				buf_add(b, p, 1);
		}
	}
}

static uint16_t
free_id(const struct lane *l)
{
	uint16_t id;
	unsigned i, n = l->begun;

	do {
		id = (uint16_t)(1 + (uint64_t)n++ * ID_STRIDE % FCGI_MAX_ID);
		for (i = 0; i < l->nlive && l->live[i].id != id; i++)
			continue;
	} while (i < l->nlive);
	return id;
}

static void
begin_one(struct load *load, struct lane *l)
{
	struct request req = *load->req;
	struct buf *params;
	size_t i;

	if (l->peer == NULL) {
		l->peer = peer_new(load->where, (int)++load->connections);
		l->begun = 0;
	}
	req.id = free_id(l);
	l->begun++;
	l->live[l->nlive].id = req.id;
	l->live[l->nlive++].number = load->next;
	if ((params = calloc(req.nparams + 1, sizeof(*params))) == NULL ||
	    (req.params = calloc(req.nparams + 1, sizeof(*req.params))) == NULL)
		err(1, "calloc");
	for (i = 0; i < req.nparams; i++) {
		expand(&params[i], load->req->params[i], load->next, 1);
		buf_add(&params[i], "", 1);
		req.params[i] = (const char *)params[i].data;
	}
	(void)peer_begin(l->peer, req.id);
	send_request(l->peer, load->wire, &req);
	for (i = 0; i < req.nparams; i++)
		buf_clear(&params[i]);
	free(params);
	free(req.params);
	load->next++;
}

static void
check_answer(const struct load *load, const struct lane *l,
    const struct live *live)
{
	const struct answer *a = l->peer->answers[live->id];
	const struct many *m = load->many;
	const uint8_t *body;
	struct buf want;
	size_t len;

	if (a->app != 0 || a->proto != 0)
		failed(l->peer, "request %u: app=%u proto=%u", live->number,
		    a->app, a->proto);
	memset(&want, 0, sizeof(want));
	if (m->echo)
		buf_add(&want, load->req->body, load->req->body_len);
	else if (m->expect != NULL)
		expand(&want, m->expect, live->number, m->times);
	else
		return;
	len = a->out.len - answer_body(a);
	body = a->out.data + answer_body(a);
	if (len != want.len || (len > 0 && memcmp(body, want.data, len) != 0))
		failed(l->peer,
		    "request %u: a body of %zu bytes, %zu wanted: %.*s",
		    live->number, len, want.len, len > 60 ? 60 : (int)len,
		    (const char *)body);
	buf_clear(&want);
}

/* Does a record of another request lie between the first and the last? */
static bool
interleaved(const struct answer *a)
{
	return a->records > 1 && a->last - a->first + 1 > a->records;
}

static void
lane_collect(struct load *load, struct lane *l)
{
	const struct answer *a;
	unsigned i = 0;

	while (i < l->nlive) {
		a = l->peer->answers[l->live[i].id];
		if (!a->ended) {
			i++;
			continue;
		}
		check_answer(load, l, &l->live[i]);
		load->interleaved += interleaved(a);
		load->done++;
		l->live[i] = l->live[--l->nlive];
	}
	if (l->peer->state == PEER_OPEN)
		return;
	if (l->nlive > 0)
		failed(l->peer, "%u requests without an end, number %u first",
		    l->nlive, l->live[0].number);
	peer_free(l->peer);
	l->peer = NULL;
}

/*
 * Without FCGI_KEEP_CONN a connection gets its share of requests at its start
 * and no more: the gateway may close it whenever they have ended.
 */
static void
lane_fill(struct load *load, struct lane *l)
{
	if (l->peer != NULL && !load->req->keep)
		return;
	while (load->next < load->many->requests && l->nlive < load->many->live)
		begin_one(load, l);
}

int
many_run(const char *where, const struct many *many, const struct wire *wire,
    const struct request *req, int64_t timeout)
{
	struct load load = { .where = where,
		.many = many,
		.wire = wire,
		.req = req };
	struct many m = *many;
	struct peer **peers;
	int64_t deadline = now_ms() + timeout;
	unsigned i;

	if (m.live == 0)
		m.live = (m.requests + m.connections - 1) / m.connections;
	load.many = &m;
	load.lanes = calloc(m.connections, sizeof(*load.lanes));
	peers = calloc(m.connections, sizeof(struct peer *));
	if (load.lanes == NULL || peers == NULL)
		err(1, "calloc");
	for (i = 0; i < m.connections; i++)
		if ((load.lanes[i].live =
			    calloc(m.live, sizeof(struct live))) == NULL)
			err(1, "calloc");
	while (load.done < m.requests && now_ms() < deadline) {
		for (i = 0; i < m.connections; i++) {
			lane_fill(&load, &load.lanes[i]);
			peers[i] = load.lanes[i].peer;
		}
		peer_pump(peers, m.connections, deadline - now_ms());
		for (i = 0; i < m.connections; i++)
			if (peers[i] != NULL)
				lane_collect(&load, &load.lanes[i]);
	}
	for (i = 0; i < m.connections; i++) {
		if (load.lanes[i].nlive > 0)
			failed(load.lanes[i].peer,
			    "%u of %u requests have not ended in time, "
			    "number %u is one",
			    m.requests - load.done, m.requests,
			    load.lanes[i].live[0].number);
		peer_free(load.lanes[i].peer);
		free(load.lanes[i].live);
	}
	free(load.lanes);
	free(peers);
	(void)printf("requests=%u ok=%u connections=%u interleaved=%u\n",
	    m.requests, load.done, load.connections, load.interleaved);
	return load.done == m.requests ? 0 : 1;
}
