
/*
 * Multiplexed FastCGI: what the files of this module share.
 *
 *     server     an address, and what is known about who answers there
 *     conn       one connection to it, with the streams that live on it
 *     stream     one request on a connection; to nginx's upstream code it is
 *                a connection of its own
 *     queue      bytes that wait to be written to a connection
 *     window     how much either side may still send for a stream
 *
 * A server belongs to its upstream{} block in this worker; a conn to its
 * server; a stream to its request while there is one, and to its conn from
 * the first record that is queued for it until FCGI_END_REQUEST.
 */


#ifndef _NGX_FASTCGI_MUX_H_INCLUDED_
#define _NGX_FASTCGI_MUX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

#include "../gateway/fcgi.h"


/* the greatest id that is used before a connection is retired */
#define NGX_FASTCGI_MUX_MAX_REQUESTS  65000

/* bytes that a window begins with: what a stalled client costs */
#define NGX_FASTCGI_MUX_SMALL_WINDOW  (8 * 1024)

/* bytes of one STDIN record at most, and of one writer's turn */
#define NGX_FASTCGI_MUX_RECORD        (32 * 1024)

/* bytes in a connection's queue: writers wait, writers go on */
#define NGX_FASTCGI_MUX_HIGH          (256 * 1024)
#define NGX_FASTCGI_MUX_LOW           (128 * 1024)

/* ms that an answer to FCGI_GET_VALUES, sent alone, may take */
#define NGX_FASTCGI_MUX_ASK_TIMEOUT   1000

/* bytes of FCGI_GET_VALUES_RESULT that are looked at */
#define NGX_FASTCGI_MUX_VALUES        1024

/* how often a request is sent again that a server has refused untouched */
#define NGX_FASTCGI_MUX_REFUSALS      5


typedef struct ngx_fastcgi_mux_server_s  ngx_fastcgi_mux_server_t;
typedef struct ngx_fastcgi_mux_conn_s    ngx_fastcgi_mux_conn_t;
typedef struct ngx_fastcgi_mux_stream_s  ngx_fastcgi_mux_stream_t;
typedef struct ngx_fastcgi_mux_chunk_s   ngx_fastcgi_mux_chunk_t;
typedef struct ngx_fastcgi_mux_peer_data_s  ngx_fastcgi_mux_peer_data_t;


/* fastcgi_multiplex of one upstream{} */

typedef struct {
    ngx_uint_t                      connections;    /* 0: not multiplexed */
    ngx_uint_t                      requests;
    size_t                          window;
    size_t                          buffer;
    ngx_msec_t                      timeout;
    ngx_msec_t                      retry;

    ngx_queue_t                     servers;        /* of this worker */
    ngx_uint_t                      nservers;

    ngx_http_upstream_init_peer_pt  original_init_peer;
} ngx_fastcgi_mux_conf_t;


/* a first in, first out queue of bytes */

struct ngx_fastcgi_mux_chunk_s {
    ngx_fastcgi_mux_chunk_t        *next;
    uint16_t                        pos;
    uint16_t                        last;
    u_char                          data[4096 - sizeof(void *) - 4];
};


typedef struct {
    ngx_fastcgi_mux_chunk_t        *first;
    ngx_fastcgi_mux_chunk_t        *last;
    size_t                          bytes;
} ngx_fastcgi_mux_queue_t;


typedef enum {
    ngx_fastcgi_mux_unknown = 0,
    ngx_fastcgi_mux_asking,         /* in band, with a first request */
    ngx_fastcgi_mux_multiplexes,
    ngx_fastcgi_mux_plain           /* until retry */
} ngx_fastcgi_mux_state_e;


struct ngx_fastcgi_mux_server_s {
    ngx_queue_t                     queue;          /* in conf->servers */
    ngx_queue_t                     all;            /* of this worker */
    ngx_fastcgi_mux_conf_t         *conf;

    ngx_fastcgi_mux_state_e         state;
    ngx_msec_t                      retry;          /* when plain ends */

    ngx_queue_t                     shared;         /* conns for new streams */
    ngx_uint_t                      nshared;
    ngx_uint_t                      lost;           /* questions, in a row */
    ngx_uint_t                      refs;           /* conns and streams */

