
/*
 * The end of a request, as nginx sees it: what becomes of its stream, and what
 * the server is told.
 */


#include "ngx_fastcgi_mux.h"


static ngx_uint_t ngx_fastcgi_mux_stream_wanted(ngx_fastcgi_mux_stream_t *s,
    ngx_uint_t state);
static void ngx_fastcgi_mux_stream_discard(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_stream_discard_handler(ngx_event_t *ev);
static void ngx_fastcgi_mux_stream_clear_events(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_stream_reap(ngx_event_t *ev);


static ngx_queue_t  ngx_fastcgi_mux_dead;
static ngx_event_t  ngx_fastcgi_mux_reaper;


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

    ngx_fastcgi_mux_stream_close(s);

    if (s->gone) {
        /* the server is not to blame */
        state &= ~NGX_PEER_FAILED;
    }

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
        || s->gone
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
    s->detached = 1;
    s->peer = NULL;

    ngx_fastcgi_mux_stream_unwait(s);
    ngx_fastcgi_mux_stream_drop(s);

    s->read.handler = ngx_fastcgi_mux_stream_discard_handler;
    s->write.handler = ngx_fastcgi_mux_stream_discard_handler;
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


static void
ngx_fastcgi_mux_stream_clear_events(ngx_fastcgi_mux_stream_t *s)
{
    if (s->read.timer_set) {
        ngx_del_timer(&s->read);
    }

    if (s->write.timer_set) {
        ngx_del_timer(&s->write);
    }

    if (s->read.posted) {
        ngx_delete_posted_event(&s->read);
    }

    if (s->write.posted) {
        ngx_delete_posted_event(&s->write);
    }
}


/*
 * What nginx does to a connection that it closes.  It may still look at it,
 * until the handlers of this event have returned: a body filter may have ended
 * the request, and the pipe that has called it is not told.
 */

void
ngx_fastcgi_mux_stream_close(ngx_fastcgi_mux_stream_t *s)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    ngx_fastcgi_mux_stream_clear_events(s);

    log = s->conn ? &s->conn->log : ngx_cycle->log;

    c = &s->connection;
    c->fd = (ngx_socket_t) -1;
    c->log = log;
    c->pool->log = log;

    s->read.log = log;
    s->write.log = log;

    ngx_fastcgi_mux_set_ready(&s->read, 0);
    ngx_fastcgi_mux_set_ready(&s->write, 0);
}


void
ngx_fastcgi_mux_stream_free(ngx_fastcgi_mux_stream_t *s)
{
    ngx_event_t  *ev;

    ngx_fastcgi_mux_stream_close(s);
    ngx_fastcgi_mux_queue_drop(&s->in, s->in.bytes);
    s->server->refs--;

    ev = &ngx_fastcgi_mux_reaper;

    if (ev->handler == NULL) {
        ev->handler = ngx_fastcgi_mux_stream_reap;
        ngx_queue_init(&ngx_fastcgi_mux_dead);
    }

    ev->log = ngx_cycle->log;
    ngx_queue_insert_tail(&ngx_fastcgi_mux_dead, &s->newcomers);
    ngx_post_event(ev, &ngx_posted_next_events);
}


/* in the next turn of the event loop */

static void
ngx_fastcgi_mux_stream_reap(ngx_event_t *ev)
{
    ngx_fastcgi_mux_stream_free_all();
}


void
ngx_fastcgi_mux_stream_free_all(void)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_stream_t  *s;

    if (ngx_fastcgi_mux_dead.next == NULL) {
        return;
    }

    q = ngx_queue_head(&ngx_fastcgi_mux_dead);

    while (q != ngx_queue_sentinel(&ngx_fastcgi_mux_dead)) {
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        q = ngx_queue_next(q);

        ngx_fastcgi_mux_stream_clear_events(s);
        ngx_destroy_pool(s->pool);
    }

    ngx_queue_init(&ngx_fastcgi_mux_dead);
}
