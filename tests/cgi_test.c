/*
 * Requests that run scripts, from the web server's records to the process and
 * back, cgi.c and run*.c, in one process:
 *   - what a script reads and writes, its header, its exit code, its stderr;
 *     also byte by byte
 *   - pages for scripts that cannot be run, or say nothing that is a header
 *   - a script that dies after its header: a cut response
 *   - slots and queue: who has to wait does, who finds no place is refused
 *   - limits of time, aborts and the peer's close end the process
 *   - no process, zombie or run is left
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../gateway/cgi.h"
#include "../gateway/cgi_limit.h"
#include "unit_conn.h"
#include "unit_script.h"

#define TEXT "#!/bin/sh\necho 'Content-Type: text/plain'; echo\n"

struct shop {
	struct rig *rig;
	struct cgi_limits limits;
	struct cgi cgi;
	struct site site;
	struct spawn_config config;
};

static void
setup(struct shop *shop, const char *limits)
{
	static const char *const none[] = { NULL };

	memset(shop, 0, sizeof *shop);
	site_init(&shop->site);
	site_file("tree/echo", TEXT "cat\n", 0755);
	site_tree(&shop->site, "@/tree");
	shop->config.trees = &shop->site.trees;
	shop->config.extra = none;
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NOFILE, &shop->config.nofile));
	shop->rig = rig_new(NULL);
	cgi_limits_init(&shop->limits);
	shop->limits.scripts = 10;
	shop->limits.starts = 10;
	ATF_REQUIRE(cgi_limits_set(&shop->limits, &shop->rig->limits,
			limits == NULL ? "grace=0.3" : limits) == NULL);
	ATF_REQUIRE_EQ(0,
	    cgi_init(&shop->cgi, shop->rig->base, &shop->limits, &shop->config,
		2));
	shop->rig->server.handler = &cgi_handler;
	shop->rig->server.handler_arg = &shop->cgi;
}

static int
is_over(void *arg)
{
	const struct shop *shop = arg;

	return shop->cgi.nruns == 0 && shop->cgi.nstarting == 0 &&
	    RB_EMPTY(&shop->cgi.children.tree);
}

static int
is_closed(void *arg)
{
	return ((struct shop *)arg)->rig->server.nconns == 0;
}

/* Leaves; everything must come to its end by itself. */
static void
teardown(struct shop *shop)
{
	rig_disconnect(shop->rig);
	ATF_REQUIRE(unit_loop(shop->rig->base, is_closed, shop));
	ATF_REQUIRE(unit_loop(shop->rig->base, is_over, shop));
	ATF_CHECK_EQ(-1, waitpid(-1, NULL, WNOHANG));
	ATF_CHECK_EQ(ECHILD, errno);
	cgi_clear(&shop->cgi);
	rig_free(shop->rig);
	trees_clear(&shop->site.trees);
}

static void
add_script(struct bytes *b, uint16_t id, uint8_t flags, const char *name)
{
	struct bytes pairs = { 0 };

	bytes_begin(b, id, FCGI_RESPONDER, flags);
	bytes_pair(&pairs, "SCRIPT_NAME", name);
	bytes_pair(&pairs, "REQUEST_METHOD", "POST");
	bytes_record(b, FCGI_PARAMS, id, pairs.p, pairs.len, 0);
	bytes_record(b, FCGI_PARAMS, id, NULL, 0, 0);
	bytes_free(&pairs);
}

/* A request without a body for a new script; waits for its end. */
static void
run(struct shop *shop, uint16_t id, const char *content)
{
	struct bytes in = { 0 };

	(void)unlink("tree/x");
	if (content != NULL)
		site_file("tree/x", content, 0755);
	add_script(&in, id, FCGI_KEEP_CONN, "/cgi-bin/x");
	add_stdin(&in, id, NULL, 0);
	rig_send(shop->rig, &in);
	rig_wait_end(shop->rig, id);
	bytes_free(&in);
}

