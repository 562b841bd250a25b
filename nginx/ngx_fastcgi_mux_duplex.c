
/*
 * Both directions at once.  nginx as it is for FastCGI stops sending a request
 * when it has the header of the response: what is blocked then is never sent,
 * and a server that answers while it reads waits for ever.  For gRPC it does go
 * on, if the configuration of the upstream says "preserve_output".  Where each
 * direction has a window that is safe here too, so such a request gets a copy
 * of its configuration that says so.
 *
 * A server that has answered need not read on: fastcgi_send_timeout counts no
 * more then.
 */


#include "ngx_fastcgi_mux.h"


static void ngx_fastcgi_mux_duplex_handler(ngx_event_t *ev);


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


static void
ngx_fastcgi_mux_duplex_handler(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_fastcgi_mux_stream_t     *s;
    ngx_fastcgi_mux_peer_data_t  *mp;

    c = ev->data;
    s = (ngx_fastcgi_mux_stream_t *) c;
    mp = s->peer;

    if (ev->timedout && mp->request->upstream->header_sent) {
        ev->timedout = 0;
        return;
    }

    mp->original_handler(ev);
}
