/*
 * The short pages that are sent in place of a response.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>

#define PAGE_SIZE_MAX 512 /* bytes that a page never exceeds */

/*
 * Writes the page of an HTTP status, as a CGI response, to buf.  Returns its
 * length.  503 carries Retry-After.
 */
size_t page_write(char buf[PAGE_SIZE_MAX], int status);
/* The reason phrase of RFC 9110 section 15, or "Unknown". */
const char *page_reason(int status);

#endif