static void
check_page(const struct shop *shop, uint16_t id, const char *status)
{
	struct bytes out = { 0 };
	char want[32];

	rig_stream(shop->rig, FCGI_STDOUT, id, &out);
	bytes_add(&out, "", 1);
	(void)snprintf(want, sizeof want, "Status: %s ", status);
	ATF_CHECK_MSG(strncmp((char *)out.p, want, strlen(want)) == 0,
	    "%s, not %s", (char *)out.p, status);
	bytes_free(&out);
}

/* The body goes in and comes out, sent whole and byte by byte. */
ATF_TC_WITHOUT_HEAD(echo);
ATF_TC_BODY(echo, tc)
{
	struct shop shop;
	struct bytes in = { 0 };
	size_t piece;

	for (piece = 1; piece < 2000; piece += 1998) {
		setup(&shop, NULL);
		in.len = 0;
		add_script(&in, 1, 0, "/cgi-bin/echo");
		add_stdin(&in, 1, "hello, ", 7);
		add_stdin(&in, 1, "world", 5);
		add_stdin(&in, 1, NULL, 0);
		rig_send_cut(shop.rig, &in, 0, piece);
		rig_wait_end(shop.rig, 1);
		rig_check_text(shop.rig, FCGI_STDOUT, 1,
		    "Content-Type: text/plain\r\n\r\nhello, world");
		rig_check_end(shop.rig, 1, 0, FCGI_REQUEST_COMPLETE);
		rig_wait_eof(shop.rig);
		teardown(&shop);
	}
	bytes_free(&in);
}

/* Its exit code is appStatus; its stderr is the web server's, after it. */
ATF_TC_WITHOUT_HEAD(exit_code_and_errors);
ATF_TC_BODY(exit_code_and_errors, tc)
{
	struct shop shop;

	setup(&shop, NULL);
	run(&shop, 1, TEXT "echo oops >&2; echo out; exit 9\n");
	rig_check_end(shop.rig, 1, 9, FCGI_REQUEST_COMPLETE);
	rig_check_text(shop.rig, FCGI_STDOUT, 1,
	    "Content-Type: text/plain\r\n\r\nout\n");
	rig_check_text(shop.rig, FCGI_STDERR, 1, "oops\n");
	teardown(&shop);
}

/* What cannot be run, or does not answer, is a page. */
ATF_TC_WITHOUT_HEAD(pages);
ATF_TC_BODY(pages, tc)
{
	static const struct {
		const char *content;
		const char *status;
	} scripts[] = {
		{ NULL, "404" },
		{ "\001no program", "500" },
		{ "#!/bin/sh\n", "502" },
		{ "#!/bin/sh\necho no header\n", "502" },
		{ "#!/bin/sh\necho X-A: b; echo\n", "502" },
		{ "#!/bin/sh\necho Content-Type: a/b\n", "502" },
		{ "#!/bin/sh\nkill -9 $$\n", "502" },
		{ "#!/bin/sh\nprintf 'Status: 100 X\\n\\n'\n", "502" },
	};
	struct shop shop;
	uint16_t i;

	setup(&shop, NULL);
	for (i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		run(&shop, (uint16_t)(i + 1), scripts[i].content);
		check_page(&shop, (uint16_t)(i + 1), scripts[i].status);
	}
	teardown(&shop);
}

/* Dead by a signal when its header has gone out: the response has no end. */
ATF_TC_WITHOUT_HEAD(dies_late);
ATF_TC_BODY(dies_late, tc)
{
	struct shop shop;
	struct bytes in = { 0 };

	setup(&shop, NULL);
	site_file("tree/x", TEXT "echo part; kill -9 $$\n", 0755);
	add_script(&in, 1, 0, "/cgi-bin/x");
	add_stdin(&in, 1, NULL, 0);
	rig_send(shop.rig, &in);
	rig_wait_eof(shop.rig);
	ATF_CHECK_EQ(0, rig_count(shop.rig, FCGI_END_REQUEST, 1));
	rig_check_text(shop.rig, FCGI_STDOUT, 1,
	    "Content-Type: text/plain\r\n\r\npart\n");
	teardown(&shop);
	bytes_free(&in);
}

