/*
 * What all routes need: a context for a request, a way to send a text in as
 * many pieces as it takes, short answers, and numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "task.h"

struct reply {
	struct task task;
	char text[512];
};

void *
task_new(struct request *req, const struct handler *handler, size_t size)
{
	struct task *task;

	if ((task = calloc(1, size)) == NULL) {
		request_log(req, LEVEL_ERROR, "no memory");
		request_page(req, 503);
		return NULL;
	}
	task->handler = handler;
	task->req = req;
	task->text = "";
	request_set_context(req, task);
	return task;
}

int
task_send(struct task *task)
{
	size_t len = strlen(task->text);

	if (len > 0)
		task->text +=
		    request_write(task->req, FCGI_STDOUT, task->text, len);
	return *task->text == '\0';
}

static void
reply_writable(struct request *req)
{
	struct task *task = request_context(req);

	if (!task_send(task))
		return;
	request_end(req, 0);
	free(task);
}

static const struct handler reply_handler = { .writable = reply_writable };

void
task_reply(struct request *req, int status, const char *fields,
    const char *body)
{
	int head = task_is_head(req);
	struct reply *reply;
	char line[64], about[96] = "";

	if ((reply = task_new(req, &reply_handler, sizeof *reply)) == NULL)
		return;
	(void)snprintf(line, sizeof line, "%d %s\n", status,
	    page_reason(status));
	if (body == NULL && status >= 400)
		body = line;
	if (body != NULL)
		(void)snprintf(about, sizeof about,
		    "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Length: %zu\r\n",
		    strlen(body));
	(void)snprintf(reply->text, sizeof reply->text,
	    "Status: %d %s\r\n%s%s\r\n%s", status, page_reason(status), fields,
	    about, body == NULL || head ? "" : body);
	reply->task.text = reply->text;
	reply_writable(req);
}

int
task_is_duplex(const struct request *req)
{
	return request_is_duplex(req) || !request_from_nginx(req);
}

int
task_is_head(const struct request *req)
{
	const char *method = request_param(req, "REQUEST_METHOD");

	return method != NULL && strcmp(method, "HEAD") == 0;
}

int64_t
task_number(const char *text, int64_t max)
{
	const char *p;
	int64_t n = 0;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		if (n > (max - (*p - '0')) / 10)
			return -1;
		n = 10 * n + (*p - '0');
	}
	return p == text || (*p != '\0' && *p != '&') ? -1 : n;
}

int64_t
task_query(const struct request *req, const char *name, int64_t max,
    int64_t standard)
{
	const char *p = request_param(req, "QUERY_STRING");
	size_t len = strlen(name);

	for (; p != NULL; p = strchr(p, '&')) {
		if (*p == '&')
			p++;
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return task_number(p + len + 1, max);
	}
	return standard;
}
