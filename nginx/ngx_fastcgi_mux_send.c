
/*
 * Records of a request: from nginx's FastCGI module to a connection's queue.
 *
 * nginx writes the records of one request as if it had a connection for
 * itself, with id 1, and hands them over cut anywhere.  Here they are taken
 * apart byte by byte and made anew: BEGIN_REQUEST and PARAMS go out whole, and
 * STDIN in records of the bytes that are at hand, so that what others queue
 * never comes inside one of them, and no length is ever a promise.
 */


#include "ngx_fastcgi_mux.h"


static ngx_int_t ngx_fastcgi_mux_send_record(ngx_fastcgi_mux_stream_t *s);
static ngx_int_t ngx_fastcgi_mux_send_collect(ngx_fastcgi_mux_stream_t *s);
static ngx_int_t ngx_fastcgi_mux_send_begin(ngx_fastcgi_mux_stream_t *s);
static ssize_t ngx_fastcgi_mux_send_input(ngx_fastcgi_mux_stream_t *s,
    u_char *p, size_t n);
static ngx_uint_t ngx_fastcgi_mux_send_wait(ngx_fastcgi_mux_stream_t *s);


/*
 * Takes a part of nginx's records: a header or a piece of it, or content, or
 * padding, whichever comes next.
 */

ssize_t
ngx_fastcgi_mux_send_part(ngx_fastcgi_mux_stream_t *s, u_char *p, size_t n)
{
    if (s->conn == NULL) {

        if (s->complete && !s->peer->windowed) {
            /* nginx would go on waiting to send it */
            return n;
        }

        /*
         * The server has answered without it, or never will.  When nginx has
         * the header it must not send the request again, and its reading will
         * tell the error.
         */

        return (s->failed && !s->peer->request->upstream->header_sent)
               ? NGX_ERROR : 0;
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
            && !s->begun
            && ngx_fastcgi_mux_send_begin(s) != NGX_OK)
        {
            return NGX_ERROR;
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

static ngx_int_t
ngx_fastcgi_mux_send_begin(ngx_fastcgi_mux_stream_t *s)
{
    u_char                  *p, credit[FCGI_HEADER_LEN + AFCGI_CREDIT_LEN];
    size_t                   size;
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (conn->windowed && ngx_fastcgi_mux_duplex(s) != NGX_OK) {
        return NGX_ERROR;
    }

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

    return NGX_OK;
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


/* must this stream wait for its turn? */

static ngx_uint_t
ngx_fastcgi_mux_send_wait(ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_conn_t  *conn;

    conn = s->conn;

    if (s->round != conn->round) {
        /* it had nothing to write then, and others have been given the room */
        s->turn = 0;
    }

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
