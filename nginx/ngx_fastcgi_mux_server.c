
/*
 * Servers: what this worker knows about who answers at an address.
 *
 *     unknown --> asking --> multiplexes
 *        ^           |            |
 *        |           v            |
 *        '-- retry - plain <------'
 *
 * The first request to an unknown server carries the question with it, alone
 * on its connection, since some servers do not answer before they have a
 * request; other requests meanwhile use nginx's own connections.  A server
 * that is known to multiplex may have been replaced by one that does not:
 * every shared connection asks anew, before its first request.
 *
 * An address is copied: a balancer's peers may go away.  The local address
 * (fastcgi_bind) is part of what makes a server one.
 */


#include "ngx_fastcgi_mux.h"


#define NGX_FASTCGI_MUX_SERVERS  1024


static ngx_fastcgi_mux_server_t *ngx_fastcgi_mux_server_create(
    ngx_fastcgi_mux_conf_t *conf, ngx_peer_connection_t *pc);
static void ngx_fastcgi_mux_server_forget_oldest(ngx_fastcgi_mux_conf_t *conf);


static ngx_queue_t  ngx_fastcgi_mux_servers;


static ngx_uint_t
ngx_fastcgi_mux_server_is(ngx_fastcgi_mux_server_t *server,
    ngx_peer_connection_t *pc)
{
    if (ngx_memn2cmp((u_char *) &server->sockaddr, (u_char *) pc->sockaddr,
                     server->socklen, pc->socklen)
        != 0)
    {
        return 0;
    }

    if (server->so_keepalive != pc->so_keepalive
        || server->rcvbuf != pc->rcvbuf
        || server->transparent != pc->transparent)
    {
        return 0;
    }

    if (pc->local == NULL) {
        return server->local.socklen == 0;
    }

    return ngx_memn2cmp((u_char *) &server->local_sockaddr,
                        (u_char *) pc->local->sockaddr,
                        server->local.socklen, pc->local->socklen)
           == 0;
}


ngx_fastcgi_mux_server_t *
ngx_fastcgi_mux_server_get(ngx_fastcgi_mux_conf_t *conf,
    ngx_peer_connection_t *pc)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_server_t  *server;

    if (conf->servers.next == NULL) {
        ngx_queue_init(&conf->servers);
    }

    for (q = ngx_queue_head(&conf->servers);
         q != ngx_queue_sentinel(&conf->servers);
         q = ngx_queue_next(q))
    {
        server = ngx_queue_data(q, ngx_fastcgi_mux_server_t, queue);

        if (!ngx_fastcgi_mux_server_is(server, pc)) {
            continue;
        }

        if (server->state == ngx_fastcgi_mux_plain
            && (ngx_msec_int_t) (ngx_current_msec - server->retry) >= 0)
        {
            server->state = ngx_fastcgi_mux_unknown;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_head(&conf->servers, q);

        return server;
    }

    return ngx_fastcgi_mux_server_create(conf, pc);
}


static ngx_fastcgi_mux_server_t *
ngx_fastcgi_mux_server_create(ngx_fastcgi_mux_conf_t *conf,
    ngx_peer_connection_t *pc)
{
    ngx_fastcgi_mux_server_t  *server;

    if (pc->socklen > (socklen_t) sizeof(ngx_sockaddr_t)) {
        return NULL;
    }

    if (conf->nservers >= NGX_FASTCGI_MUX_SERVERS) {
        ngx_fastcgi_mux_server_forget_oldest(conf);

        if (conf->nservers >= NGX_FASTCGI_MUX_SERVERS) {
            return NULL;
        }
    }

    server = ngx_calloc(sizeof(ngx_fastcgi_mux_server_t) + pc->name->len,
                        pc->log);
    if (server == NULL) {
        return NULL;
    }

    server->conf = conf;
    server->state = ngx_fastcgi_mux_unknown;
    ngx_queue_init(&server->shared);

    server->socklen = pc->socklen;
    ngx_memcpy(&server->sockaddr, pc->sockaddr, pc->socklen);

    if (pc->local) {
        ngx_memcpy(&server->local_sockaddr, pc->local->sockaddr,
                   pc->local->socklen);
        server->local.sockaddr = &server->local_sockaddr.sockaddr;
        server->local.socklen = pc->local->socklen;
        ngx_str_set(&server->local.name, "local address");
    }

    server->transparent = pc->transparent;
    server->so_keepalive = pc->so_keepalive;
    server->rcvbuf = pc->rcvbuf;

    server->name.len = pc->name->len;
    server->name.data = (u_char *) server + sizeof(ngx_fastcgi_mux_server_t);
    ngx_memcpy(server->name.data, pc->name->data, pc->name->len);

    ngx_queue_insert_head(&conf->servers, &server->queue);
    conf->nservers++;

    if (ngx_fastcgi_mux_servers.next == NULL) {
        ngx_queue_init(&ngx_fastcgi_mux_servers);
    }

    ngx_queue_insert_tail(&ngx_fastcgi_mux_servers, &server->all);

    return server;
}


