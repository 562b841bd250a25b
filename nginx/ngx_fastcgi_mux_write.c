
/*
 * A connection's queue, and the socket that it goes to.  Who finds the queue
 * full stands in line; as it empties, those are woken first who came first.
 */


#include "ngx_fastcgi_mux.h"


/* bytes in a connection's queue that are too many, whatever they are */
#define NGX_FASTCGI_MUX_MOST    (4 * NGX_FASTCGI_MUX_HIGH)

/* chunks that are written at once */
#define NGX_FASTCGI_MUX_CHUNKS  64


static ngx_int_t ngx_fastcgi_mux_write_chunks(ngx_fastcgi_mux_conn_t *conn);
static void ngx_fastcgi_mux_write_failed(ngx_fastcgi_mux_conn_t *conn);
static void ngx_fastcgi_mux_wake(ngx_fastcgi_mux_conn_t *conn);


void
ngx_fastcgi_mux_flush(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_event_t  *wev;

    wev = conn->connection->write;

    if (wev->ready && conn->state != ngx_fastcgi_mux_connecting) {
        ngx_post_event(wev, &ngx_posted_events);
    }
}


ngx_int_t
ngx_fastcgi_mux_send(ngx_fastcgi_mux_conn_t *conn, const u_char *p, size_t n)
{
    if (conn->broken) {
        return NGX_ERROR;
    }

    if (conn->out.bytes > NGX_FASTCGI_MUX_MOST
        || ngx_fastcgi_mux_queue_add(&conn->out, p, n) != NGX_OK)
    {
        /* a part of a record may be there: nothing can follow it */

        conn->broken = 1;
        ngx_post_event(conn->connection->write, &ngx_posted_events);
        return NGX_ERROR;
    }

    ngx_fastcgi_mux_flush(conn);

    return NGX_OK;
}


void
ngx_fastcgi_mux_write(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    if (conn->broken) {
        ngx_fastcgi_mux_conn_fail(conn, conn->out.bytes > NGX_FASTCGI_MUX_MOST
                                        ? "not read by the server"
                                        : "no memory");
        return;
    }

    while (conn->out.first && c->write->ready) {

        if (ngx_fastcgi_mux_write_chunks(conn) != NGX_OK) {
            ngx_fastcgi_mux_write_failed(conn);
            return;
        }
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_fastcgi_mux_conn_fail(conn, "no event");
        return;
    }

    if (conn->out.bytes <= NGX_FASTCGI_MUX_LOW) {
        ngx_fastcgi_mux_wake(conn);

        if (!ngx_queue_empty(&conn->writers)) {
            /* who was woken may have nothing to write any more */
            ngx_post_event(c->write, &ngx_posted_next_events);
        }
    }

    if (conn->out.bytes == 0 && conn->nlive == 0 && !conn->listed) {
        ngx_fastcgi_mux_conn_update(conn);
    }
}


static ngx_int_t
ngx_fastcgi_mux_write_chunks(ngx_fastcgi_mux_conn_t *conn)
{
    off_t                     sent;
    ngx_buf_t                 bufs[NGX_FASTCGI_MUX_CHUNKS];
    ngx_uint_t                n;
    ngx_chain_t               chain[NGX_FASTCGI_MUX_CHUNKS];
    ngx_connection_t         *c;
    ngx_fastcgi_mux_chunk_t  *chunk;

    c = conn->connection;
    chunk = conn->out.first;

    for (n = 0; chunk && n < NGX_FASTCGI_MUX_CHUNKS; n++) {
        ngx_memzero(&bufs[n], sizeof(ngx_buf_t));

        bufs[n].pos = chunk->data + chunk->pos;
        bufs[n].last = chunk->data + chunk->last;
        bufs[n].memory = 1;

        chain[n].buf = &bufs[n];
        chain[n].next = &chain[n + 1];

        chunk = chunk->next;
    }

    chain[n - 1].next = NULL;

    sent = c->sent;

    if (c->send_chain(c, chain, 0) == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    ngx_fastcgi_mux_queue_drop(&conn->out, c->sent - sent);

    return NGX_OK;
}


/*
 * The server does not read any more, but what it has written before may still
 * be there: the rest of responses, or the reason.
 */

static void
ngx_fastcgi_mux_write_failed(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    ngx_fastcgi_mux_queue_drop(&conn->out, conn->out.bytes);
    ngx_fastcgi_mux_conn_retire(conn);

    c->write->ready = 0;
    c->write->error = 1;
    c->read->ready = 1;
    ngx_post_event(c->read, &ngx_posted_events);

    ngx_fastcgi_mux_conn_move(conn);
    ngx_fastcgi_mux_conn_update(conn);
}


/* lets as many writers go on as there is room for, the first ones first */

static void
ngx_fastcgi_mux_wake(ngx_fastcgi_mux_conn_t *conn)
{
    size_t                     room;
    ngx_queue_t               *q;
    ngx_fastcgi_mux_stream_t  *s;

    room = NGX_FASTCGI_MUX_HIGH - conn->out.bytes;
    conn->round++;

    while (room >= NGX_FASTCGI_MUX_RECORD && !ngx_queue_empty(&conn->writers))
    {
        q = ngx_queue_head(&conn->writers);
        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, writers);

        ngx_fastcgi_mux_stream_unwait(s);
        s->turn = NGX_FASTCGI_MUX_RECORD;
        s->round = conn->round;
        room -= NGX_FASTCGI_MUX_RECORD;

        ngx_fastcgi_mux_stream_writable(s);
    }
}
