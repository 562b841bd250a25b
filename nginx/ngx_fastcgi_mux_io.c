
/*
 * A stream as nginx reads and writes it: recv() and send() of a connection.
 */


#include "ngx_fastcgi_mux.h"


static ssize_t ngx_fastcgi_mux_stream_nothing(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_stream_failed(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_stream_again(ngx_fastcgi_mux_stream_t *s);


/* what recv() returns when there is nothing more in the stream */

static ssize_t
ngx_fastcgi_mux_stream_nothing(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_set_ready(&s->read, 0);

    if (s->failed) {
        ngx_fastcgi_mux_stream_failed(s);
        return NGX_ERROR;
    }

    if (s->complete) {

        if (ngx_event_flags & NGX_USE_CLEAR_EVENT) {
            s->read.eof = 1;
        }

        return 0;
    }

    return NGX_AGAIN;
}


/* tells nginx that a stream has failed, and how */

static void
ngx_fastcgi_mux_stream_failed(ngx_fastcgi_mux_stream_t *s)
{
    ngx_http_request_t  *r;

    r = s->peer->request;

    if (!s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, s->connection.log, 0, "%s",
                      s->refused ? "FastCGI server has refused the request"
                      : s->cut ? "FastCGI server has cut the response"
                      : s->died ? "shared FastCGI connection was lost"
                      : "FastCGI request failed");
    }

    r->upstream->error = 1;

    /* the others would add their events to nginx's event method */

    if (ngx_event_flags & NGX_USE_CLEAR_EVENT) {
        s->read.error = 1;
    }

    if (s->refused || !s->begun) {
        ngx_fastcgi_mux_stream_again(s);
    }
}


/*
 * Nothing was started, so that even a POST may be sent once more.  nginx must
 * not know that it was sent; the next get() tells it, before it is asked.
 */

static void
ngx_fastcgi_mux_stream_again(ngx_fastcgi_mux_stream_t *s)
{
    ngx_http_request_t           *r;
    ngx_fastcgi_mux_peer_data_t  *mp;

    mp = s->peer;
    r = mp->request;

    if (r->request_body_no_buffering || !r->upstream->request_sent) {
        return;
    }

    /* a server that is full is not to be asked again and again */

    if (mp->refusals++ < (s->drained ? NGX_FASTCGI_MUX_REFUSALS : 1)) {
        r->upstream->request_sent = 0;
        r->upstream->peer.cached = 1;
        mp->again = 1;
    }
}


ssize_t
ngx_fastcgi_mux_stream_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t                     n;
    ngx_fastcgi_mux_stream_t  *s;

    s = (ngx_fastcgi_mux_stream_t *) c;

    n = ngx_fastcgi_mux_queue_take(&s->in, buf, size);

    if (n == 0) {
        return ngx_fastcgi_mux_stream_nothing(s);
    }

    ngx_fastcgi_mux_stream_taken(s, n);

    return n;
}


ssize_t
ngx_fastcgi_mux_stream_recv_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    size_t                     n, size, total;
    ngx_buf_t                 *b;
    ngx_fastcgi_mux_stream_t  *s;

    s = (ngx_fastcgi_mux_stream_t *) c;
    total = 0;

    for ( /* void */ ; in && s->in.bytes; in = in->next) {
        b = in->buf;
        size = b->end - b->last;

        if (limit) {

            if ((off_t) total >= limit) {
                break;
            }

            size = ngx_min((off_t) size, limit - (off_t) total);
        }

        n = ngx_fastcgi_mux_queue_take(&s->in, b->last, size);
        total += n;

        if (n < (size_t) (b->end - b->last)) {
            break;
        }
    }

    if (total == 0) {
        return ngx_fastcgi_mux_stream_nothing(s);
    }

    ngx_fastcgi_mux_stream_taken(s, total);

    return total;
}


/* nginx has taken so much */

void
ngx_fastcgi_mux_stream_taken(ngx_fastcgi_mux_stream_t *s, size_t n)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (conn == NULL) {
        return;
    }

    conn->buffered -= n;

    ngx_fastcgi_mux_window_consumed(s, n);

    if (conn->held && conn->buffered < conn->server->conf->window / 2) {
        ngx_post_event(conn->connection->read, &ngx_posted_next_events);
    }
}


/* nor will it take what is there */

void
ngx_fastcgi_mux_stream_drop(ngx_fastcgi_mux_stream_t *s)
{
    size_t  n;

    n = s->in.bytes;

    ngx_fastcgi_mux_queue_drop(&s->in, n);
    ngx_fastcgi_mux_stream_taken(s, n);
}


ssize_t
ngx_fastcgi_mux_stream_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t                     sent;
    ssize_t                    n;
    ngx_http_upstream_t       *u;
    ngx_fastcgi_mux_stream_t  *s;

    s = (ngx_fastcgi_mux_stream_t *) c;
    u = s->peer->request->upstream;

    for (sent = 0; sent < size; sent += n) {
        n = ngx_fastcgi_mux_send_part(s, buf + sent, size - sent);

        if (n > 0) {
            continue;
        }

        ngx_fastcgi_mux_set_ready(c->write, 0);

        if (n == 0) {
            ngx_fastcgi_mux_duplex_blocked(s);
            break;
        }

        if (u->header_sent) {
            /* as in ngx_fastcgi_mux_send_part(): its reading tells the error */
            ngx_fastcgi_mux_stream_fail(s);
            break;
        }

        if (s->failed) {
            ngx_fastcgi_mux_stream_failed(s);
        }

        return NGX_ERROR;
    }

    c->sent += sent;

    if (sent && u->header_sent && s->read.timer_set && !s->read.delayed) {
        /* it may have nothing to say before it has the whole request */
        ngx_add_timer(&s->read, u->conf->read_timeout);
    }

    return (sent || size == 0) ? (ssize_t) sent : NGX_AGAIN;
}


ngx_chain_t *
ngx_fastcgi_mux_stream_send_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    off_t         total;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    total = 0;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_special(b) || ngx_buf_size(b) == 0) {
            continue;
        }

        if (!ngx_buf_in_memory(b)) {
            ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                          "a file where FastCGI records were expected");
            return NGX_CHAIN_ERROR;
        }

        n = ngx_fastcgi_mux_stream_send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR) {
            return NGX_CHAIN_ERROR;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        total += n;

        if (n < b->last - b->pos) {
            break;
        }
    }

    return ngx_chain_update_sent(in, total);
}
