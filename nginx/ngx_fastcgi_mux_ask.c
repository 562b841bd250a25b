
/*
 * Does the server multiplex, and with flow control?  FCGI_GET_VALUES, and what
 * becomes of the answer.
 */


#include "ngx_fastcgi_mux.h"


static size_t ngx_fastcgi_mux_ask_number(u_char *p, size_t n);


ngx_int_t
ngx_fastcgi_mux_ask(ngx_fastcgi_mux_conn_t *conn)
{
    u_char  *p, buf[64];

    p = buf + FCGI_HEADER_LEN;

    p += fcgi_length_put(p, sizeof("FCGI_MPXS_CONNS") - 1);
    p += fcgi_length_put(p, 0);
    p = ngx_cpymem(p, "FCGI_MPXS_CONNS", sizeof("FCGI_MPXS_CONNS") - 1);

    p += fcgi_length_put(p, sizeof(AFCGI_WINDOW) - 1);
    p += fcgi_length_put(p, 0);
    p = ngx_cpymem(p, AFCGI_WINDOW, sizeof(AFCGI_WINDOW) - 1);

    fcgi_header_put(buf, FCGI_GET_VALUES, FCGI_NULL_ID,
                    p - buf - FCGI_HEADER_LEN);

    return ngx_fastcgi_mux_send(conn, buf, p - buf);
}


void
ngx_fastcgi_mux_ask_answered(ngx_fastcgi_mux_conn_t *conn,
    ngx_uint_t multiplexes, size_t window)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_server_t  *server;
    ngx_fastcgi_mux_stream_t  *s;

    server = conn->server;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "fastcgi multiplex answer from %V: %ui, window %uz",
                   &server->name, multiplexes, window);

    if (conn->connection->write->timer_set) {
        ngx_del_timer(conn->connection->write);
    }

    conn->asked = 0;
    conn->multiplexes = multiplexes;
    conn->windowed = (window != 0);
    conn->stdin_window = window;

    server->windowed = multiplexes && window;
    server->lost = 0;
    ngx_fastcgi_mux_server_set_state(server, multiplexes
                                             ? ngx_fastcgi_mux_multiplexes
                                             : ngx_fastcgi_mux_plain,
                                     &conn->log);

    if (conn->state == ngx_fastcgi_mux_open) {
        return;
    }

    conn->state = ngx_fastcgi_mux_open;

    if (!multiplexes) {
        ngx_fastcgi_mux_conn_retire(conn);
    }

    /* who cannot stay gets a connection of his own */

    q = ngx_queue_head(&conn->newcomers);

    while (q != ngx_queue_sentinel(&conn->newcomers)) {
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        q = ngx_queue_next(q);

        if (!multiplexes || (s->needs_window && !conn->windowed)) {
            ngx_fastcgi_mux_stream_unlink(s);
            ngx_fastcgi_mux_stream_rehome(s, 1);

        } else {
            ngx_fastcgi_mux_stream_writable(s);
        }
    }

    ngx_fastcgi_mux_conn_update(conn);
}


/* a decimal number of at most AFCGI_WINDOW_MAX; 0: it is none */

static size_t
ngx_fastcgi_mux_ask_number(u_char *p, size_t n)
{
    uint64_t  value;

    value = 0;

    if (n > 10) {
        return 0;
    }

    for ( /* void */ ; n; p++, n--) {

        if (*p < '0' || *p > '9') {
            return 0;
        }

        value = value * 10 + (*p - '0');
    }

    return value <= AFCGI_WINDOW_MAX ? value : 0;
}


void
ngx_fastcgi_mux_ask_values(ngx_fastcgi_mux_conn_t *conn)
{
    int         n;
    u_char     *p, *last;
    size_t      window;
    uint32_t    name_len, value_len;
    ngx_uint_t  multiplexes;

    p = conn->body;
    last = p + conn->body_len;
    multiplexes = 0;
    window = 0;

    for ( ;; ) {
        n = fcgi_length_get(p, last - p, &name_len);
        if (n == 0) {
            break;
        }

        p += n;

        n = fcgi_length_get(p, last - p, &value_len);
        if (n == 0) {
            break;
        }

        p += n;

        if (name_len > (size_t) (last - p)
            || value_len > (size_t) (last - p) - name_len)
        {
            break;
        }

        if (name_len == sizeof("FCGI_MPXS_CONNS") - 1
            && ngx_strncmp(p, "FCGI_MPXS_CONNS", name_len) == 0)
        {
            multiplexes = (value_len == 1 && p[name_len] == '1');
        }

        if (name_len == sizeof(AFCGI_WINDOW) - 1
            && ngx_strncmp(p, AFCGI_WINDOW, name_len) == 0)
        {
            window = ngx_fastcgi_mux_ask_number(p + name_len, value_len);
        }

        p += name_len + value_len;
    }

    ngx_fastcgi_mux_ask_answered(conn, multiplexes, window);
}