/* One slot and one place to wait: the third is refused, the second waits. */
ATF_TC_WITHOUT_HEAD(queue);
ATF_TC_BODY(queue, tc)
{
	struct shop shop;
	struct bytes in = { 0 };
	uint16_t id;

	setup(&shop, "scripts=1,queue=1,queue_wait=3600,grace=0.3");
	for (id = 1; id <= 3; id++)
		add_script(&in, id, FCGI_KEEP_CONN, "/cgi-bin/echo");
	rig_send(shop.rig, &in);
	rig_wait_end(shop.rig, 3);
	check_page(&shop, 3, "503");
	rig_wait(shop.rig, FCGI_STDOUT, 1, 1);
	ATF_CHECK_EQ(1, shop.cgi.nqueue);
	in.len = 0;
	add_stdin(&in, 2, "two", 3);
	add_stdin(&in, 2, NULL, 0);
	add_stdin(&in, 1, NULL, 0);
	rig_send(shop.rig, &in);
	rig_wait_end(shop.rig, 1);
	rig_wait_end(shop.rig, 2);
	rig_check_text(shop.rig, FCGI_STDOUT, 2,
	    "Content-Type: text/plain\r\n\r\ntwo");
	teardown(&shop);
	bytes_free(&in);
}

/* Who waits too long is refused; who leaves the queue frees its place. */
ATF_TC_WITHOUT_HEAD(queue_wait);
ATF_TC_BODY(queue_wait, tc)
{
	struct shop shop;
	struct bytes in = { 0 };

	setup(&shop, "scripts=1,queue=1,queue_wait=0.2,grace=0.3");
	add_script(&in, 1, FCGI_KEEP_CONN, "/cgi-bin/echo");
	add_script(&in, 2, FCGI_KEEP_CONN, "/cgi-bin/echo");
	bytes_record(&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
	add_script(&in, 3, FCGI_KEEP_CONN, "/cgi-bin/echo");
	rig_send(shop.rig, &in);
	rig_wait_end(shop.rig, 3);
	check_page(&shop, 3, "503");
	ATF_CHECK_EQ(0, rig_count(shop.rig, FCGI_END_REQUEST, 1));
	ATF_CHECK_EQ(0, shop.cgi.nqueue);
	teardown(&shop);
	bytes_free(&in);
}

/* Silence before the header is 504; the process ends, TERM or not. */
ATF_TC_WITHOUT_HEAD(too_late);
ATF_TC_BODY(too_late, tc)
{
	struct shop shop;

	setup(&shop, "header_time=0.3,grace=0.1");
	run(&shop, 1, "#!/bin/sh\ntrap '' TERM; while :; do sleep 1; done\n");
	check_page(&shop, 1, "504");
	teardown(&shop);
}

/* Aborted, or left: the silent script is ended, and so are its children. */
ATF_TC_WITHOUT_HEAD(aborted);
ATF_TC_BODY(aborted, tc)
{
	struct shop shop;
	struct bytes in = { 0 };
	int leave;

	for (leave = 0; leave < 2; leave++) {
		setup(&shop, NULL);
		in.len = 0;
		site_file("tree/x", TEXT "sleep 3600 & sleep 3600\n", 0755);
		add_script(&in, 1, FCGI_KEEP_CONN, "/cgi-bin/x");
		rig_send(shop.rig, &in);
		rig_wait(shop.rig, FCGI_STDOUT, 1, 1);
		ATF_CHECK_EQ(1, shop.cgi.children.running);
		if (!leave) {
			in.len = 0;
			bytes_record(&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
			rig_send(shop.rig, &in);
			rig_wait_end(shop.rig, 1);
			ATF_REQUIRE(unit_loop(shop.rig->base, is_over, &shop));
		}
		teardown(&shop);
	}
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, echo);
	ATF_TP_ADD_TC(tp, exit_code_and_errors);
	ATF_TP_ADD_TC(tp, pages);
	ATF_TP_ADD_TC(tp, dies_late);
	ATF_TP_ADD_TC(tp, queue);
	ATF_TP_ADD_TC(tp, queue_wait);
	ATF_TP_ADD_TC(tp, too_late);
	ATF_TP_ADD_TC(tp, aborted);
	return atf_no_error();
}
