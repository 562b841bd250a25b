/*
 * What the connections share, made and taken down again; see server.h.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "limit.h"
#include "pool.h"
#include "server.h"

int
server_init(struct server *server, struct event_base *base,
    const struct limits *limits, const char *spool_dir)
{
	memset(server, 0, sizeof *server);
	server->base = base;
	server->limits = limits;
	server->spool_dir = spool_dir;
	server->max_requests = limits->connections * limits->requests;
	outq_store_init(&server->store);
	TAILQ_INIT(&server->conns);
	if ((server->scratch = malloc(SERVER_SCRATCH)) == NULL ||
	    (server->disk = pool_new(base, 1)) == NULL) {
		free(server->scratch);
		return -1;
	}
	return 0;
}

void
server_clear(struct server *server)
{
	struct conn *conn;

	server->conn_gone = NULL;
	while ((conn = TAILQ_FIRST(&server->conns)) != NULL)
		conn_free(conn);
	pool_free(server->disk);
	outq_store_clear(&server->store);
	free(server->scratch);
	server->scratch = NULL;
}

void
server_drain(struct server *server)
{
	struct conn *conn, *next;

	server->draining = 1;
	TAILQ_FOREACH_SAFE(conn, &server->conns, entry, next)
		conn_drain(conn);
}