    ngx_uint_t                      blamed;         /* conn that was */

    ngx_addr_t                      local;
    ngx_sockaddr_t                  local_sockaddr;

    ngx_sockaddr_t                  sockaddr;
    socklen_t                       socklen;
    ngx_str_t                       name;

    int                             rcvbuf;

    unsigned                        windowed:1;     /* at the last answer */
    unsigned                        plain:1;        /* when last it was known */
    unsigned                        transparent:1;
    unsigned                        so_keepalive:1;
};


typedef enum {
    ngx_fastcgi_mux_connecting = 0,
    ngx_fastcgi_mux_waiting,        /* FCGI_GET_VALUES is not answered */
    ngx_fastcgi_mux_open
} ngx_fastcgi_mux_conn_state_e;


struct ngx_fastcgi_mux_conn_s {
    ngx_queue_t                     queue;          /* in server->shared */
    ngx_queue_t                     all;            /* of this worker */
    ngx_fastcgi_mux_server_t       *server;
    ngx_connection_t               *connection;
    ngx_log_t                       log;

    ngx_fastcgi_mux_conn_state_e    state;
    ngx_uint_t                      requests;       /* streams, ever */
    ngx_uint_t                      next_id;

    ngx_rbtree_t                    streams;        /* by id */
    ngx_rbtree_node_t               sentinel;
    ngx_queue_t                     newcomers;      /* streams not yet begun */
    ngx_uint_t                      nlive;          /* streams with a client */
    ngx_msec_t                      patience;       /* of those that wait */

    ngx_fastcgi_mux_queue_t         out;
    ngx_queue_t                     writers;        /* wait for room in it */
    ngx_uint_t                      round;          /* of those woken */

    size_t                          granted;        /* sum of windows */
    size_t                          buffered;       /* bytes in streams */
    size_t                          stdin_window;   /* of a new stream */

    /* the record that is being read */
    ngx_fastcgi_mux_stream_t       *current;
    u_char                          head[FCGI_HEADER_LEN];
    size_t                          head_len;
    struct fcgi_header              record;
    size_t                          content;        /* bytes still to come */
    size_t                          padding;
    u_char                         *body;           /* what is kept whole */
    size_t                          body_len;
    size_t                          body_size;

    unsigned                        alone:1;        /* for one stream only */
    unsigned                        asked:1;        /* and unanswered */
    unsigned                        multiplexes:1;  /* its peer said so */
    unsigned                        windowed:1;
    unsigned                        listed:1;       /* in server->shared */
    unsigned                        draining:1;     /* no new streams */
    unsigned                        held:1;         /* alone: reading waits */
    unsigned                        broken:1;       /* out is unusable */
    unsigned                        served:1;       /* a request has ended */
    unsigned                        reading:1;      /* must not be freed */
    unsigned                        dead:1;
};


struct ngx_fastcgi_mux_stream_s {
    ngx_connection_t                connection;
    ngx_event_t                     read;
    ngx_event_t                     write;

    ngx_rbtree_node_t               node;           /* in conn->streams */
    ngx_queue_t                     newcomers;      /* in those of conn */
    ngx_queue_t                     writers;
    ngx_fastcgi_mux_conn_t         *conn;           /* NULL: has ended */
    ngx_fastcgi_mux_server_t       *server;
    ngx_uint_t                      serial;         /* of the conn */
    ngx_fastcgi_mux_peer_data_t    *peer;           /* NULL: detached */
    ngx_pool_t                     *pool;
    ngx_uint_t                      id;

    /* nginx's records, on their way out */
    u_char                          head[FCGI_HEADER_LEN];
    size_t                          head_len;
    struct fcgi_header              record;
    size_t                          content;
    size_t                          padding;
    ngx_buf_t                      *begin;          /* until PARAMS end */
    size_t                          turn;           /* bytes left of it */
    ngx_uint_t                      round;          /* when it was given */
    size_t                          send_window;

