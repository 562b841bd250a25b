/*
 * A FastCGI server with libfcgi, for the tests of the nginx module:
 *
 *	peer-libfcgi SOCKET
 *
 * One process, one request at a time, like most programs that use libfcgi: it
 * reads a connection only when it wants a request, so a question that comes
 * without one is answered with the next.  It listens on the unix socket and
 * prints "ready".  By SCRIPT_NAME:
 *
 *	/delay, ms=N	"done", after N ms
 *	/bytes, n=N	N bytes, in lines that are all different
 *	/echo		its body, while it reads
 *	/upload		its body's cksum(1)
 *	else		its environment
 */
#include <fcgiapp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long
number(const FCGX_Request *r, const char *name)
{
	const char *query;

	query = FCGX_GetParam("QUERY_STRING", r->envp);
	if (query == NULL || (query = strstr(query, name)) == NULL)
		return 0;
	return strtol(query + strlen(name), NULL, 10);
}

static void
delay(FCGX_Request *r)
{
	struct timespec t;
	long ms;

	ms = number(r, "ms=");
	t.tv_sec = ms / 1000;
	t.tv_nsec = ms % 1000 * 1000000;
	(void)nanosleep(&t, NULL);
	(void)FCGX_FPrintF(r->out, "done\n");
}

static void
bytes(FCGX_Request *r)
{
	char line[24];
	long n, i;

	n = number(r, "n=");
	for (i = 0; n > 0; i++, n -= 8) {
		(void)snprintf(line, sizeof(line), "%07ld\n", i);
		if (FCGX_PutStr(line, n < 8 ? (int)n : 8, r->out) <= 0)
			return;
	}
}

static void
echo(FCGX_Request *r)
{
	char buf[16384];
	int n;

	while ((n = FCGX_GetStr(buf, sizeof(buf), r->in)) > 0) {
		if (FCGX_PutStr(buf, n, r->out) <= 0)
			return;
	}
}

/* One more byte of what cksum(1) computes. */
static uint32_t
crc(uint32_t sum, uint8_t byte)
{
	int i;

	sum ^= (uint32_t)byte << 24;
	for (i = 0; i < 8; i++)
		sum = sum & 0x80000000 ? sum << 1 ^ 0x04c11db7 : sum << 1;
	return sum;
}

static void
upload(FCGX_Request *r)
{
	char buf[16384];
	unsigned long total = 0, n;
	uint32_t sum = 0;
	int i, got;

	while ((got = FCGX_GetStr(buf, sizeof(buf), r->in)) > 0) {
		for (i = 0; i < got; i++)
			sum = crc(sum, (uint8_t)buf[i]);
		total += (unsigned long)got;
	}
	for (n = total; n > 0; n >>= 8)
		sum = crc(sum, (uint8_t)n);
	(void)FCGX_FPrintF(r->out, "%lu %lu\n",
	    (unsigned long)~sum & 0xffffffff, total);
}

static void
environment(FCGX_Request *r)
{
	char **var;

	for (var = r->envp; *var != NULL; var++) {
		(void)FCGX_PutS(*var, r->out);
		(void)FCGX_PutS("\n", r->out);
	}
}

int
main(int argc, char **argv)
{
	FCGX_Request request;
	const char *name;
	int s;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: peer-libfcgi socket\n");
		return 1;
	}
	(void)unlink(argv[1]);
	if (FCGX_Init() != 0 || (s = FCGX_OpenSocket(argv[1], 128)) == -1 ||
	    FCGX_InitRequest(&request, s, 0) != 0) {
		perror(argv[1]);
		return 1;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (FCGX_Accept_r(&request) == 0) {
		name = FCGX_GetParam("SCRIPT_NAME", request.envp);
		if (name == NULL)
			name = "";
		(void)FCGX_PutS("Content-Type: text/plain\r\nX-Test: yes\r\n"
				"\r\n",
		    request.out);
		if (strcmp(name, "/delay") == 0)
			delay(&request);
		else if (strcmp(name, "/bytes") == 0)
			bytes(&request);
		else if (strcmp(name, "/echo") == 0)
			echo(&request);
		else if (strcmp(name, "/upload") == 0)
			upload(&request);
		else
			environment(&request);
		FCGX_Finish_r(&request);
	}
	return 0;
}
