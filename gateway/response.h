/*
 * The header of a CGI response (RFC 3875 section 6): collects it from a
 * script's output, checks it, and writes it anew for the web server.
 *
 * Belongs to a running script until the header has been sent.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stddef.h>
#include <stdint.h>

struct response;

/* What the header means for what follows it. */
struct response_info {
	char *header; /* for the web server, with its empty line; malloc'd */
	size_t len;
	int chunked; /* the body is chunked: to be decoded */
	int64_t length; /* of the body as Content-Length says; -1: unknown */
	int no_body; /* it is not sent: redirects to the web server, 204, 304 */
	int status; /* 200 if the header has none */
};

/* max is the limit of the header in bytes.  NULL with errno ENOMEM. */
struct response *response_new(size_t max);
void response_free(struct response *);
/*
 * Takes output of the script.  Returns 1 when the header is complete, with
 * *used saying how many of the len bytes belong to it; 0 when more is needed
 * (all were used); -1 when it cannot become a header: response_error.
 */
int response_feed(struct response *, const void *, size_t len, size_t *used);
/*
 * Checks the complete header.  nginx: a local redirect becomes
 * X-Accel-Redirect.  Apache's mod_proxy_fcgi and others do not follow one, so
 * for them it becomes a redirect for the client.  Returns 0 and fills in *info,
 * or -1: response_error.
 */
int response_finish(struct response *, int nginx, struct response_info *);
/* A static text. */
const char *response_error(const struct response *);
/* The first bytes of what came, to be shown: at most size - 1 of them. */
void response_first_bytes(const struct response *, char *, size_t size);

#endif
