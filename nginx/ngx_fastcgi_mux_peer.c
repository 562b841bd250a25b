
/*
 * The balancer's place: who serves a request, and on which connection.
 */


#include "ngx_fastcgi_mux.h"


extern ngx_module_t  ngx_http_fastcgi_module;


static ngx_int_t ngx_fastcgi_mux_peer_get(ngx_peer_connection_t *pc,
    void *data);
static ngx_int_t ngx_fastcgi_mux_peer_stream(ngx_peer_connection_t *pc,
    ngx_fastcgi_mux_peer_data_t *mp, ngx_fastcgi_mux_server_t *server,
    ngx_uint_t alone);
static void ngx_fastcgi_mux_peer_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_fastcgi_mux_peer_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);

#if (NGX_HTTP_SSL || NGX_COMPAT)
static ngx_int_t ngx_fastcgi_mux_peer_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_fastcgi_mux_peer_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif

static void ngx_fastcgi_mux_peer_cleanup(void *data);


ngx_int_t
ngx_fastcgi_mux_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_upstream_t          *u;
    ngx_fastcgi_mux_conf_t       *conf;
    ngx_fastcgi_mux_peer_data_t  *mp;

    conf = ngx_http_conf_upstream_srv_conf(us,
                                   ngx_http_upstream_fastcgi_multiplex_module);
    u = r->upstream;

    if (conf->original_init_peer(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    if (u->output.tag != (ngx_buf_tag_t) &ngx_http_fastcgi_module) {
        /* the upstream{} serves another protocol as well */
        return NGX_OK;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "init fastcgi multiplex peer");

    /* the context of a request does not survive an internal redirect */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_fastcgi_mux_peer_data_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_fastcgi_mux_peer_cleanup;

    mp = cln->data;
    ngx_memzero(mp, sizeof(ngx_fastcgi_mux_peer_data_t));

    mp->conf = conf;
    mp->request = r;
    mp->data = u->peer.data;
    mp->original_get_peer = u->peer.get;
    mp->original_free_peer = u->peer.free;

    u->peer.data = mp;
    u->peer.get = ngx_fastcgi_mux_peer_get;
    u->peer.free = ngx_fastcgi_mux_peer_free;

    if (u->peer.notify) {
        mp->original_notify = u->peer.notify;
        u->peer.notify = ngx_fastcgi_mux_peer_notify;
    }

#if (NGX_HTTP_SSL || NGX_COMPAT)
    mp->original_set_session = u->peer.set_session;
    mp->original_save_session = u->peer.save_session;
    u->peer.set_session = ngx_fastcgi_mux_peer_set_session;
    u->peer.save_session = ngx_fastcgi_mux_peer_save_session;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_fastcgi_mux_peer_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_fastcgi_mux_peer_data_t  *mp = data;

    ngx_int_t                  rc;
    ngx_fastcgi_mux_server_t  *server;

    if (mp->request->upstream->header_sent) {
        /* an error of nginx's own, while it sends the rest of the request */
        return NGX_ERROR;
    }

    if (mp->again) {
        /* it had been sent, see ngx_fastcgi_mux_stream_again() */
        mp->again = 0;
        mp->request->upstream->request_sent = 1;
    }

    /* nginx forgets this only if the request was sent */
    mp->request->upstream->error = 0;

    mp->connection = 0;
    mp->windowed = 0;

    ngx_fastcgi_mux_simplex(mp);

    rc = mp->original_get_peer(pc, mp->data);

    if (rc != NGX_OK) {
        return rc;
    }

    if (pc->type && pc->type != SOCK_STREAM) {
        return NGX_OK;
    }

    server = ngx_fastcgi_mux_server_get(mp->conf, pc);

    if (server == NULL) {
        return NGX_OK;
    }

    if (server->state < ngx_fastcgi_mux_multiplexes && !server->plain
        && mp->request->request_body_no_buffering)
    {
        /* both directions at once need windows from the start */
        return ngx_fastcgi_mux_peer_stream(pc, mp, server, 0);
    }

    switch (server->state) {

    case ngx_fastcgi_mux_unknown:
        return ngx_fastcgi_mux_peer_stream(pc, mp, server, 1);

    case ngx_fastcgi_mux_multiplexes:

        if (!server->windowed && ngx_fastcgi_mux_window_needed(mp->request)) {
            return NGX_OK;
        }

        return ngx_fastcgi_mux_peer_stream(pc, mp, server, 0);

    default: /* asking, plain */
        return NGX_OK;
    }
}


/* NGX_DONE with a stream, NGX_AGAIN if that has to wait, or an error */

static ngx_int_t
ngx_fastcgi_mux_peer_stream(ngx_peer_connection_t *pc,
    ngx_fastcgi_mux_peer_data_t *mp, ngx_fastcgi_mux_server_t *server,
    ngx_uint_t alone)
{
    ngx_int_t                  rc;
    ngx_fastcgi_mux_conn_t    *conn, *best;
    ngx_fastcgi_mux_stream_t  *s;

    if (alone) {
        rc = ngx_fastcgi_mux_connect(server, 1, 1, mp->request, pc->log,
                                     &conn);

        if (rc != NGX_OK && rc != NGX_AGAIN) {
            return rc;
        }

        ngx_fastcgi_mux_server_set_state(server, ngx_fastcgi_mux_asking,
                                         pc->log);

    } else {
        conn = ngx_fastcgi_mux_server_conn(server,
                                  ngx_fastcgi_mux_window_needed(mp->request));

        if (server->nshared < server->conf->connections
            && (conn == NULL || conn->nlive))
        {
            best = conn;
            rc = ngx_fastcgi_mux_connect(server, 0, 1, mp->request, pc->log,
                                         &conn);

            if (rc != NGX_OK && rc != NGX_AGAIN) {

                if (best == NULL) {
                    return rc;
                }

                conn = best;
            }
        }

        if (conn == NULL) {
            /* those that there are have no windows */
            return NGX_OK;
        }
    }

    s = ngx_fastcgi_mux_stream_create(conn, mp);
    if (s == NULL) {
        ngx_fastcgi_mux_conn_update(conn);
        return NGX_ERROR;
    }

    if (!mp->cached && (alone || conn->state == ngx_fastcgi_mux_open)) {

        /*
         * The server may just be closing it: one more try does not count, as
         * with the connections that nginx caches.  But only one, for it could
         * also be this request that ends the server.
         */

        mp->cached = 1;
        pc->cached = 1;
    }

    mp->stream = s;
    pc->connection = &s->connection;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "get fastcgi multiplex peer: connection *%uA, %ui streams",
                   conn->connection->number, conn->nlive);

    return (conn->state == ngx_fastcgi_mux_open) ? NGX_DONE : NGX_AGAIN;
}


