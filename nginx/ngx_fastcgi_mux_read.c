
/*
 * Records in: from the socket to the streams.
 *
 * A record's content is passed on as it comes.  Empty STDOUT and STDERR are
 * not: nginx takes the end of STDOUT for the end of a good response, and only
 * FCGI_END_REQUEST tells if it is one.
 */


#include "ngx_fastcgi_mux.h"


/* bytes of one read, and of all reads before others have their turn */
#define NGX_FASTCGI_MUX_READ       (64 * 1024)
#define NGX_FASTCGI_MUX_READ_MAX   (256 * 1024)


static ngx_int_t ngx_fastcgi_mux_read_records(ngx_fastcgi_mux_conn_t *conn,
    u_char *p, u_char *last);
static ngx_int_t ngx_fastcgi_mux_read_header(ngx_fastcgi_mux_conn_t *conn);
static ngx_int_t ngx_fastcgi_mux_read_management(ngx_fastcgi_mux_conn_t *conn,
    ngx_uint_t type, size_t size);
static ngx_int_t ngx_fastcgi_mux_read_content(ngx_fastcgi_mux_conn_t *conn,
    u_char *p, size_t n);
static ngx_int_t ngx_fastcgi_mux_read_keep(ngx_fastcgi_mux_conn_t *conn,
    size_t size);
static ngx_int_t ngx_fastcgi_mux_read_end(ngx_fastcgi_mux_conn_t *conn);
static ngx_int_t ngx_fastcgi_mux_read_over(ngx_fastcgi_mux_conn_t *conn,
    ngx_fastcgi_mux_stream_t *s);
static ngx_uint_t ngx_fastcgi_mux_read_held(ngx_fastcgi_mux_conn_t *conn);


static u_char  *ngx_fastcgi_mux_read_buffer;


void
ngx_fastcgi_mux_read(ngx_fastcgi_mux_conn_t *conn)
{
    size_t             total;
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;

    if (ngx_fastcgi_mux_read_buffer == NULL) {
        ngx_fastcgi_mux_read_buffer = ngx_alloc(NGX_FASTCGI_MUX_READ, c->log);

        if (ngx_fastcgi_mux_read_buffer == NULL) {
            ngx_fastcgi_mux_conn_fail(conn, "no memory");
            return;
        }
    }

    total = 0;

    while (c->read->ready) {

        if (ngx_fastcgi_mux_read_held(conn)) {
            break;
        }

        if (total >= NGX_FASTCGI_MUX_READ_MAX) {
            ngx_post_event(c->read, &ngx_posted_next_events);
            return;
        }

        n = c->recv(c, ngx_fastcgi_mux_read_buffer, NGX_FASTCGI_MUX_READ);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_fastcgi_mux_conn_fail(conn, n == 0
                                            ? "closed by the server"
                                            : "recv() failed");
            return;
        }

        total += n;
        conn->reading = 1;

        if (ngx_fastcgi_mux_read_records(conn, ngx_fastcgi_mux_read_buffer,
                                         ngx_fastcgi_mux_read_buffer + n)
            != NGX_OK)
        {
            ngx_fastcgi_mux_conn_fail(conn, "protocol error");
        }

        conn->reading = 0;

        if (conn->dead) {
            ngx_free(conn);
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_fastcgi_mux_conn_fail(conn, "no event");
    }
}


/* on a connection of one stream it is the reader who decides */

static ngx_uint_t
ngx_fastcgi_mux_read_held(ngx_fastcgi_mux_conn_t *conn)
{
    conn->held = (conn->alone
                  && conn->buffered >= conn->server->conf->window);

    return conn->held;
}


