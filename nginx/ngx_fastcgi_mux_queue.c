
/*
 * Bytes that wait, first in, first out, in chunks of a page.  Chunks that are
 * not used are kept, some of them, for all queues of this worker.
 */


#include "ngx_fastcgi_mux.h"


#define NGX_FASTCGI_MUX_SPARE  128


static ngx_fastcgi_mux_chunk_t  *ngx_fastcgi_mux_spare;
static ngx_uint_t                ngx_fastcgi_mux_nspare;


static ngx_fastcgi_mux_chunk_t *
ngx_fastcgi_mux_queue_new_chunk(void)
{
    ngx_fastcgi_mux_chunk_t  *chunk;

    chunk = ngx_fastcgi_mux_spare;

    if (chunk) {
        ngx_fastcgi_mux_spare = chunk->next;
        ngx_fastcgi_mux_nspare--;

    } else {
        chunk = ngx_alloc(sizeof(ngx_fastcgi_mux_chunk_t), ngx_cycle->log);
        if (chunk == NULL) {
            return NULL;
        }
    }

    chunk->next = NULL;
    chunk->pos = 0;
    chunk->last = 0;

    return chunk;
}


ngx_int_t
ngx_fastcgi_mux_queue_add(ngx_fastcgi_mux_queue_t *q, const u_char *p,
    size_t n)
{
    size_t                    size;
    ngx_fastcgi_mux_chunk_t  *chunk;

    while (n) {
        chunk = q->last;

        if (chunk == NULL || chunk->last == sizeof(chunk->data)) {
            chunk = ngx_fastcgi_mux_queue_new_chunk();
            if (chunk == NULL) {
                return NGX_ERROR;
            }

            if (q->last) {
                q->last->next = chunk;

            } else {
                q->first = chunk;
            }

            q->last = chunk;
        }

        size = ngx_min(n, sizeof(chunk->data) - chunk->last);

        ngx_memcpy(chunk->data + chunk->last, p, size);

        chunk->last += size;
        q->bytes += size;
        p += size;
        n -= size;
    }

    return NGX_OK;
}


void
ngx_fastcgi_mux_queue_drop(ngx_fastcgi_mux_queue_t *q, size_t n)
{
    size_t                    size;
    ngx_fastcgi_mux_chunk_t  *chunk;

    while (n) {
        chunk = q->first;
        size = ngx_min(n, (size_t) (chunk->last - chunk->pos));

        chunk->pos += size;
        q->bytes -= size;
        n -= size;

        if (chunk->pos < chunk->last) {
            break;
        }

        q->first = chunk->next;

        if (q->first == NULL) {
            q->last = NULL;
        }

        if (ngx_fastcgi_mux_nspare < NGX_FASTCGI_MUX_SPARE) {
            chunk->next = ngx_fastcgi_mux_spare;
            ngx_fastcgi_mux_spare = chunk;
            ngx_fastcgi_mux_nspare++;

        } else {
            ngx_free(chunk);
        }
    }
}


size_t
ngx_fastcgi_mux_queue_take(ngx_fastcgi_mux_queue_t *q, u_char *p, size_t n)
{
    size_t                    size, taken;
    ngx_fastcgi_mux_chunk_t  *chunk;

    taken = 0;

    while (taken < n && q->first) {
        chunk = q->first;
        size = ngx_min(n - taken, (size_t) (chunk->last - chunk->pos));

        ngx_memcpy(p + taken, chunk->data + chunk->pos, size);

        ngx_fastcgi_mux_queue_drop(q, size);
        taken += size;
    }

    return taken;
}


void
ngx_fastcgi_mux_queue_free_chunks(void)
{
    ngx_fastcgi_mux_chunk_t  *chunk;

    while (ngx_fastcgi_mux_spare) {
        chunk = ngx_fastcgi_mux_spare;
        ngx_fastcgi_mux_spare = chunk->next;
        ngx_free(chunk);
    }

    ngx_fastcgi_mux_nspare = 0;
}
