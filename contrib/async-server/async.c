/*
 * fcgi-async: an asynchronous FastCGI server, to learn from and to begin with.
 *
 *	fcgi-async [-d] [-i id] [-L limits] [-s socket]...
 *
 *	make build/fcgi-async
 *	build/fcgi-async -s unix:/run/fcgi-async.sock
 *
 * Without -s it listens on tcp:127.0.0.1:5000.  -d, -L and -s are afcgi's, see
 * afcgi(8).  For nginx (README, beside this file, has more):
 *
 *	upstream async {
 *		server  unix:/run/fcgi-async.sock;
 *		fastcgi_multiplex;
 *	}
 *
 *	location /async/ {
 *		include            afcgi_params;
 *		fastcgi_pass       async;
 *		fastcgi_buffering  off;
 *	}
 *
 * There is one process, one thread and one loop.  It waits for sockets and for
 * timers, all at a time, and calls back who wanted to know.  No call-back ever
 * waits for anything: it does what can be done now, notes what is left to be
 * done, and returns.  So a request that waits costs the memory for that note
 * and nothing else, and ten thousand of them are nothing special.
 *
 * In reading order: echo.c is the shortest; delay.c has a timer; bytes.c and
 * upload.c have both a timer and room to wait for; ticker.c and chat.c speak to
 * many at a time, by stream.c.  task.c is what they share.  handler.h says
 * when which call-back is called.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "async.h"
#include "daemon.h"
#include "limit.h"
#include "task.h"

#define ID_MAX (1LL << 53) /* JavaScript's last whole number */

/* The name is the last component of SCRIPT_NAME; who GETs may HEAD. */
static const struct route {
	const char *name;
	const char *method;
	const struct handler *handler;
} routes[] = {
	{ "clock", "GET", &ticker_handler },
	{ "chat", "GET", &chat_handler },
	{ "chat", "POST", &post_handler },
	{ "upload", "POST", &upload_handler },
	{ "echo", "POST", &echo_handler },
	{ "delay", "GET", &delay_handler },
	{ "bytes", "GET", &bytes_handler },
};

static struct async async;
static struct daemon server = { .name = "fcgi-async" };

static void
begin(struct request *req, void *arg)
{
	const char *script = request_param(req, "SCRIPT_NAME");
	const char *method = request_param(req, "REQUEST_METHOD");
	const char *slash = script != NULL ? strrchr(script, '/') : NULL;
	const char *wanted = task_is_head(req) ? "GET" : method;
	char allow[64] = "";
	size_t i;

	if (request_role(req) != FCGI_RESPONDER)
		slash = NULL; /* it authorizes nobody */
	for (i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (slash == NULL || strcmp(slash + 1, routes[i].name) != 0)
			continue;
		if (wanted != NULL && strcmp(wanted, routes[i].method) == 0) {
			routes[i].handler->begin(req, arg);
			return;
		}
		(void)strlcat(allow, allow[0] == '\0' ? "Allow: " : ", ",
		    sizeof allow);
		(void)strlcat(allow, routes[i].method, sizeof allow);
		if (strcmp(routes[i].method, "GET") == 0)
			(void)strlcat(allow, ", HEAD", sizeof allow);
	}
	if (allow[0] == '\0') {
		task_reply(req, 404, "", NULL);
		return;
	}
	(void)strlcat(allow, "\r\n", sizeof allow);
	task_reply(req, 405, allow, NULL);
}

/* From here on the handler of the route knows what is to be done. */
static const struct handler *
handler_of(const struct request *req)
{
	const struct task *task = request_context(req);

	return task->handler;
}

static size_t
input(struct request *req, const uint8_t *p, size_t n)
{
	const struct handler *handler = handler_of(req);

	return handler->input != NULL ? handler->input(req, p, n) : n;
}

static void
input_arrived(struct request *req)
{
	const struct handler *handler = handler_of(req);

	if (handler->input_arrived != NULL)
		handler->input_arrived(req);
}

static void
input_end(struct request *req)
{
	const struct handler *handler = handler_of(req);

	if (handler->input_end != NULL)
		handler->input_end(req);
}

static void
writable(struct request *req)
{
	const struct handler *handler = handler_of(req);

	if (handler->writable != NULL)
		handler->writable(req);
}

static void
aborted(struct request *req)
{
	const struct handler *handler = handler_of(req);

	if (handler->aborted != NULL)
		handler->aborted(req);
	else
		free(request_context(req));
}

static void
input_failed(struct request *req, int error)
{
	request_log(req, LEVEL_WARNING, "input cannot be kept: %s",
	    strerror(error));
	aborted(req);
	request_fail(req, error == EFBIG ? 413 : 507);
}

static const struct handler router = {
	.begin = begin,
	.input = input,
	.input_arrived = input_arrived,
	.input_end = input_end,
	.input_failed = input_failed,
	.writable = writable,
	.aborted = aborted,
};

/*
 * SIGTERM: what comes to an end by itself may do so.  Streams do not, and are
 * ended now; browsers come back to them, then to the next server.
 */
static void
drain(void *arg)
{
	(void)arg;
	stream_end(&async.chat);
	ticker_end(&async.ticker);
}

static void
start(const struct limits *limits, uint64_t first, char **sockets)
{
	const char *directory = getenv("TMPDIR");
	int n;

	n = daemon_open(&server, limits,
	    directory != NULL ? directory : "/tmp");
	for (; *sockets != NULL; sockets++, n++)
		daemon_listen(&server, *sockets);
	if (n == 0)
		daemon_listen(&server, "tcp:127.0.0.1:5000");
	async.base = server.base;
	stream_init(&async.chat, async.base, first);
	ticker_init(&async.ticker, async.base);
	server.server.handler = &router;
	server.server.handler_arg = &async;
	server.drain = drain;
}

static _Noreturn void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: fcgi-async [-d] [-i id] [-L limits] [-s socket]...\n");
	exit(1);
}

/*
 * Lines of this server must not have ids of the one that was there before: who
 * comes back with such an id would miss what was said under it here.  So they
 * begin with the time in microseconds.
 */
static uint64_t
first_id(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int
main(int argc, char **argv)
{
	uint64_t first = first_id();
	struct limits limits;
	const char *wrong = NULL;
	char **sockets;
	int c, debug = 0, n = 0, rc;

	limits_init(&limits);
	if ((sockets = calloc((size_t)argc + 1, sizeof *sockets)) == NULL)
		daemon_fail(&server, "start", strerror(errno));
	while ((c = getopt(argc, argv, "di:L:s:")) != -1) {
		if (c == 'd')
			debug = 1;
		else if (c == 's')
			sockets[n++] = optarg;
		else if (c == 'i')
			first = (uint64_t)strtonum(optarg, 1, ID_MAX, &wrong);
		else if (c == 'L')
			wrong = limits_set(&limits, optarg);
		else
			usage();
		if (wrong != NULL)
			daemon_fail(&server, optarg, wrong);
	}
	if (optind != argc)
		usage();
	daemon_prepare(&server);
	limits_fit(&limits, server.files, 0);
	start(&limits, first, sockets);
	free(sockets);
	if (log_open(NULL, debug) == -1)
		daemon_fail(&server, "log", strerror(errno));
	if (geteuid() == 0)
		log_warning("running as root");
	rc = daemon_run(&server);
	drain(NULL); /* late requests may have set timers */
	daemon_clear(&server);
	return rc == -1 ? 1 : 0;
}