/* with fastcgi_bind there may be one for each client's address */

static void
ngx_fastcgi_mux_server_forget_oldest(ngx_fastcgi_mux_conf_t *conf)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_server_t  *server;

    for (q = ngx_queue_last(&conf->servers);
         q != ngx_queue_sentinel(&conf->servers);
         q = ngx_queue_prev(q))
    {
        server = ngx_queue_data(q, ngx_fastcgi_mux_server_t, queue);

        if (server->refs == 0) {
            ngx_queue_remove(q);
            ngx_queue_remove(&server->all);
            conf->nservers--;
            ngx_free(server);
            return;
        }
    }
}


void
ngx_fastcgi_mux_server_free_all(void)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_server_t  *server;

    if (ngx_fastcgi_mux_servers.next == NULL) {
        return;
    }

    q = ngx_queue_head(&ngx_fastcgi_mux_servers);

    while (q != ngx_queue_sentinel(&ngx_fastcgi_mux_servers)) {
        server = ngx_queue_data(q, ngx_fastcgi_mux_server_t, all);
        q = ngx_queue_next(q);

        if (server->refs == 0) {
            ngx_free(server);
        }
    }

    ngx_queue_init(&ngx_fastcgi_mux_servers);
}


void
ngx_fastcgi_mux_server_set_state(ngx_fastcgi_mux_server_t *server,
    ngx_fastcgi_mux_state_e state, ngx_log_t *log)
{
#if (NGX_DEBUG)

    static const char  *names[] = { "unknown", "asking", "multiplexes",
                                    "plain" };

    if (server->state != state) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                       "fastcgi multiplex server %V: %s -> %s",
                       &server->name, names[server->state], names[state]);
    }

#endif

    if (state == ngx_fastcgi_mux_plain) {
        server->plain = 1;
        server->retry = ngx_current_msec + server->conf->retry;

    } else if (state == ngx_fastcgi_mux_multiplexes) {
        server->plain = 0;
    }

    server->state = state;
}


/* one that has not been made yet may never be */

static ngx_uint_t
ngx_fastcgi_mux_server_better(ngx_fastcgi_mux_conn_t *a,
    ngx_fastcgi_mux_conn_t *b)
{
    if ((a->state == ngx_fastcgi_mux_open)
        != (b->state == ngx_fastcgi_mux_open))
    {
        return a->state == ngx_fastcgi_mux_open;
    }

    return a->nlive < b->nlive;
}


/*
 * A connection was lost with the question on it.  If that is what the server
 * does not like, every question costs a request: they become rare.
 */

void
ngx_fastcgi_mux_server_lost(ngx_fastcgi_mux_server_t *server,
    ngx_uint_t alone, ngx_log_t *log)
{
    ngx_uint_t  n;

    n = server->lost;

    if (server->lost < 5) {
        server->lost++;
    }

    /* one that has multiplexed may just be starting anew */

    if (alone || n) {
        ngx_fastcgi_mux_server_set_state(server, ngx_fastcgi_mux_plain, log);
        server->retry += (server->conf->retry << n) - server->conf->retry;
    }
}


ngx_fastcgi_mux_conn_t *
ngx_fastcgi_mux_server_conn(ngx_fastcgi_mux_server_t *server,
    ngx_uint_t needs_window)
{
    ngx_queue_t             *q;
    ngx_fastcgi_mux_conn_t  *conn, *best;

    best = NULL;

    for (q = ngx_queue_head(&server->shared);
         q != ngx_queue_sentinel(&server->shared);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_fastcgi_mux_conn_t, queue);

        if (needs_window
            && conn->state == ngx_fastcgi_mux_open && !conn->windowed)
        {
            continue;
        }

        if (best == NULL || ngx_fastcgi_mux_server_better(conn, best)) {
            best = conn;
        }
    }

    return best;
}
