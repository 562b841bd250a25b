
/*
 * How a connection to a server comes to be.
 */


#include "ngx_fastcgi_mux.h"


static u_char *ngx_fastcgi_mux_connect_log(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_int_t
ngx_fastcgi_mux_connect(ngx_fastcgi_mux_server_t *server, ngx_uint_t alone,
    ngx_uint_t ask, ngx_http_request_t *r, ngx_log_t *log,
    ngx_fastcgi_mux_conn_t **result)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_peer_connection_t    pc;
    ngx_fastcgi_mux_conn_t  *conn;

    conn = ngx_calloc(sizeof(ngx_fastcgi_mux_conn_t), log);
    if (conn == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = &server->sockaddr.sockaddr;
    pc.socklen = server->socklen;
    pc.name = &server->name;
    pc.get = ngx_event_get_peer;
    pc.log = log;
    pc.log_error = NGX_ERROR_ERR;
    pc.local = server->local.socklen ? &server->local : NULL;
    pc.transparent = server->transparent;
    pc.so_keepalive = server->so_keepalive;
    pc.rcvbuf = server->rcvbuf;

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_free(conn);
        return rc;
    }

    c = pc.connection;

    /* small records are not to wait for the answer to others */

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_close_connection(c);
        ngx_free(conn);
        return NGX_ERROR;
    }

    conn->connection = c;
    conn->server = server;
    conn->alone = alone;
    conn->asked = ask;
    conn->next_id = 1;

    /* to nginx all of this is connecting, and there must be time for another */

    conn->patience = ngx_min(NGX_FASTCGI_MUX_ASK_TIMEOUT,
                             r->upstream->conf->connect_timeout / 2);

    ngx_rbtree_init(&conn->streams, &conn->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&conn->newcomers);
    ngx_queue_init(&conn->writers);

    conn->log = *ngx_cycle->log;
    conn->log.connection = c->number;
    conn->log.handler = ngx_fastcgi_mux_connect_log;
    conn->log.data = conn;
    conn->log.action = NULL;

    c->data = conn;
    c->log = &conn->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_fastcgi_mux_conn_handler;
    c->write->handler = ngx_fastcgi_mux_conn_handler;
    c->read->cancelable = 1;
    c->write->cancelable = 1;

    ngx_fastcgi_mux_conn_add(conn);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                   "fastcgi multiplex connection *%uA, alone:%ui ask:%ui",
                   c->number, alone, ask);

    if (rc == NGX_OK) {
        ngx_fastcgi_mux_connect_begin(conn);
    }

    if (conn->state != ngx_fastcgi_mux_open) {
        rc = NGX_AGAIN;
    }

    *result = conn;

    return rc;
}


ngx_int_t
ngx_fastcgi_mux_connect_done(ngx_fastcgi_mux_conn_t *conn)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = conn->connection;
    err = 0;
    len = sizeof(int);

#if (NGX_HAVE_KQUEUE)
    if (ngx_event_flags & NGX_USE_KQUEUE_EVENT) {
        err = c->write->pending_eof ? c->write->kq_errno
            : c->read->pending_eof ? c->read->kq_errno : 0;
    }
#endif

    if (err == 0
        && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the socket is connected */

void
ngx_fastcgi_mux_connect_begin(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_stream_t  *s;

    conn->state = conn->alone ? ngx_fastcgi_mux_open : ngx_fastcgi_mux_waiting;

    if (conn->asked) {
        (void) ngx_fastcgi_mux_ask(conn);
    }

    if (!conn->alone) {
        ngx_add_timer(conn->connection->write, conn->patience);
        return;
    }

    for (q = ngx_queue_head(&conn->newcomers);
         q != ngx_queue_sentinel(&conn->newcomers);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        ngx_fastcgi_mux_stream_writable(s);
    }
}


static u_char *
ngx_fastcgi_mux_connect_log(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = log->data;

    return ngx_snprintf(buf, len,
                        " on shared FastCGI connection, upstream: "
                        "\"fastcgi://%V\"", &conn->server->name);
}
