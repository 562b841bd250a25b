
/*
 * Both directions at once.  nginx as it is for FastCGI stops sending a request
 * when it has the header of the response: what is blocked then is never sent,
 * and a server that answers while it reads waits for ever.  For gRPC it does go
 * on, if the configuration of the upstream says "preserve_output".  Where each
 * direction has a window that is safe here too, so such a request gets a copy
 * of its configuration that says so.
 *
 * A server that has answered need not read on: fastcgi_send_timeout counts no
 * more then.  So a client that leaves must be seen by other means, for while a
 * body is blocked nginx does not read it, and finds no end of it.
 */


#include "ngx_fastcgi_mux.h"


static ngx_uint_t ngx_fastcgi_mux_duplex_gone(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_duplex_handler(ngx_event_t *ev);
static void ngx_fastcgi_mux_duplex_reader(ngx_http_request_t *r);


ngx_int_t
ngx_fastcgi_mux_duplex(ngx_fastcgi_mux_stream_t *s)
{
    ngx_http_request_t           *r;
    ngx_http_upstream_t          *u;
    ngx_http_upstream_conf_t     *conf;
    ngx_fastcgi_mux_peer_data_t  *mp;

    mp = s->peer;
    r = mp->request;
    u = r->upstream;

    if (!ngx_fastcgi_mux_has_body(r)) {
        return NGX_OK;
    }

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *u->conf;
    conf->preserve_output = 1;

    mp->original_conf = u->conf;
    u->conf = conf;

    mp->original_handler = s->write.handler;
    s->write.handler = ngx_fastcgi_mux_duplex_handler;

    if (r->request_body_no_buffering) {
        mp->original_reader = r->read_event_handler;
        r->read_event_handler = ngx_fastcgi_mux_duplex_reader;
    }

    return NGX_OK;
}


/* the next server may be one without windows */

void
ngx_fastcgi_mux_simplex(ngx_fastcgi_mux_peer_data_t *mp)
{
    if (mp->original_conf) {
        mp->request->upstream->conf = mp->original_conf;
        mp->original_conf = NULL;
    }
}


/* its client, while the server takes no more of the request */

static ngx_uint_t
ngx_fastcgi_mux_duplex_gone(ngx_fastcgi_mux_stream_t *s)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = s->peer->request;
    rev = r->connection->read;

#if (NGX_HTTP_V2)

    if (r->stream) {
        /* nginx finds out by itself */
        return 0;
    }

#endif

    return !s->write.ready
           && !s->failed && !s->complete
           && r->request_body_no_buffering
           && r->reading_body
           && (rev->pending_eof || rev->eof || rev->error)
           && !r->upstream->conf->ignore_client_abort;
}


/* the event that says so may have come before */

void
ngx_fastcgi_mux_duplex_blocked(ngx_fastcgi_mux_stream_t *s)
{
    if (s->peer->original_reader && ngx_fastcgi_mux_duplex_gone(s)) {
        ngx_post_event(s->peer->request->connection->read,
                       &ngx_posted_events);
    }
}


static void
ngx_fastcgi_mux_duplex_handler(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_fastcgi_mux_stream_t     *s;
    ngx_fastcgi_mux_peer_data_t  *mp;

    c = ev->data;
    s = (ngx_fastcgi_mux_stream_t *) c;
    mp = s->peer;
    r = mp->request;

    if (ev->timedout && r->upstream->header_sent) {

        if (!ngx_fastcgi_mux_duplex_gone(s)) {
            ev->timedout = 0;
            ngx_add_timer(ev, r->upstream->conf->send_timeout);
            return;
        }

        r->connection->error = 1;
        s->gone = 1;
    }

    mp->original_handler(ev);
}


/* an event of the client's connection, while nginx reads the body from it */

static void
ngx_fastcgi_mux_duplex_reader(ngx_http_request_t *r)
{
    ngx_connection_t             *c;
    ngx_fastcgi_mux_stream_t     *s;
    ngx_fastcgi_mux_peer_data_t  *mp;

    c = r->connection;
    mp = ngx_fastcgi_mux_peer_find(r);

    if (mp == NULL || mp->original_reader == NULL) {
        return;
    }

    s = mp->stream;

    if (s && ngx_fastcgi_mux_duplex_gone(s)) {

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client prematurely closed connection "
                      "while its request was sent to upstream");

        /*
         * nginx ends the request when it reads the stream or, if it does not
         * read now, when it writes to the client.
         */

        c->error = 1;

        if (r->upstream->header_sent && r->upstream->buffering) {
            r->upstream->pipe->downstream_error = 1;
        }

        s->told = 1;
        s->gone = 1;
        ngx_fastcgi_mux_stream_drop(s);
        ngx_fastcgi_mux_stream_fail(s);
        ngx_post_event(c->write, &ngx_posted_events);
        return;
    }

#if (NGX_HTTP_V2)

    if (r->stream && c->read->timedout && s && !s->write.ready
        && r->request_body->busy)
    {
        /* it is not the client that is slow; HTTP/1 has no timer then */
        c->read->timedout = 0;
        return;
    }

#endif

    mp->original_reader(r);
}
