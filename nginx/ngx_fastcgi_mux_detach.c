
/*
 * The end of a request, as nginx sees it: what becomes of its stream, and what
 * the server is told.
 */


#include "ngx_fastcgi_mux.h"


static ngx_uint_t ngx_fastcgi_mux_stream_wanted(ngx_fastcgi_mux_stream_t *s,
    ngx_uint_t state);
static void ngx_fastcgi_mux_stream_discard(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_stream_discard_handler(ngx_event_t *ev);


/*
 * nginx has done with the request, or cannot go on.  What the balancer is told
 * of a server: requests that are lost together are one failure of it, and to
 * refuse one is none.
 */

ngx_uint_t
ngx_fastcgi_mux_stream_detach(ngx_fastcgi_mux_stream_t *s, ngx_uint_t state)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (conn == NULL) {

        if (s->refused) {
            state &= ~NGX_PEER_FAILED;

        } else if (s->died && (state & NGX_PEER_FAILED)) {

            if (s->server->blamed == s->serial) {
                state &= ~NGX_PEER_FAILED;
            }

            s->server->blamed = s->serial;
        }

        ngx_fastcgi_mux_stream_free(s);
        return state;
    }

    if ((s->read.timedout || s->write.timedout)
        && (conn->state != ngx_fastcgi_mux_open
            || (conn->out.bytes && !conn->connection->write->ready)))
    {
        /* the next request may have more luck with another connection */
        ngx_fastcgi_mux_conn_retire(conn);
    }

    if (!s->begun) {
        ngx_fastcgi_mux_stream_unlink(s);
        ngx_fastcgi_mux_stream_free(s);

    } else if (ngx_fastcgi_mux_stream_wanted(s, state)) {
        ngx_fastcgi_mux_stream_discard(s);

    } else {
        ngx_fastcgi_mux_stream_discard(s);
        ngx_fastcgi_mux_stream_abort(s);
    }

    ngx_fastcgi_mux_conn_update(conn);

    return state;
}


/*
 * A response may be of no more use to nginx while its work is still wanted: it
 * is complete, or was for a HEAD request, or has named an X-Accel-Redirect.
 */

static ngx_uint_t
ngx_fastcgi_mux_stream_wanted(ngx_fastcgi_mux_stream_t *s, ngx_uint_t state)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = s->peer->request;
    c = r->connection;
    u = r->upstream;

    if (s->stdout_closed) {
        return 1;
    }

    if (!s->stdin_closed
        || (state & NGX_PEER_FAILED)
        || u->headers_in.status_n == 0
        || s->read.timedout || s->write.timedout
        || c->error || c->timedout)
    {
        return 0;
    }

    if (!u->header_sent || r->header_only) {
        return 1;
    }

    return u->buffering ? (u->pipe && u->pipe->upstream_done) : u->length == 0;
}


/* nobody reads it any more */

static void
ngx_fastcgi_mux_stream_discard(ngx_fastcgi_mux_stream_t *s)
{
    size_t                   n;
    ngx_connection_t        *c;
    ngx_fastcgi_mux_conn_t  *conn;

    c = &s->connection;
    conn = s->conn;

    ngx_fastcgi_mux_stream_clear_events(s);

    s->detached = 1;
    s->peer = NULL;

    c->log = &conn->log;
    c->pool->log = &conn->log;
    s->read.log = &conn->log;
    s->write.log = &conn->log;

    n = s->in.bytes;
    ngx_fastcgi_mux_queue_drop(&s->in, n);
    ngx_fastcgi_mux_stream_taken(s, n);

    s->read.handler = ngx_fastcgi_mux_stream_discard_handler;
    s->read.cancelable = 1;
    s->read.timedout = 0;
    s->read.delayed = 0;
    ngx_add_timer(&s->read, s->server->conf->timeout);
}


static void
ngx_fastcgi_mux_stream_discard_handler(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_fastcgi_mux_conn_t    *conn;
    ngx_fastcgi_mux_stream_t  *s;

    c = ev->data;
    s = (ngx_fastcgi_mux_stream_t *) c;
    conn = s->conn;

    ngx_fastcgi_mux_stream_abort(s);
    ngx_fastcgi_mux_conn_update(conn);
}