    /* the server's records, on their way in */
    ngx_fastcgi_mux_queue_t         in;
    size_t                          window;
    size_t                          credit;         /* the server's */
    size_t                          consumed;       /* not yet granted again */
    size_t                          taken;          /* of this window's size */

    unsigned                        newcomer:1;
    unsigned                        waiting:1;      /* as a writer */
    unsigned                        begun:1;        /* on the wire */
    unsigned                        needs_window:1;
    unsigned                        hungry:1;       /* has used its credit */
    unsigned                        windowed:1;
    unsigned                        stdin_closed:1; /* its end is queued */
    unsigned                        stdout_closed:1;
    unsigned                        complete:1;     /* END_REQUEST, all well */
    unsigned                        failed:1;
    unsigned                        refused:1;      /* nothing was started */
    unsigned                        drained:1;      /* for its conn drains */
    unsigned                        cut:1;          /* AFCGI_CUT */
    unsigned                        died:1;         /* with its conn */
    unsigned                        told:1;         /* in the error log */
    unsigned                        gone:1;         /* its client */
    unsigned                        detached:1;     /* request has gone */
    unsigned                        aborted:1;
};


/* what the module keeps for a request */

struct ngx_fastcgi_mux_peer_data_s {
    ngx_fastcgi_mux_conf_t         *conf;
    ngx_http_request_t             *request;
    ngx_fastcgi_mux_stream_t       *stream;

    ngx_uint_t                      connection;     /* 0: a plain one */
    ngx_uint_t                      streams;
    ngx_uint_t                      refusals;

    /* while the request may be sent after the response has begun */
    ngx_http_upstream_conf_t       *original_conf;
    ngx_event_handler_pt            original_handler;
    ngx_http_event_handler_pt       original_reader;

    unsigned                        windowed:1;
    unsigned                        cached:1;       /* pc->cached was set */
    unsigned                        again:1;        /* see stream_again() */

    void                           *data;
    ngx_event_get_peer_pt           original_get_peer;
    ngx_event_free_peer_pt          original_free_peer;
    ngx_event_notify_peer_pt        original_notify;

#if (NGX_HTTP_SSL || NGX_COMPAT)
    ngx_event_set_peer_session_pt   original_set_session;
    ngx_event_save_peer_session_pt  original_save_session;
#endif
};


/* wraps the balancer of one request */
ngx_int_t ngx_fastcgi_mux_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
/* the data of the request's last upstream; NULL: there was none */
ngx_fastcgi_mux_peer_data_t *ngx_fastcgi_mux_peer_find(ngx_http_request_t *r);

/* has nginx send the request even after the response has begun; or not */
ngx_int_t ngx_fastcgi_mux_duplex(ngx_fastcgi_mux_stream_t *s);
void ngx_fastcgi_mux_simplex(ngx_fastcgi_mux_peer_data_t *mp);
/* the server takes no more of it for now */
void ngx_fastcgi_mux_duplex_blocked(ngx_fastcgi_mux_stream_t *s);

/* the server at the address of pc; NULL: no memory, or too many */
ngx_fastcgi_mux_server_t *ngx_fastcgi_mux_server_get(
    ngx_fastcgi_mux_conf_t *conf, ngx_peer_connection_t *pc);
void ngx_fastcgi_mux_server_set_state(ngx_fastcgi_mux_server_t *server,
    ngx_fastcgi_mux_state_e state, ngx_log_t *log);
/* of this worker, which ends */
void ngx_fastcgi_mux_server_free_all(void);
void ngx_fastcgi_mux_server_lost(ngx_fastcgi_mux_server_t *server,
    ngx_uint_t alone, ngx_log_t *log);
/* the best connection for one more stream; NULL: there is none */
ngx_fastcgi_mux_conn_t *ngx_fastcgi_mux_server_conn(
    ngx_fastcgi_mux_server_t *server, ngx_uint_t needs_window);

/*
 * Connects.  alone: for one stream; ask: with FCGI_GET_VALUES; r: the request
 * that may have to wait for the answer.  Returns NGX_OK or NGX_AGAIN with a
 * conn, or NGX_DECLINED or NGX_ERROR without.
 */
