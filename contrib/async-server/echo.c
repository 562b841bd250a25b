/*
 * POST echo: the body comes back as it arrives.  Nothing is kept here: what
 * there is no room for is not taken, so it stays with the web server, and if
 * that does not have to take it, with its client; when there is room again, it
 * is asked for.  A client that sends and does not read stops itself.
 */
#include <stdlib.h>

#include "async.h"
#include "task.h"

/* There is room, or all of the body has come. */
static void
echo_go_on(struct request *req)
{
	if (task_send(request_context(req)))
		request_input_ready(req);
}

static void
echo_begin(struct request *req, void *arg)
{
	struct task *task;

	(void)arg;
	if ((task = task_new(req, &echo_handler, sizeof *task)) == NULL)
		return;
	task->text = "Content-Type: application/octet-stream\r\n"
		     "Cache-Control: no-store\r\n"
		     "X-Accel-Buffering: no\r\n"
		     "\r\n";
	if (task_is_duplex(req))
		echo_go_on(req);
	else
		request_take_input(req);
}

static size_t
echo_input(struct request *req, const uint8_t *p, size_t n)
{
	return request_write(req, FCGI_STDOUT, p, n);
}

static void
echo_input_end(struct request *req)
{
	struct task *task = request_context(req);

	request_end(req, 0);
	free(task);
}

const struct handler echo_handler = {
	.begin = echo_begin,
	.input = echo_input,
	.input_arrived = echo_go_on,
	.input_end = echo_input_end,
	.writable = echo_go_on,
};