static void
ngx_fastcgi_mux_peer_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state)
{
    ngx_fastcgi_mux_peer_data_t  *mp = data;

    if (mp->stream) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                       "free fastcgi multiplex peer, state %ui", state);

        state = ngx_fastcgi_mux_stream_detach(mp->stream, state);
        mp->stream = NULL;
        pc->connection = NULL;
    }

    mp->original_free_peer(pc, mp->data, state);
}


static void
ngx_fastcgi_mux_peer_notify(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t type)
{
    ngx_fastcgi_mux_peer_data_t  *mp = data;

    mp->original_notify(pc, mp->data, type);
}


#if (NGX_HTTP_SSL || NGX_COMPAT)

static ngx_int_t
ngx_fastcgi_mux_peer_set_session(ngx_peer_connection_t *pc,
    void *data)
{
    ngx_fastcgi_mux_peer_data_t  *mp = data;

    return mp->original_set_session(pc, mp->data);
}


static void
ngx_fastcgi_mux_peer_save_session(ngx_peer_connection_t *pc,
    void *data)
{
    ngx_fastcgi_mux_peer_data_t  *mp = data;

    mp->original_save_session(pc, mp->data);
}


#endif


/* by which a request's data are found */

static void
ngx_fastcgi_mux_peer_cleanup(void *data)
{
}


ngx_fastcgi_mux_peer_data_t *
ngx_fastcgi_mux_peer_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_fastcgi_mux_peer_data_t  *mp;

    /* the last one comes first */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_fastcgi_mux_peer_cleanup) {
            continue;
        }

        mp = cln->data;

        if (mp->request == r) {
            return mp;
        }
    }

    return NULL;
}