ngx_int_t ngx_fastcgi_mux_connect(ngx_fastcgi_mux_server_t *server,
    ngx_uint_t alone, ngx_uint_t ask, ngx_http_request_t *r, ngx_log_t *log,
    ngx_fastcgi_mux_conn_t **conn);
/* has the socket been connected? */
ngx_int_t ngx_fastcgi_mux_connect_done(ngx_fastcgi_mux_conn_t *conn);
/* it has */
void ngx_fastcgi_mux_connect_begin(ngx_fastcgi_mux_conn_t *conn);

ngx_int_t ngx_fastcgi_mux_ask(ngx_fastcgi_mux_conn_t *conn);
/* FCGI_GET_VALUES_RESULT is there */
void ngx_fastcgi_mux_ask_values(ngx_fastcgi_mux_conn_t *conn);
/* the server has said, or not, whether it multiplexes; may fail the conn */
void ngx_fastcgi_mux_ask_answered(ngx_fastcgi_mux_conn_t *conn,
    ngx_uint_t multiplexes, size_t window);

void ngx_fastcgi_mux_conn_handler(ngx_event_t *ev);
void ngx_fastcgi_mux_conn_add(ngx_fastcgi_mux_conn_t *conn);
/* the number of its streams has changed; may fail the conn */
void ngx_fastcgi_mux_conn_update(ngx_fastcgi_mux_conn_t *conn);
/* no new streams */
void ngx_fastcgi_mux_conn_retire(ngx_fastcgi_mux_conn_t *conn);
/* who has not begun goes elsewhere */
void ngx_fastcgi_mux_conn_move(ngx_fastcgi_mux_conn_t *conn);
/* every stream on it fails, and it is freed; why NULL: as it should be */
void ngx_fastcgi_mux_conn_fail(ngx_fastcgi_mux_conn_t *conn, const char *why);
ngx_fastcgi_mux_stream_t *ngx_fastcgi_mux_conn_stream(
    ngx_fastcgi_mux_conn_t *conn, ngx_uint_t id);
void ngx_fastcgi_mux_exit_process(ngx_cycle_t *cycle);

/* what the socket has; may fail the conn */
void ngx_fastcgi_mux_read(ngx_fastcgi_mux_conn_t *conn);
/* what the socket takes; may fail the conn */
void ngx_fastcgi_mux_write(ngx_fastcgi_mux_conn_t *conn);
/* has it written at the end of this turn of the event loop */
void ngx_fastcgi_mux_flush(ngx_fastcgi_mux_conn_t *conn);
/* whole records; NGX_ERROR: no memory, the conn will fail by itself */
ngx_int_t ngx_fastcgi_mux_send(ngx_fastcgi_mux_conn_t *conn, const u_char *p,
    size_t n);
/* a part of nginx's records: bytes taken, 0 if it must wait, or NGX_ERROR */
ssize_t ngx_fastcgi_mux_send_part(ngx_fastcgi_mux_stream_t *s, u_char *p,
    size_t n);

/* a stream for the request, attached to the conn; NULL: no memory */
ngx_fastcgi_mux_stream_t *ngx_fastcgi_mux_stream_create(
    ngx_fastcgi_mux_conn_t *conn, ngx_fastcgi_mux_peer_data_t *mp);
void ngx_fastcgi_mux_stream_attach(ngx_fastcgi_mux_stream_t *s,
    ngx_fastcgi_mux_conn_t *conn);
/* nothing was sent for it yet, and it may begin on another connection */
ngx_uint_t ngx_fastcgi_mux_stream_movable(ngx_fastcgi_mux_stream_t *s);
void ngx_fastcgi_mux_stream_rehome(ngx_fastcgi_mux_stream_t *s,
    ngx_uint_t alone);
void ngx_fastcgi_mux_stream_begun(ngx_fastcgi_mux_stream_t *s);
ngx_int_t ngx_fastcgi_mux_stream_close_stdin(ngx_fastcgi_mux_stream_t *s);
/* its conn forgets it */
void ngx_fastcgi_mux_stream_unlink(ngx_fastcgi_mux_stream_t *s);
/* its request forgets it; returns the state that the balancer shall see */
ngx_uint_t ngx_fastcgi_mux_stream_detach(ngx_fastcgi_mux_stream_t *s,
    ngx_uint_t state);
