
/*
 * Flow control: what the server may still send for a stream (its credit,
 * granted as nginx takes what has come), and what it lets us send.  See
 * fcgi_flow(7).
 *
 * A window begins small and doubles for a reader that keeps up with a server
 * that would wait for credit otherwise, as long as all windows of the
 * connection together are not more than "buffer".  Any client seems to keep up
 * until the buffers of its socket are full, so it takes some windows to tell.
 */


#include "ngx_fastcgi_mux.h"


/* windows that are taken before one doubles */
#define NGX_FASTCGI_MUX_KEEPS_UP  256


/*
 * Without a window nobody can stop the server, so whoever may be slower than
 * it needs one: an unbuffered or rate limited response, and a request with a
 * body, for the server may stop reading it, and with it all others.
 */

ngx_uint_t
ngx_fastcgi_mux_window_needed(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (!u->buffering
        || u->conf->limit_rate
        || u->conf->max_temp_file_size == 0)
    {
        return 1;
    }

    return ngx_fastcgi_mux_has_body(r);
}


ngx_uint_t
ngx_fastcgi_mux_has_body(ngx_http_request_t *r)
{
    if (r->request_body_no_buffering) {
        return 1;
    }

    return r->upstream->conf->pass_request_body
           && r->request_body
           && (r->request_body->bufs || r->request_body->temp_file);
}


u_char *
ngx_fastcgi_mux_window_open(ngx_fastcgi_mux_stream_t *s, u_char *p)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    s->windowed = 1;
    s->send_window = conn->stdin_window;
    s->window = ngx_min(conn->server->conf->window,
                        NGX_FASTCGI_MUX_SMALL_WINDOW);
    s->credit = s->window;
    conn->granted += s->window;

    afcgi_credit_put(p, s->id, s->window);

    return p + FCGI_HEADER_LEN + AFCGI_CREDIT_LEN;
}


void
ngx_fastcgi_mux_window_close(ngx_fastcgi_mux_stream_t *s)
{
    s->conn->granted -= s->window;
    s->window = 0;
}


ngx_int_t
ngx_fastcgi_mux_window_received(ngx_fastcgi_mux_stream_t *s, size_t n)
{
    if (!s->windowed) {
        return NGX_OK;
    }

    if (AFCGI_COST(n) > s->credit) {
        return NGX_ERROR;
    }

    s->credit -= AFCGI_COST(n);

    if (s->credit < s->window / 4) {
        s->hungry = 1;
    }

    return NGX_OK;
}


void
ngx_fastcgi_mux_window_consumed(ngx_fastcgi_mux_stream_t *s, size_t n)
{
    size_t                   more;
    u_char                   credit[FCGI_HEADER_LEN + AFCGI_CREDIT_LEN];
    ngx_fastcgi_mux_conn_t  *conn;
    ngx_fastcgi_mux_conf_t  *conf;

    conn = s->conn;

    if (!s->windowed || conn == NULL || s->aborted) {
        return;
    }

    s->consumed += n;
    s->taken += n;
    more = 0;

    if (s->hungry
        && s->in.bytes == 0
        && s->taken / NGX_FASTCGI_MUX_KEEPS_UP >= s->window
        && !s->detached)
    {
        s->hungry = 0;
        s->taken = 0;
        conf = conn->server->conf;
        more = ngx_min(s->window, conf->window - s->window);

        if (conn->granted + more > conf->buffer) {
            more = 0;
        }
    }

    if (more == 0 && s->consumed < s->window / 2) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "fastcgi multiplex stream %ui: credit %uz, window %uz",
                   s->id, s->consumed + more, s->window + more);

    s->window += more;
    conn->granted += more;
    more += s->consumed;
    s->consumed = 0;
    s->credit += more;

    afcgi_credit_put(credit, s->id, more);
    (void) ngx_fastcgi_mux_send(conn, credit, sizeof(credit));
}


ngx_int_t
ngx_fastcgi_mux_window_credit(ngx_fastcgi_mux_stream_t *s, uint32_t n)
{
    if (!s->windowed || n > AFCGI_WINDOW_MAX - s->send_window) {
        return NGX_ERROR;
    }

    s->send_window += n;

    ngx_fastcgi_mux_stream_writable(s);

    return NGX_OK;
}
