
/*
 * Records out: from nginx's FastCGI module, by way of a connection's queue,
 * to the socket.
 *
 * nginx writes the records of one request as if it had a connection for
 * itself, with id 1, and hands them over cut anywhere.  Here they are taken
 * apart byte by byte and made anew: BEGIN_REQUEST and PARAMS go out whole, and
 * STDIN in records of the bytes that are at hand, so that what others queue
 * never comes inside one of them, and no length is ever a promise.
 *
 * Writers that find the queue full, or others that wait, stand in line.
 */


#include "ngx_fastcgi_mux.h"


static void ngx_fastcgi_mux_write_failed(ngx_fastcgi_mux_conn_t *conn);
static ngx_int_t ngx_fastcgi_mux_send_record(ngx_fastcgi_mux_stream_t *s);
static ngx_int_t ngx_fastcgi_mux_send_collect(ngx_fastcgi_mux_stream_t *s);
static void ngx_fastcgi_mux_send_begin(ngx_fastcgi_mux_stream_t *s);
static ssize_t ngx_fastcgi_mux_send_input(ngx_fastcgi_mux_stream_t *s,
    u_char *p, size_t n);
static ngx_uint_t ngx_fastcgi_mux_send_wait(ngx_fastcgi_mux_stream_t *s);
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

    if (ngx_fastcgi_mux_queue_add(&conn->out, p, n) != NGX_OK) {

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
    ssize_t                   n;
    ngx_connection_t         *c;
    ngx_fastcgi_mux_chunk_t  *chunk;

    c = conn->connection;

    if (conn->broken) {
        ngx_fastcgi_mux_conn_fail(conn, "no memory");
        return;
    }

    while (conn->out.first && c->write->ready) {
        chunk = conn->out.first;

        n = c->send(c, chunk->data + chunk->pos, chunk->last - chunk->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_fastcgi_mux_write_failed(conn);
            return;
        }

        ngx_fastcgi_mux_queue_drop(&conn->out, n);
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_fastcgi_mux_conn_fail(conn, "no event");
        return;
    }

    if (conn->out.bytes <= NGX_FASTCGI_MUX_LOW) {
        ngx_fastcgi_mux_wake(conn);
    }

    if (conn->out.bytes == 0 && conn->nlive == 0 && !conn->listed) {
        ngx_fastcgi_mux_conn_update(conn);
    }
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
}


/* lets as many writers go on as there is room for, the first ones first */

static void
ngx_fastcgi_mux_wake(ngx_fastcgi_mux_conn_t *conn)
{
    size_t                     room;
    ngx_queue_t               *q;
    ngx_fastcgi_mux_stream_t  *s;

    room = NGX_FASTCGI_MUX_HIGH - conn->out.bytes;

    while (room >= NGX_FASTCGI_MUX_RECORD && !ngx_queue_empty(&conn->writers))
    {
        q = ngx_queue_head(&conn->writers);
        ngx_queue_remove(q);

        s = ngx_queue_data(q, ngx_fastcgi_mux_stream_t, writers);
        s->waiting = 0;
        s->turn = NGX_FASTCGI_MUX_RECORD;
        room -= NGX_FASTCGI_MUX_RECORD;

        ngx_fastcgi_mux_stream_writable(s);
    }
}


/* must this stream wait for its turn? */

static ngx_uint_t
ngx_fastcgi_mux_send_wait(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (s->turn) {
        return 0;
    }

    if (!s->waiting) {

        if (ngx_queue_empty(&conn->writers)
            && conn->out.bytes < NGX_FASTCGI_MUX_HIGH)
        {
            return 0;
        }

        s->waiting = 1;
        ngx_queue_insert_tail(&conn->writers, &s->writers);
    }

    return 1;
}


/*
 * Takes a part of nginx's records: a header or a piece of it, or content, or
 * padding, whichever comes next.
 */