static ngx_int_t
ngx_fastcgi_mux_read_records(ngx_fastcgi_mux_conn_t *conn, u_char *p,
    u_char *last)
{
    size_t  n;

    while (p < last && !conn->dead) {

        if (conn->head_len < FCGI_HEADER_LEN) {
            n = ngx_min(FCGI_HEADER_LEN - conn->head_len, (size_t) (last - p));

            ngx_memcpy(conn->head + conn->head_len, p, n);
            conn->head_len += n;
            p += n;

            if (conn->head_len < FCGI_HEADER_LEN) {
                break;
            }

            conn->record = fcgi_header_get(conn->head);
            conn->content = conn->record.content;
            conn->padding = conn->record.padding;
            conn->current = NULL;
            conn->body_len = 0;
            conn->body_size = 0;

            if (ngx_fastcgi_mux_read_header(conn) != NGX_OK) {
                ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                              "unexpected FastCGI record: version %d, "
                              "type %d, id %d, length %d",
                              (int) conn->record.version,
                              (int) conn->record.type,
                              (int) conn->record.id,
                              (int) conn->record.content);
                return NGX_ERROR;
            }
        }

        n = ngx_min(conn->content, (size_t) (last - p));

        if (n) {
            if (ngx_fastcgi_mux_read_content(conn, p, n) != NGX_OK) {
                return NGX_ERROR;
            }

            conn->content -= n;
            p += n;
        }

        if (conn->content) {
            break;
        }

        n = ngx_min(conn->padding, (size_t) (last - p));
        conn->padding -= n;
        p += n;

        if (conn->padding) {
            break;
        }

        conn->head_len = 0;

        if (ngx_fastcgi_mux_read_end(conn) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* may this record come now, and whom does it concern? */

static ngx_int_t
ngx_fastcgi_mux_read_header(ngx_fastcgi_mux_conn_t *conn)
{
    u_char                     head[FCGI_HEADER_LEN];
    ngx_fastcgi_mux_stream_t  *s;

    if (conn->record.version != FCGI_VERSION_1) {
        return NGX_ERROR;
    }

    if (conn->record.id == FCGI_NULL_ID) {
        return ngx_fastcgi_mux_read_management(conn, conn->record.type,
                                               conn->content);
    }

    if (conn->record.id >= conn->next_id) {
        return NGX_ERROR;
    }

    /* of a request that has ended: to be ignored */
    s = ngx_fastcgi_mux_conn_stream(conn, conn->record.id);

    switch (conn->record.type) {

    case FCGI_STDOUT:
    case FCGI_STDERR:

        if (s == NULL) {
            return NGX_OK;
        }

        if (conn->content == 0) {
            if (conn->record.type == FCGI_STDOUT) {
                s->stdout_closed = 1;
            }

            return NGX_OK;
        }

        if (ngx_fastcgi_mux_window_received(s, conn->content) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_fastcgi_mux_read_over(conn, s) != NGX_OK) {
            return NGX_OK;
        }

        conn->current = s;

        if (s->detached || s->failed) {
            ngx_fastcgi_mux_window_consumed(s, FCGI_HEADER_LEN);
            return NGX_OK;
        }

        fcgi_header_put(head, conn->record.type, 1, conn->record.content);
        conn->buffered += FCGI_HEADER_LEN;

        return ngx_fastcgi_mux_queue_add(&s->in, head, FCGI_HEADER_LEN);

    case FCGI_END_REQUEST:

        if (conn->content != FCGI_END_LEN) {
            return NGX_ERROR;
        }

        conn->current = s;
        return ngx_fastcgi_mux_read_keep(conn, FCGI_END_LEN);

    case AFCGI_CREDIT:

        if (!conn->windowed || conn->content != AFCGI_CREDIT_LEN) {
            return NGX_ERROR;
        }

        conn->current = s;
        return ngx_fastcgi_mux_read_keep(conn, AFCGI_CREDIT_LEN);

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_fastcgi_mux_read_management(ngx_fastcgi_mux_conn_t *conn, ngx_uint_t type,
    size_t size)
{
    switch (type) {

    case FCGI_GET_VALUES_RESULT:
        return ngx_fastcgi_mux_read_keep(conn, ngx_min(size,
                                                   NGX_FASTCGI_MUX_VALUES));

    case FCGI_UNKNOWN_TYPE:
        return (size == FCGI_UNKNOWN_LEN) ? NGX_OK : NGX_ERROR;

    case AFCGI_DRAIN:
        return (conn->windowed && size == 0) ? NGX_OK : NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


/*
 * Without a window, a reader that is slower than the server fills our memory.
 * It must be given up, for to stop reading would be to stop all others.
 */

static ngx_int_t
ngx_fastcgi_mux_read_over(ngx_fastcgi_mux_conn_t *conn,
    ngx_fastcgi_mux_stream_t *s)
{
    ngx_fastcgi_mux_conf_t  *conf;

    conf = conn->server->conf;

    if (s->windowed || conn->alone || s->detached || s->failed) {
        return NGX_OK;
    }

    if (s->in.bytes / 4 <= conf->window
        && (conn->buffered <= conf->buffer
            || s->in.bytes <= NGX_FASTCGI_MUX_RECORD))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, s->connection.log, 0,
                  "response is read too slowly for a shared FastCGI "
                  "connection without flow control, %uz bytes wait",
                  s->in.bytes);

    ngx_fastcgi_mux_stream_abort(s);
    ngx_fastcgi_mux_stream_fail(s);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_fastcgi_mux_read_keep(ngx_fastcgi_mux_conn_t *conn, size_t size)
{
    if (conn->body == NULL) {
        conn->body = ngx_alloc(NGX_FASTCGI_MUX_VALUES, &conn->log);
        if (conn->body == NULL) {
            return NGX_ERROR;
        }
    }

    conn->body_size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_fastcgi_mux_read_content(ngx_fastcgi_mux_conn_t *conn, u_char *p,
    size_t n)
{
    ngx_fastcgi_mux_stream_t  *s;

    if (conn->body_len < conn->body_size) {
        n = ngx_min(n, conn->body_size - conn->body_len);
        ngx_memcpy(conn->body + conn->body_len, p, n);
        conn->body_len += n;
        return NGX_OK;
    }

    s = conn->current;

    if (s == NULL || conn->body_size) {
        return NGX_OK;
    }

    if (s->detached || s->failed) {
        ngx_fastcgi_mux_window_consumed(s, n);
        return NGX_OK;
    }

    if (ngx_fastcgi_mux_queue_add(&s->in, p, n) != NGX_OK) {
        return NGX_ERROR;
    }

    conn->buffered += n;
    ngx_fastcgi_mux_stream_readable(s);

    return NGX_OK;
}


/* a record is complete */

static ngx_int_t
ngx_fastcgi_mux_read_end(ngx_fastcgi_mux_conn_t *conn)
{
    ngx_fastcgi_mux_stream_t  *s;

    s = conn->current;
    conn->current = NULL;

    switch (conn->record.type) {

    case FCGI_END_REQUEST:

        if (s) {
            ngx_fastcgi_mux_stream_end(s, conn->body);
        }

        return NGX_OK;

    case AFCGI_CREDIT:

        if (s) {
            return ngx_fastcgi_mux_window_credit(s, fcgi_get32(conn->body));
        }

        return NGX_OK;

    case FCGI_GET_VALUES_RESULT:

        if (conn->asked) {
            ngx_fastcgi_mux_ask_values(conn);
        }

        return NGX_OK;

    case FCGI_UNKNOWN_TYPE:

        if (conn->asked) {
            ngx_fastcgi_mux_ask_answered(conn, 0, 0);
        }

        return NGX_OK;

    case AFCGI_DRAIN:

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                       "fastcgi multiplex connection drains");

        ngx_fastcgi_mux_conn_retire(conn);
        ngx_fastcgi_mux_conn_move(conn);
        ngx_fastcgi_mux_conn_update(conn);

        return NGX_OK;

    default:
        return NGX_OK;
    }
}
