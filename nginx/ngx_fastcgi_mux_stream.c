
/*
 * A stream: one request on a connection.  To nginx's upstream code it is a
 * connection of its own, with events that the kernel does not know.
 *
 * Rules for these events: "active" is always the opposite of "ready", so that
 * nginx never gives them to its event method, whichever that is; handlers of
 * nginx are never called from here, their events are posted; the descriptor
 * is a socket that nobody uses, so that asking it for an error is harmless.
 *
 * Its conn knows a stream as a newcomer until its first record is queued, and
 * by its id from then on until END_REQUEST.  When its request leaves before,
 * the stream stays, detached, to see that END_REQUEST.
 */


#include "ngx_fastcgi_mux.h"


static ngx_socket_t ngx_fastcgi_mux_stream_socket(ngx_log_t *log);


static ngx_socket_t  ngx_fastcgi_mux_socket = (ngx_socket_t) -1;


ngx_fastcgi_mux_stream_t *
ngx_fastcgi_mux_stream_create(ngx_fastcgi_mux_conn_t *conn,
    ngx_fastcgi_mux_peer_data_t *mp)
{
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_socket_t               fd;
    ngx_connection_t          *c;
    ngx_fastcgi_mux_stream_t  *s;

    log = mp->request->connection->log;

    fd = ngx_fastcgi_mux_stream_socket(log);
    if (fd == (ngx_socket_t) -1) {
        return NULL;
    }

    pool = ngx_create_pool(sizeof(ngx_fastcgi_mux_stream_t)
                           + sizeof(ngx_pool_t) + 256, log);
    if (pool == NULL) {
        return NULL;
    }

    s = ngx_pcalloc(pool, sizeof(ngx_fastcgi_mux_stream_t));
    if (s == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    s->pool = pool;
    s->peer = mp;
    s->server = conn->server;
    s->server->refs++;
    s->needs_window = ngx_fastcgi_mux_window_needed(mp->request);

    c = &s->connection;

    c->read = &s->read;
    c->write = &s->write;
    c->fd = fd;
    c->shared = 1;
    c->pool = pool;
    c->log = log;
    c->type = SOCK_STREAM;
    c->log_error = NGX_ERROR_ERR;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->sndlowat = 1;
    c->number = conn->connection->number;
    c->start_time = ngx_current_msec;

    c->recv = ngx_fastcgi_mux_stream_recv;
    c->send = ngx_fastcgi_mux_stream_send;
    c->recv_chain = ngx_fastcgi_mux_stream_recv_chain;
    c->send_chain = ngx_fastcgi_mux_stream_send_chain;

    s->read.data = c;
    s->read.log = log;
    s->read.index = NGX_INVALID_INDEX;
    s->read.available = -1;
    ngx_fastcgi_mux_set_ready(&s->read, 0);

    s->write.data = c;
    s->write.log = log;
    s->write.index = NGX_INVALID_INDEX;
    s->write.write = 1;
    ngx_fastcgi_mux_set_ready(&s->write, conn->state == ngx_fastcgi_mux_open);

    ngx_fastcgi_mux_stream_attach(s, conn);

    return s;
}


/* one descriptor does for all streams of a worker */

static ngx_socket_t
ngx_fastcgi_mux_stream_socket(ngx_log_t *log)
{
    if (ngx_fastcgi_mux_socket == (ngx_socket_t) -1) {
        ngx_fastcgi_mux_socket = ngx_socket(AF_UNIX, SOCK_STREAM, 0);

        if (ngx_fastcgi_mux_socket == (ngx_socket_t) -1) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                          ngx_socket_n " failed");
        }
    }

    return ngx_fastcgi_mux_socket;
}


void
ngx_fastcgi_mux_stream_attach(ngx_fastcgi_mux_stream_t *s,
    ngx_fastcgi_mux_conn_t *conn)
{
    s->conn = conn;
    s->serial = conn->connection->number;
    s->newcomer = 1;
    ngx_queue_insert_tail(&conn->newcomers, &s->newcomers);

    conn->nlive++;
    conn->requests++;

    s->peer->connection = s->serial;
    s->peer->streams = conn->nlive;

    if (conn->requests >= s->server->conf->requests) {
        ngx_fastcgi_mux_conn_retire(conn);
    }

    ngx_fastcgi_mux_conn_update(conn);
}


/* it has sent nothing yet, and begins on another connection */

void
ngx_fastcgi_mux_stream_rehome(ngx_fastcgi_mux_stream_t *s, ngx_uint_t alone)
{
    ngx_int_t                rc;
    ngx_fastcgi_mux_conn_t  *conn;

    conn = alone ? NULL
                 : ngx_fastcgi_mux_server_conn(s->server, s->needs_window);

    if (conn == NULL) {
        rc = ngx_fastcgi_mux_connect(s->server, alone, !alone,
                                     s->peer->request, s->connection.log,
                                     &conn);

        if (rc != NGX_OK && rc != NGX_AGAIN) {
            s->died = 1;
            ngx_fastcgi_mux_stream_fail(s);
            return;
        }
    }

    ngx_fastcgi_mux_stream_attach(s, conn);

    if (conn->state == ngx_fastcgi_mux_open) {
        ngx_fastcgi_mux_stream_writable(s);
    }
}


ngx_uint_t
ngx_fastcgi_mux_stream_movable(ngx_fastcgi_mux_stream_t *s)
{
    return !s->begun && s->begin == NULL && s->head_len == 0;
}


/* its first records are about to be queued */

