/*
 * Decoding of one byte: those who call know what their strings may hold.
 */
#include <string.h>

#include "uri.h"

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	if (p == NULL)
		return -1;
	return (int)(p - digits) < 16 ? (int)(p - digits) :
					(int)(p - digits) - 6;
}

int
uri_decode_byte(const char *p)
{
	int high, low;

	if (p[0] != '%' || (high = hex_digit(p[1])) == -1 ||
	    (low = hex_digit(p[2])) == -1)
		return -1;
	return high << 4 | low;
}