ssize_t
ngx_fastcgi_mux_send_part(ngx_fastcgi_mux_stream_t *s, u_char *p, size_t n)
{
    if (s->conn == NULL) {

        /* the server has answered without it, or never will */

        return s->failed ? NGX_ERROR : (ssize_t) n;
    }

    if (s->head_len < FCGI_HEADER_LEN) {

        if (s->begin == NULL && !s->begun && s->head_len == 0
            && ngx_fastcgi_mux_send_wait(s))
        {
            return 0;
        }

        n = ngx_min(n, FCGI_HEADER_LEN - s->head_len);
        ngx_memcpy(s->head + s->head_len, p, n);
        s->head_len += n;

        if (s->head_len < FCGI_HEADER_LEN) {
            return n;
        }

        s->record = fcgi_header_get(s->head);
        s->content = s->record.content;
        s->padding = s->record.padding;

        if (ngx_fastcgi_mux_send_record(s) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (s->content == 0) {
        n = ngx_min(n, s->padding);
        s->padding -= n;

    } else if (s->record.type == FCGI_STDIN) {
        n = ngx_fastcgi_mux_send_input(s, p, n);

    } else {
        n = ngx_min(n, s->content);
        s->begin->last = ngx_cpymem(s->begin->last, p, n);
        s->content -= n;
    }

    if (s->content == 0 && s->padding == 0) {
        s->head_len = 0;

        if (s->record.type == FCGI_PARAMS && s->record.content == 0
            && !s->begun)
        {
            ngx_fastcgi_mux_send_begin(s);
        }
    }

    return n;
}


/* the header of one of nginx's records is there */

static ngx_int_t
ngx_fastcgi_mux_send_record(ngx_fastcgi_mux_stream_t *s)
{
    switch (s->record.type) {

    case FCGI_BEGIN_REQUEST:

        if (s->begun || s->begin || s->content != FCGI_BEGIN_LEN) {
            break;
        }

        s->id = s->conn->next_id++;

        return ngx_fastcgi_mux_send_collect(s);

    case FCGI_PARAMS:

        if (s->begun || s->begin == NULL) {
            break;
        }

        return ngx_fastcgi_mux_send_collect(s);

    case FCGI_STDIN:

        if (!s->begun || s->stdin_closed) {
            break;
        }

        if (s->content == 0) {
            return ngx_fastcgi_mux_stream_close_stdin(s);
        }

        return NGX_OK;

    default:
        break;
    }

    ngx_log_error(NGX_LOG_ALERT, s->connection.log, 0,
                  "unexpected FastCGI record from nginx: type %d, length %d",
                  (int) s->record.type, (int) s->record.content);

    return NGX_ERROR;
}


/* room for one more record of those that go out together, and its header */

static ngx_int_t
ngx_fastcgi_mux_send_collect(ngx_fastcgi_mux_stream_t *s)
{
    size_t      size, len;
    ngx_buf_t  *b;

    b = s->begin;
    len = b ? (size_t) (b->last - b->pos) : 0;
    size = FCGI_HEADER_LEN + s->content;

    if (b == NULL) {
        /* most often PARAMS, their end, and AFCGI_CREDIT follow */
        size += 1024;
    }

    if (b == NULL || (size_t) (b->end - b->last) < size) {

        size += len + FCGI_HEADER_LEN;

        b = ngx_create_temp_buf(s->pool, size);
        if (b == NULL) {
            return NGX_ERROR;
        }

        if (s->begin) {
            b->last = ngx_cpymem(b->last, s->begin->pos, len);
            (void) ngx_pfree(s->pool, s->begin->start);
        }

        s->begin = b;
    }

    fcgi_header_put(b->last, s->record.type, s->id, s->record.content);
    b->last += FCGI_HEADER_LEN;

    return NGX_OK;
}


/* BEGIN_REQUEST and PARAMS are complete */

static void
ngx_fastcgi_mux_send_begin(ngx_fastcgi_mux_stream_t *s)
{
    u_char                  *p, credit[FCGI_HEADER_LEN + AFCGI_CREDIT_LEN];
    size_t                   size;
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;
    p = s->begin->pos;
    size = FCGI_HEADER_LEN + FCGI_BEGIN_LEN;

    if (!conn->alone || conn->asked || conn->multiplexes) {
        /* the flags follow the role */
        p[FCGI_HEADER_LEN + 2] |= FCGI_KEEP_CONN;
    }

    ngx_fastcgi_mux_stream_begun(s);

    (void) ngx_fastcgi_mux_send(conn, p, size);

    if (conn->windowed) {
        s->peer->windowed = 1;
        (void) ngx_fastcgi_mux_send(conn, credit,
                         ngx_fastcgi_mux_window_open(s, credit) - credit);
    }

    p += size;

    (void) ngx_fastcgi_mux_send(conn, p, s->begin->last - p);

    (void) ngx_pfree(s->pool, s->begin->start);
    s->begin = NULL;
}


/* a part of STDIN's content: one record of it */

static ssize_t
ngx_fastcgi_mux_send_input(ngx_fastcgi_mux_stream_t *s, u_char *p, size_t n)
{
    u_char  head[FCGI_HEADER_LEN];

    if (s->windowed && s->send_window <= FCGI_HEADER_LEN) {
        return 0;
    }

    if (ngx_fastcgi_mux_send_wait(s)) {
        return 0;
    }

    n = ngx_min(n, s->content);
    n = ngx_min(n, NGX_FASTCGI_MUX_RECORD);

    if (s->turn) {
        n = ngx_min(n, s->turn);
        s->turn -= n;
    }

    if (s->windowed) {
        n = ngx_min(n, s->send_window - FCGI_HEADER_LEN);
        s->send_window -= AFCGI_COST(n);
    }

    fcgi_header_put(head, FCGI_STDIN, s->id, n);

    if (ngx_fastcgi_mux_send(s->conn, head, FCGI_HEADER_LEN) != NGX_OK
        || ngx_fastcgi_mux_send(s->conn, p, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->content -= n;

    return n;
}
