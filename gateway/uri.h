/*
 * The percent-encoding of URIs (RFC 3986 section 2.1).
 */
#ifndef URI_H
#define URI_H

/*
 * The byte that the three at p, "%XX", stand for, or -1 if they are none.  p
 * may be any place in a string.
 */
int uri_decode_byte(const char *p);

#endif