void
ngx_fastcgi_mux_stream_begun(ngx_fastcgi_mux_stream_t *s)
{
    s->begun = 1;
    s->newcomer = 0;
    ngx_queue_remove(&s->newcomers);

    s->node.key = s->id;
    ngx_rbtree_insert(&s->conn->streams, &s->node);
}


void
ngx_fastcgi_mux_stream_unlink(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (s->windowed) {
        ngx_fastcgi_mux_window_close(s);
    }

    if (s->newcomer) {
        s->newcomer = 0;
        ngx_queue_remove(&s->newcomers);
    }

    ngx_fastcgi_mux_stream_unwait(s);

    s->turn = 0;

    if (s->begun) {
        ngx_rbtree_delete(&conn->streams, &s->node);
    }

    if (conn->current == s) {
        conn->current = NULL;
    }

    if (!s->aborted) {
        conn->nlive--;
    }

    if (!ngx_queue_empty(&conn->writers)) {
        /* it may have been its turn */
        ngx_fastcgi_mux_flush(conn);
    }

    conn->buffered -= s->in.bytes;
    s->conn = NULL;
}


void
ngx_fastcgi_mux_stream_unwait(ngx_fastcgi_mux_stream_t *s)
{
    if (s->waiting) {
        s->waiting = 0;
        ngx_queue_remove(&s->writers);
    }
}


static void
ngx_fastcgi_mux_stream_post(ngx_fastcgi_mux_stream_t *s, ngx_event_t *ev)
{
    if (s->detached) {
        return;
    }

    ngx_fastcgi_mux_set_ready(ev, 1);

    if (ev->handler) {
        ngx_post_event(ev, &ngx_posted_events);
    }
}


void
ngx_fastcgi_mux_stream_readable(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_stream_post(s, &s->read);
}


void
ngx_fastcgi_mux_stream_writable(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_stream_post(s, &s->write);
}


void
ngx_fastcgi_mux_stream_fail(ngx_fastcgi_mux_stream_t *s)
{
    s->failed = 1;

    ngx_fastcgi_mux_stream_readable(s);
    ngx_fastcgi_mux_stream_writable(s);
}


ngx_int_t
ngx_fastcgi_mux_stream_close_stdin(ngx_fastcgi_mux_stream_t *s)
{
    u_char  head[FCGI_HEADER_LEN];

    s->stdin_closed = 1;

    if (s->peer) {
        /* there is nothing more to send, and nginx may free the body */
        ngx_fastcgi_mux_simplex(s->peer);
    }

    fcgi_header_put(head, FCGI_STDIN, s->id, 0);

    return ngx_fastcgi_mux_send(s->conn, head, FCGI_HEADER_LEN);
}


void
ngx_fastcgi_mux_stream_abort(ngx_fastcgi_mux_stream_t *s)
{
    u_char                   head[FCGI_HEADER_LEN];
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (s->aborted) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "fastcgi multiplex stream %ui aborted", s->id);

    s->aborted = 1;
    conn->nlive--;

    ngx_fastcgi_mux_stream_unwait(s);

    fcgi_header_put(head, FCGI_ABORT_REQUEST, s->id, 0);
    (void) ngx_fastcgi_mux_send(conn, head, FCGI_HEADER_LEN);
}


ngx_int_t
ngx_fastcgi_mux_stream_complete(ngx_fastcgi_mux_stream_t *s,
    uint32_t app_status)
{
    u_char     end[2 * FCGI_HEADER_LEN + FCGI_END_LEN];
    size_t     before;
    ngx_int_t  rc;

    fcgi_header_put(end, FCGI_STDOUT, 1, 0);
    fcgi_end_put(end + FCGI_HEADER_LEN, 1, app_status, FCGI_REQUEST_COMPLETE);

    before = s->in.bytes;
    rc = ngx_fastcgi_mux_queue_add(&s->in, end, sizeof(end));

    if (s->conn) {
        s->conn->buffered += s->in.bytes - before;
    }

    s->complete = (rc == NGX_OK);

    return rc;
}


void
ngx_fastcgi_mux_stream_end(ngx_fastcgi_mux_stream_t *s, u_char *body)
{
    u_char                   status;
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;
    status = body[4];

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "fastcgi multiplex stream %ui ended, status %d",
                   s->id, (int) status);

    conn->served = 1;

    if (!s->stdin_closed && !s->aborted) {
        /* some servers keep the id until then */
        (void) ngx_fastcgi_mux_stream_close_stdin(s);
    }

    if (status == FCGI_REQUEST_COMPLETE && !s->detached && !s->failed) {
        (void) ngx_fastcgi_mux_stream_complete(s, fcgi_get32(body));
    }

    if (status == FCGI_CANT_MPX_CONN) {
        ngx_fastcgi_mux_conn_retire(conn);
        ngx_fastcgi_mux_server_set_state(s->server, ngx_fastcgi_mux_plain,
                                         &conn->log);
    }

    s->drained = conn->draining;
    s->refused = (status == FCGI_OVERLOADED || status == FCGI_CANT_MPX_CONN);

    ngx_fastcgi_mux_stream_unlink(s);

    if (s->detached) {
        ngx_fastcgi_mux_stream_free(s);

    } else if (s->complete) {

        /* and let nginx send what it still has, to nobody */

        ngx_fastcgi_mux_stream_readable(s);
        ngx_fastcgi_mux_stream_writable(s);

    } else {
        s->cut = (status == AFCGI_CUT);
        ngx_fastcgi_mux_stream_fail(s);
    }

    ngx_fastcgi_mux_conn_update(conn);
}
