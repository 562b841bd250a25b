
/*
 * fastcgi_multiplex: fastcgi_pass over shared connections.  See
 * fastcgi_multiplex(5), and ngx_fastcgi_mux.h for the parts.
 *
 * The module wraps the balancer of an upstream{}, outermost: it asks the
 * balancer for a server, and then gives nginx a stream instead of a
 * connection.  All else is done by nginx's own FastCGI module.
 */


#include "ngx_fastcgi_mux.h"


static ngx_int_t ngx_http_upstream_fastcgi_multiplex_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_upstream_fastcgi_multiplex_add_variables(
    ngx_conf_t *cf);
static ngx_int_t ngx_http_upstream_fastcgi_multiplex_init(ngx_conf_t *cf);
static void *ngx_http_upstream_fastcgi_multiplex_create_conf(ngx_conf_t *cf);
static char *ngx_http_upstream_fastcgi_multiplex(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_command_t  ngx_http_upstream_fastcgi_multiplex_commands[] = {

    { ngx_string("fastcgi_multiplex"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_upstream_fastcgi_multiplex,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_upstream_fastcgi_multiplex_module_ctx = {
    ngx_http_upstream_fastcgi_multiplex_add_variables,
                                           /* preconfiguration */
    ngx_http_upstream_fastcgi_multiplex_init,
                                           /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_upstream_fastcgi_multiplex_create_conf,
                                           /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_upstream_fastcgi_multiplex_module = {
    NGX_MODULE_V1,
    &ngx_http_upstream_fastcgi_multiplex_module_ctx, /* module context */
    ngx_http_upstream_fastcgi_multiplex_commands, /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_fastcgi_mux_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


#define NGX_FASTCGI_MUX_VARIABLE_CONNECTION  0
#define NGX_FASTCGI_MUX_VARIABLE_STREAMS     1
#define NGX_FASTCGI_MUX_VARIABLE_WINDOW      2


static ngx_http_variable_t  ngx_http_upstream_fastcgi_multiplex_vars[] = {

    { ngx_string("fastcgi_multiplex_connection"), NULL,
      ngx_http_upstream_fastcgi_multiplex_variable,
      NGX_FASTCGI_MUX_VARIABLE_CONNECTION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fastcgi_multiplex_streams"), NULL,
      ngx_http_upstream_fastcgi_multiplex_variable,
      NGX_FASTCGI_MUX_VARIABLE_STREAMS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("fastcgi_multiplex_window"), NULL,
      ngx_http_upstream_fastcgi_multiplex_variable,
      NGX_FASTCGI_MUX_VARIABLE_WINDOW, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_upstream_fastcgi_multiplex_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_uint_t                    value;
    ngx_fastcgi_mux_peer_data_t  *mp;

    mp = ngx_fastcgi_mux_peer_find(r);

    if (mp == NULL || mp->connection == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch (data) {

    case NGX_FASTCGI_MUX_VARIABLE_CONNECTION:
        value = mp->connection;
        break;

    case NGX_FASTCGI_MUX_VARIABLE_STREAMS:
        value = mp->streams;
        break;

    default: /* NGX_FASTCGI_MUX_VARIABLE_WINDOW */
        value = mp->windowed;
        break;
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%ui", value) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_upstream_fastcgi_multiplex_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_upstream_fastcgi_multiplex_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* now that every balancer, and "keepalive", has set its own */

static ngx_int_t
ngx_http_upstream_fastcgi_multiplex_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_fastcgi_mux_conf_t          *conf;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscfp[i]->srv_conf == NULL) {
            continue;
        }

        conf = ngx_http_conf_upstream_srv_conf(uscfp[i],
                                   ngx_http_upstream_fastcgi_multiplex_module);

        if (conf->connections == 0) {
            continue;
        }

        conf->original_init_peer = uscfp[i]->peer.init;
        uscfp[i]->peer.init = ngx_fastcgi_mux_peer_init;
    }

    return NGX_OK;
}


static void *
ngx_http_upstream_fastcgi_multiplex_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_fastcgi_mux_conf_t));
}


static char *
ngx_http_upstream_fastcgi_multiplex(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_fastcgi_mux_conf_t  *mcf = conf;

    ssize_t      size;
    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_msec_t   ms;
    ngx_uint_t   i;

    if (mcf->connections) {
        return "is duplicate";
    }

    mcf->connections = 1;
    mcf->requests = NGX_FASTCGI_MUX_MAX_REQUESTS;
    mcf->window = 256 * 1024;
    mcf->buffer = 64 * 1024 * 1024;
    mcf->timeout = 60000;
    mcf->retry = 60000;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "connections=", 12) == 0) {

            n = ngx_atoi(value[i].data + 12, value[i].len - 12);
            if (n == NGX_ERROR || n < 1 || n > 1024) {
                goto invalid;
            }

            mcf->connections = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "requests=", 9) == 0) {

            n = ngx_atoi(value[i].data + 9, value[i].len - 9);
            if (n == NGX_ERROR || n < 1 || n > NGX_FASTCGI_MUX_MAX_REQUESTS) {
                goto invalid;
            }

            mcf->requests = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "window=", 7) == 0) {

            s.data = value[i].data + 7;
            s.len = value[i].len - 7;

            size = ngx_parse_size(&s);
            if (size == NGX_ERROR || size < 4096 || size > AFCGI_WINDOW_MAX) {
                goto invalid;
            }

            mcf->window = size;
            continue;
        }

        if (ngx_strncmp(value[i].data, "buffer=", 7) == 0) {

            s.data = value[i].data + 7;
            s.len = value[i].len - 7;

            size = ngx_parse_size(&s);
            if (size == NGX_ERROR || size == 0) {
                goto invalid;
            }

            mcf->buffer = size;
            continue;
        }

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {

            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            ms = ngx_parse_time(&s, 0);
            if (ms == (ngx_msec_t) NGX_ERROR || ms == 0) {
                goto invalid;
            }

            mcf->timeout = ms;
            continue;
        }

        if (ngx_strncmp(value[i].data, "retry=", 6) == 0) {

            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            ms = ngx_parse_time(&s, 0);
            if (ms == (ngx_msec_t) NGX_ERROR || ms == 0) {
                goto invalid;
            }

            mcf->retry = ms;
            continue;
        }

        goto invalid;
    }

    if (mcf->buffer < mcf->window) {
        return "has a \"buffer\" that is smaller than its \"window\"";
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\" directive",
                       &value[i], &cmd->name);

    return NGX_CONF_ERROR;
}
