
/*
 * A connection to a server.
 *
 *     connecting --> waiting --> open --> freed
 *
 * waiting: FCGI_GET_VALUES has been sent alone, and streams wait for the
 * answer.  A connection is shared (listed with its server, for new streams),
 * or alone: for one stream, on which it then acts as nginx's own connections
 * do.  One that is alone and asks, and whose server multiplexes, is shared
 * from the end of its stream on.
 *
 * It fails as a whole: what is not done on it is failed, and it is freed.  A
 * caller of anything here that may fail it must not use it afterwards.
 */


#include "ngx_fastcgi_mux.h"


static void ngx_fastcgi_mux_conn_list(ngx_fastcgi_mux_conn_t *conn);
static void ngx_fastcgi_mux_conn_free(ngx_fastcgi_mux_conn_t *conn);


static ngx_queue_t  ngx_fastcgi_mux_conns;


void
ngx_fastcgi_mux_conn_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_fastcgi_mux_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {

        /* nginx shuts down, and may have waited for long enough */

        if (c->error) {
            ngx_fastcgi_mux_conn_fail(conn, "shutdown timed out");
            return;
        }

        c->close = 0;
        ngx_fastcgi_mux_conn_retire(conn);
        ngx_fastcgi_mux_conn_update(conn);
        return;
    }

    if (ev->timedout) {
        ev->timedout = 0;

        if (ev->write) {

            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "no answer to FCGI_GET_VALUES in %M ms",
                          conn->patience);
            ngx_fastcgi_mux_ask_answered(conn, 0, 0);

        } else if (conn->nlive == 0) {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                           "fastcgi multiplex connection idle");
            ngx_fastcgi_mux_conn_fail(conn, NULL);
        }

        return;
    }

    if (conn->state == ngx_fastcgi_mux_connecting) {

        if (ngx_fastcgi_mux_connect_done(conn) != NGX_OK) {
            ngx_fastcgi_mux_conn_fail(conn, "connect() failed");
            return;
        }

        ngx_fastcgi_mux_connect_begin(conn);
    }

    if (ev->write) {
        ngx_fastcgi_mux_write(conn);

    } else {
        ngx_fastcgi_mux_read(conn);
    }
}


void
ngx_fastcgi_mux_conn_add(ngx_fastcgi_mux_conn_t *conn)
{
    if (ngx_fastcgi_mux_conns.next == NULL) {
        ngx_queue_init(&ngx_fastcgi_mux_conns);
    }

    ngx_queue_insert_tail(&ngx_fastcgi_mux_conns, &conn->all);
    conn->server->refs++;

    if (!conn->alone) {
        ngx_fastcgi_mux_conn_list(conn);
    }
}


static void
ngx_fastcgi_mux_conn_list(ngx_fastcgi_mux_conn_t *conn)
{
    conn->alone = 0;
    conn->listed = 1;
    conn->server->nshared++;
    ngx_queue_insert_tail(&conn->server->shared, &conn->queue);

    if (conn->held) {
        conn->held = 0;
        ngx_post_event(conn->connection->read, &ngx_posted_events);
    }
}


void
ngx_fastcgi_mux_conn_retire(ngx_fastcgi_mux_conn_t *conn)
{
    if (conn->listed) {
        conn->listed = 0;
        conn->server->nshared--;
        ngx_queue_remove(&conn->queue);
    }

    conn->draining = 1;
}


/*
 * To be called when the number of its streams has changed, and last of all by
 * who changed it: an idle connection waits for the next stream, or is closed.
 */

void
ngx_fastcgi_mux_conn_update(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_connection_t          *c;
    ngx_fastcgi_mux_server_t  *server;

    c = conn->connection;
    server = conn->server;

    if (conn->nlive) {
        c->idle = 0;

        if (c->read->timer_set) {
            ngx_del_timer(c->read);
        }

        return;
    }

    if (conn->alone && conn->state == ngx_fastcgi_mux_open) {

        if (conn->asked && conn->served) {

            /* the request is over, the question still unanswered */

            conn->asked = 0;
            ngx_fastcgi_mux_server_set_state(server, ngx_fastcgi_mux_plain,
                                             &conn->log);
        }

        if (conn->multiplexes && !conn->draining
            && server->state == ngx_fastcgi_mux_multiplexes
            && server->nshared < server->conf->connections)
        {
            ngx_fastcgi_mux_conn_list(conn);
        }
    }

    if (!conn->listed || ngx_exiting || ngx_terminate) {

        if (conn->asked && conn->alone) {
            /* its only request has gone before the answer */
            conn->asked = 0;
            ngx_fastcgi_mux_server_set_state(server, ngx_fastcgi_mux_unknown,
                                             &conn->log);
        }

        if (conn->out.bytes && !c->error) {
            /* an FCGI_ABORT_REQUEST, or the end of a STDIN, has to leave */
            ngx_fastcgi_mux_flush(conn);
            ngx_add_timer(c->read, NGX_FASTCGI_MUX_ASK_TIMEOUT);
            return;
        }

        ngx_fastcgi_mux_conn_fail(conn, NULL);
        return;
    }

    c->idle = 1;
    ngx_add_timer(c->read, server->conf->timeout);
}


