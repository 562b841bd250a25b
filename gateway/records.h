/*
 * What comes in on a connection: each record is checked, and goes to its
 * request, or is answered at once.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/*
 * Takes n bytes as they were read.  Returns 0, or -1 when nothing more is to
 * be read: the connection is closing, or the peer has broken the protocol,
 * which has then been logged.
 */
int records_read(struct conn *, const uint8_t *, size_t n);

#endif
