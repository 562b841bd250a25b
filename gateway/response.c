/*
 * The header is collected until its empty line, then read line by line in
 * place.  Nothing of it is passed on before all of it has been found valid.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "page.h"
#include "response.h"

#define RESPONSE_FIRST 80 /* bytes that are kept to be shown */

struct response {
	char *buf;
	size_t len;
	size_t cap;
	size_t max;
	size_t line; /* where the line that is being read starts */
	const char *error;
	char first[RESPONSE_FIRST]; /* of the bytes that came */
};

/* What is known of the header while it is read. */
struct scan {
	char *out; /* the header for the web server */
	size_t len;
	size_t size; /* of out */
	/* in the response's buffer */
	const char *location;
	const char *content_length;
	int64_t length; /* the same, as a number */
	int status; /* 0: none was given */
	const char *reason; /*  if it has none */
	int has_type;
	int chunked;
	int accel; /* the body is another location's */
	int sendfile; /* the body is a file that the web server sends */
};

struct response *
response_new(size_t max)
{
	struct response *r;

	if ((r = calloc(1, sizeof *r)) != NULL)
		r->max = max;
	return r;
}

void
response_free(struct response *r)
{
	if (r == NULL)
		return;
	free(r->buf);
	free(r);
}

const char *
response_error(const struct response *r)
{
	return r->error;
}

void
response_first_bytes(const struct response *r, char *buf, size_t size)
{
	size_t n = size - 1, i;

	if (n > RESPONSE_FIRST)
		n = RESPONSE_FIRST;
	if (n > r->len)
		n = r->len;
	for (i = 0; i < n; i++) /* the log shows the other control bytes */
		if ((buf[i] = r->first[i]) == '\0')
			buf[i] = '?';
	buf[n] = '\0';
}

static int
wrong(struct response *r, const char *error)
{
	r->error = error;
	return -1;
}

/* Makes room for len more bytes and a NUL. */
static int
grow(struct response *r, size_t len)
{
	size_t cap = r->cap == 0 ? 512 : r->cap;
	char *p;

	while (cap - r->len <= len)
		cap *= 2;
	if (cap == r->cap)
		return 0;
	if ((p = realloc(r->buf, cap)) == NULL)
		return -1;
	r->buf = p;
	r->cap = cap;
	return 0;
}

/*
 * Lines end with LF or CRLF; the header ends with an empty one.
 */
int
response_feed(struct response *r, const void *data, size_t len, size_t *used)
{
	const char *p = data;
	const char *nl;
	size_t part, n;

	for (*used = 0; *used < len; *used += part) {
		nl = memchr(p + *used, '\n', len - *used);
		part = nl == NULL ? len - *used : (size_t)(nl - p) + 1 - *used;
		if (part > r->max - r->len)
			return wrong(r, "a header larger than the limit");
		if (grow(r, part) == -1)
			return wrong(r, "out of memory");
		memcpy(r->buf + r->len, p + *used, part);
		if (r->len < RESPONSE_FIRST)
			memcpy(r->first + r->len, p + *used,
			    part < RESPONSE_FIRST - r->len ?
				part :
				RESPONSE_FIRST - r->len);
		r->len += part;
		if (nl == NULL)
			continue;
		n = r->len - r->line; /* of the line, with its end */
		if (n == 1 || (n == 2 && r->buf[r->line] == '\r')) {
			*used += part;
			return 1;
		}
		r->line = r->len;
	}
	return 0;
}

/* RFC 9110 section 5.6.2 */
static int
is_token(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)p[i]) &&
		    (p[i] == '\0' || strchr("!#$%&'*+-.^_`|~", p[i]) == NULL))
			return 0;
	return len > 0;
}