void
ngx_fastcgi_mux_conn_fail(ngx_fastcgi_mux_conn_t *conn, const char *why)
{
    ngx_uint_t                 again, alone, level;
    ngx_queue_t               *q, newcomers;
    ngx_rbtree_node_t         *node;
    ngx_fastcgi_mux_server_t  *server;
    ngx_fastcgi_mux_stream_t  *s;

    if (conn->dead) {
        return;
    }

    if (why) {
        level = conn->nlive ? NGX_LOG_ERR : NGX_LOG_INFO;
        ngx_log_error(level, &conn->log, 0, "%s with %ui requests", why,
                      conn->nlive);
    }

    server = conn->server;

    /* who has sent nothing may still do so elsewhere */

    again = (why
             && !conn->alone
             && conn->state != ngx_fastcgi_mux_connecting
             && !conn->connection->error);

    ngx_fastcgi_mux_conn_retire(conn);
    conn->dead = 1;

    if (conn->asked) {

        if (conn->state != ngx_fastcgi_mux_connecting) {

            if (why) {
                ngx_fastcgi_mux_server_lost(server, conn->alone, &conn->log);
            }

        } else if (conn->alone) {
            ngx_fastcgi_mux_server_set_state(server, ngx_fastcgi_mux_unknown,
                                             &conn->log);
        }
    }

    ngx_queue_init(&newcomers);

    while (!ngx_queue_empty(&conn->newcomers)) {
        q = ngx_queue_head(&conn->newcomers);
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        ngx_fastcgi_mux_stream_unlink(s);

        if (again && ngx_fastcgi_mux_stream_movable(s)) {
            ngx_queue_insert_tail(&newcomers, &s->newcomers);

        } else {
            s->died = 1;
            ngx_fastcgi_mux_stream_fail(s);
        }
    }

    while (conn->streams.root != &conn->sentinel) {
        node = ngx_rbtree_min(conn->streams.root, &conn->sentinel);
        s = ngx_queue_data(node, ngx_fastcgi_mux_stream_t, node);
        ngx_fastcgi_mux_stream_unlink(s);

        if (s->detached) {
            ngx_fastcgi_mux_stream_free(s);

        } else if (conn->alone && s->stdout_closed && !s->failed
                   && ngx_fastcgi_mux_stream_complete(s, 0) == NGX_OK)
        {
            /* it had said all but FCGI_END_REQUEST; to nginx this will do */
            ngx_fastcgi_mux_stream_readable(s);
            ngx_fastcgi_mux_stream_writable(s);

        } else {
            s->died = 1;
            ngx_fastcgi_mux_stream_fail(s);
        }
    }

    alone = !conn->multiplexes;

    ngx_fastcgi_mux_conn_free(conn);

    while (!ngx_queue_empty(&newcomers)) {
        q = ngx_queue_head(&newcomers);
        ngx_queue_remove(q);
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        ngx_fastcgi_mux_stream_rehome(s, alone);
    }
}


void
ngx_fastcgi_mux_conn_move(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_queue_t               *q;
    ngx_fastcgi_mux_stream_t  *s;

    q = ngx_queue_head(&conn->newcomers);

    while (q != ngx_queue_sentinel(&conn->newcomers)) {
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, newcomers);
        q = ngx_queue_next(q);

        if (ngx_fastcgi_mux_stream_movable(s)) {
            ngx_fastcgi_mux_stream_unlink(s);
            ngx_fastcgi_mux_stream_rehome(s, 0);
        }
    }
}


static void
ngx_fastcgi_mux_conn_free(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "fastcgi multiplex connection closed");

    ngx_queue_remove(&conn->all);
    ngx_fastcgi_mux_queue_drop(&conn->out, conn->out.bytes);

    if (conn->body) {
        ngx_free(conn->body);
    }

    ngx_close_connection(conn->connection);
    conn->server->refs--;

    if (conn->reading) {
        /* ngx_fastcgi_mux_read() will see that it is dead */
        return;
    }

    ngx_free(conn);
}


ngx_fastcgi_mux_stream_t *
ngx_fastcgi_mux_conn_stream(ngx_fastcgi_mux_conn_t *conn, ngx_uint_t id)
{
    ngx_rbtree_node_t  *node;

    node = conn->streams.root;

    while (node != &conn->sentinel) {

        if (id == node->key) {
            return ngx_queue_data(node, ngx_fastcgi_mux_stream_t, node);
        }

        node = (id < node->key) ? node->left : node->right;
    }

    return NULL;
}


void
ngx_fastcgi_mux_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t             *q;
    ngx_fastcgi_mux_conn_t  *conn;

    while (ngx_fastcgi_mux_conns.next
           && !ngx_queue_empty(&ngx_fastcgi_mux_conns))
    {
        q = ngx_queue_head(&ngx_fastcgi_mux_conns);
        conn = ngx_queue_data(q, ngx_fastcgi_mux_conn_t, all);
        ngx_fastcgi_mux_conn_fail(conn, NULL);
    }

    ngx_fastcgi_mux_stream_free_all();
    ngx_fastcgi_mux_server_free_all();
    ngx_fastcgi_mux_queue_free_chunks();
}