/* to nginx it is a connection that has been closed */
void ngx_fastcgi_mux_stream_close(ngx_fastcgi_mux_stream_t *s);
/* soon: nginx may still look at it */
void ngx_fastcgi_mux_stream_free(ngx_fastcgi_mux_stream_t *s);
/* those, now */
void ngx_fastcgi_mux_stream_free_all(void);
/* it does not stand in line as a writer, if it did */
void ngx_fastcgi_mux_stream_unwait(ngx_fastcgi_mux_stream_t *s);
void ngx_fastcgi_mux_stream_readable(ngx_fastcgi_mux_stream_t *s);
void ngx_fastcgi_mux_stream_writable(ngx_fastcgi_mux_stream_t *s);
/* FCGI_END_REQUEST; may fail the conn */
void ngx_fastcgi_mux_stream_end(ngx_fastcgi_mux_stream_t *s, u_char *body);
/* the records that say so to nginx; NGX_ERROR: no memory */
ngx_int_t ngx_fastcgi_mux_stream_complete(ngx_fastcgi_mux_stream_t *s,
    uint32_t app_status);
void ngx_fastcgi_mux_stream_fail(ngx_fastcgi_mux_stream_t *s);
void ngx_fastcgi_mux_stream_abort(ngx_fastcgi_mux_stream_t *s);

ssize_t ngx_fastcgi_mux_stream_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
ssize_t ngx_fastcgi_mux_stream_recv_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
ssize_t ngx_fastcgi_mux_stream_send(ngx_connection_t *c, u_char *buf,
    size_t size);
ngx_chain_t *ngx_fastcgi_mux_stream_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
/* nginx has taken, or nobody wants, so much of what has come */
void ngx_fastcgi_mux_stream_taken(ngx_fastcgi_mux_stream_t *s, size_t n);
void ngx_fastcgi_mux_stream_drop(ngx_fastcgi_mux_stream_t *s);

ngx_uint_t ngx_fastcgi_mux_has_body(ngx_http_request_t *r);
/* the request cannot share a connection without flow control */
ngx_uint_t ngx_fastcgi_mux_window_needed(ngx_http_request_t *r);
/* the first window; writes AFCGI_CREDIT to p, returns its end */
u_char *ngx_fastcgi_mux_window_open(ngx_fastcgi_mux_stream_t *s, u_char *p);
void ngx_fastcgi_mux_window_close(ngx_fastcgi_mux_stream_t *s);
/* a record of n bytes has come: NGX_ERROR: it must not have */
ngx_int_t ngx_fastcgi_mux_window_received(ngx_fastcgi_mux_stream_t *s,
    size_t n);
/* nginx has taken n bytes */
void ngx_fastcgi_mux_window_consumed(ngx_fastcgi_mux_stream_t *s, size_t n);
/* AFCGI_CREDIT has come */
ngx_int_t ngx_fastcgi_mux_window_credit(ngx_fastcgi_mux_stream_t *s,
    uint32_t n);

ngx_int_t ngx_fastcgi_mux_queue_add(ngx_fastcgi_mux_queue_t *q,
    const u_char *p, size_t n);
/* copies at most n bytes out; returns how many */
size_t ngx_fastcgi_mux_queue_take(ngx_fastcgi_mux_queue_t *q, u_char *p,
    size_t n);
void ngx_fastcgi_mux_queue_drop(ngx_fastcgi_mux_queue_t *q, size_t n);
void ngx_fastcgi_mux_queue_free_chunks(void);


/* the rule of a stream's events, see ngx_fastcgi_mux_stream.c */

static ngx_inline void
ngx_fastcgi_mux_set_ready(ngx_event_t *ev, ngx_uint_t ready)
{
    ev->ready = ready;
    ev->active = !ready;
}


extern ngx_module_t  ngx_http_upstream_fastcgi_multiplex_module;


#endif /* _NGX_FASTCGI_MUX_H_INCLUDED_ */