/* Fields that concern one connection, and not the web server's (7.6.1). */
static int
is_hop_by_hop(const char *name)
{
	static const char *const names[] = { "Connection", "Keep-Alive",
		"Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
		"Upgrade" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return 1;
	return 0;
}

/* "NNN reason"; the status must be one that ends a response. */
static int
read_status(struct response *r, struct scan *s, const char *p)
{
	int i, status = 0;

	for (i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return wrong(r, "a Status that is not three digits");
		status = status * 10 + (p[i] - '0');
	}
	if (p[3] != '\0' && p[3] != ' ' && p[3] != '\t')
		return wrong(r, "a Status that is not three digits");
	if (status < 200 || status > 999)
		return wrong(r, "a Status that cannot end a response");
	s->status = status;
	p += 3 + strspn(p + 3, " \t");
	s->reason = *p == '\0' ? page_reason(status) : p;
	return 0;
}

/* Adds a field.  There is room: see response_finish. */
static void
put(struct scan *s, const char *name, const char *value)
{
	s->len += (size_t)snprintf(s->out + s->len, s->size - s->len,
	    "%s: %s\r\n", name, value);
}

/*
 * Transfer-Encoding.  Only one coding can be undone here; RFC 9112 section 6.1.
 */
static int
read_codings(struct response *r, struct scan *s, const char *value)
{
	size_t len;

	for (;; value += len) {
		value += strspn(value, ", \t");
		len = strcspn(value, ", \t");
		if (len == 0)
			return 0;
		if (len == 8 && strncasecmp(value, "identity", len) == 0)
			continue;
		if (len != 7 || strncasecmp(value, "chunked", len) != 0 ||
		    s->chunked)
			return wrong(r, "a transfer coding that is not known");
		s->chunked = 1;
	}
}

/* Content-Length, which must be one number, however often it is said. */
static int
read_length(struct response *r, struct scan *s, const char *value)
{
	const char *error;

	if (*value == '\0')
		return 0; /* as good as none */
	s->length = strtonum(value, 0, INT64_MAX, &error);
	if (error != NULL || value[strspn(value, "0123456789")] != '\0' ||
	    (s->content_length != NULL &&
		strcmp(value, s->content_length) != 0))
		return wrong(r, "a Content-Length that is not one number");
	s->content_length = value;
	return 0;
}

static int
read_field(struct response *r, struct scan *s, char *line)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (colon == NULL)
		return wrong(r, "a header line without a colon");
	for (end = colon; end > line && (end[-1] == ' ' || end[-1] == '\t');)
		end--;
	if (!is_token(line, (size_t)(end - line)))
		return wrong(r, "a header line without a valid name");
	*end = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = value + strlen(value);
	     end > value && (end[-1] == ' ' || end[-1] == '\t');)
		end--;
	*end = '\0';

	if (strcasecmp(line, "Status") == 0)
		return read_status(r, s, value);
	if (strcasecmp(line, "Transfer-Encoding") == 0)
		return read_codings(r, s, value);
	if (strcasecmp(line, "Content-Length") == 0)
		return read_length(r, s, value);
	if (is_hop_by_hop(line))
		return 0;
	if (strcasecmp(line, "Location") == 0) {
		s->location = value;
		return *value != '\0' ? 0 : wrong(r, "an empty Location");
	}
	if (strcasecmp(line, "Content-Type") == 0)
		s->has_type = 1;
	if (strcasecmp(line, "X-Accel-Redirect") == 0)
		s->accel = 1;
	if (strcasecmp(line, "X-Sendfile") == 0 ||
	    strcasecmp(line, "X-LIGHTTPD-send-file") == 0)
		s->sendfile = 1;
	put(s, line, value);
	return 0;
}

/*
 * The next line, with those that continue it (obsolete folding) joined to it
 * by a space, as a string; NULL at the empty line.
 */
static char *
next_line(struct response *r, char **at)
{
	char *line = *at, *nl, *end = r->buf + r->len;

	for (;;) {
		nl = memchr(*at, '\n', (size_t)(end - *at));
		*at = nl + 1;
		if (nl > line && nl[-1] == '\r')
			nl--;
		*nl = '\0';
		if (nl == line)
			return NULL;
		if (**at != ' ' && **at != '\t')
			return line;
		/* as many bytes as they were: spaces */
		memset(nl, ' ', (size_t)(*at - nl));
	}
}

static int
read_lines(struct response *r, struct scan *s)
{
	char *at = r->buf, *line, *p;
	int first = 1;

	for (; (line = next_line(r, &at)) != NULL; first = 0) {
		for (p = line; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' && *p != '\t')
				return wrong(r, "a control byte in the header");
		if (strncmp(line, "HTTP/", 5) == 0) {
			/* a whole HTTP response: an nph- script, or one that
			 * thinks it is one */
			if (!first || (p = strchr(line, ' ')) == NULL)
				return wrong(r, "a misplaced HTTP/ line");
			if (read_status(r, s, p + strspn(p, " ")) == -1)
				return -1;
			s->has_type = 1; /* it need not say more */
		} else if (read_field(r, s, line) == -1)
			return -1;
	}
	return 0;
}

/*
 * Section 6.2.2: a path and query of this server.  A fragment is for the
 * client's eyes; what browsers take for another host's name is not local.
 */
static int
is_local(const struct scan *s)
{
	const char *location = s->location;

	return s->status == 0 && location != NULL && location[0] == '/' &&
	    location[1] != '/' && location[1] != '\\' &&
	    strchr(location, '#') == NULL;
}

/* Section 6.2: which of the four kinds of response is it? */
static int
decide(struct response *r, struct scan *s, int nginx,
    struct response_info *info)
{
	int local = nginx && is_local(s);
	char *header;
	int n;

	/* a header that names another location needs no more */
	if (!s->has_type && s->location == NULL && s->status == 0 && !s->accel)
		return wrong(r,
		    "a header without Content-Type, Location or Status");
	info->chunked = s->chunked;
	info->no_body =
	    (nginx && s->accel) || s->status == 204 || s->status == 304;
	info->length = -1;
	/* the chunks' own framing counts; RFC 9112 section 6.3 */
	if (s->content_length != NULL && !s->chunked && s->status != 204 &&
	    !(nginx && s->accel)) {
		put(s, "Content-Length", s->content_length);
		info->length = s->sendfile ? -1 : s->length;
	}
	s->out[s->len] = '\0';
	if (local) {
		info->no_body = 1;
		n = asprintf(&header, "X-Accel-Redirect: %s\r\n%s\r\n",
		    s->location, s->out);
	} else {
		if (s->location != NULL && s->status == 0) {
			s->status = 302;
			s->reason = page_reason(302);
		}
		n = s->status == 0 ?
		    asprintf(&header, "%s\r\n", s->out) :
		    asprintf(&header, "Status: %d %s\r\n%s%s%s%s\r\n",
			s->status, s->reason,
			s->location != NULL ? "Location: " : "",
			s->location != NULL ? s->location : "",
			s->location != NULL ? "\r\n" : "", s->out);
	}
	if (n == -1)
		return wrong(r, "out of memory");
	info->header = header;
	info->status = s->status == 0 ? 200 : s->status;
	info->len = (size_t)n;
	return 0;
}

int
response_finish(struct response *r, int nginx, struct response_info *info)
{
	struct scan s = { .status = 0 };
	int rc;

	memset(info, 0, sizeof *info);
	if (memchr(r->buf, '\0', r->len) != NULL)
		return wrong(r, "a NUL byte in the header");
	/* each line, of two bytes at least, may grow by a CR and a space */
	s.size = 2 * r->len + 1;
	if ((s.out = malloc(s.size)) == NULL)
		return wrong(r, "out of memory");
	rc = read_lines(r, &s);
	if (rc == 0)
		rc = decide(r, &s, nginx, info);
	free(s.out);
	return rc;
}
