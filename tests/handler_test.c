/*
 * What handler.h promises to the author of a server, with handlers that use
 * nothing else; what request_test.c has is not here:
 *   - a handler that ends each request in begin needs no other call-back;
 *     parameters are there until they are dropped
 *   - input that is passed on as far as there is room: nothing is lost, and
 *     nothing is kept while the client does not read
 *   - a stalled request is cut while others go on
 *   - a call-back may write to other requests, and end them, in aborted too
 *   - request_fail: a page, or a cut
 *   - request_input_ready inside begin, input_arrived and writable
 *   - what an idle request costs
 */
#include <stdio.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "unit_flow.h"

#define NREQS 4

/* The handler's argument, and the context of each of its requests. */
struct toy {
	struct request *reqs[NREQS]; /* in the order in which they began */
	unsigned n;
	unsigned nwritable;
	unsigned nend;
	unsigned naborted;
	unsigned shy; /* times that input takes nothing */
};

static void
toy_begin(struct request *req, void *arg)
{
	struct toy *toy = arg;

	ATF_REQUIRE(toy->n < NREQS);
	toy->reqs[toy->n++] = req;
	request_set_context(req, toy);
}

static void
toy_fail(struct request *req, int error)
{
	(void)req;
	atf_tc_fail("input failed: %s", strerror(error));
}

static void
toy_ignore(struct request *req)
{
	(void)req;
}

/* Sends a request's input back, as far as there is room. */
static void
relay_begin(struct request *req, void *arg)
{
	toy_begin(req, arg);
	request_drop_params(req);
	request_input_ready(req);
}

static size_t
relay_input(struct request *req, const uint8_t *p, size_t n)
{
	struct toy *toy = request_context(req);

	if (toy->shy == 0)
		return request_write(req, FCGI_STDOUT, p, n);
	toy->shy--;
	return 0;
}

static void
relay_input_end(struct request *req)
{
	((struct toy *)request_context(req))->nend++;
	request_end(req, 0);
}

static void
relay_writable(struct request *req)
{
	((struct toy *)request_context(req))->nwritable++;
	request_input_ready(req);
}

static void
relay_aborted(struct request *req)
{
	((struct toy *)request_context(req))->naborted++;
}

static const struct handler relay = {
	.begin = relay_begin,
	.input = relay_input,
	.input_arrived = toy_ignore,
	.input_end = relay_input_end,
	.input_failed = toy_fail,
	.writable = relay_writable,
	.aborted = relay_aborted,
};

static struct rig *
toy_rig(struct rig *rig, const struct handler *handler, struct toy *toy)
{
	if (toy != NULL)
		memset(toy, 0, sizeof *toy);
	rig->server.handler = handler;
	rig->server.handler_arg = toy;
	return rig;
}

static void
hello_begin(struct request *req, void *arg)
{
	(void)arg;
	ATF_CHECK_EQ(1, request_from_nginx(req));
	request_drop_params(req);
	request_drop_params(req);
	ATF_CHECK_EQ(0, request_from_nginx(req));
	ATF_CHECK(request_param(req, "SERVER_SOFTWARE") == NULL);
	ATF_CHECK_EQ(6, request_write(req, FCGI_STDOUT, "\nhello", 6));
	request_end(req, 0);
}

/* What comes for a request that has been answered is nobody's matter. */
ATF_TC_WITHOUT_HEAD(begin_only);
ATF_TC_BODY(begin_only, tc)
{
	static const struct handler hello = { .begin = hello_begin };
	struct bytes in = { 0 }, pairs = { 0 };
	struct toy toy;
	struct rig *rig = toy_rig(rig_new(NULL), &hello, &toy);
	uint16_t id;

	bytes_pair(&pairs, "SERVER_SOFTWARE", "nginx/1.22.1");
	for (id = 1; id <= 2; id++) {
		bytes_begin(&in, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
		bytes_record(&in, FCGI_PARAMS, id, pairs.p, pairs.len, 0);
		bytes_record(&in, FCGI_PARAMS, id, NULL, 0, 0);
		add_stdin(&in, id, "unwanted", 8);
		if (id == 1)
			add_stdin(&in, id, NULL, 0);
		else
			bytes_record(&in, FCGI_ABORT_REQUEST, id, NULL, 0, 0);
		rig_say(rig, &in);
		rig_wait_end(rig, id);
		rig_check_text(rig, FCGI_STDOUT, id, "\nhello");
		rig_check_end(rig, id, 0, FCGI_REQUEST_COMPLETE);
	}
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&pairs);
}

/* Sends what is taken from a web server that does not read. */
static size_t
send_deaf(struct rig *rig, const struct bytes *in)
{
	size_t sent = 0;
	unsigned idle = 0;
	ssize_t n;

	rig_set_deaf(rig, 1);
	while (idle < 3 && sent < in->len) {
		n = write(rig->fd, in->p + sent, in->len - sent);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		unit_loop_for(rig->base, 20);
	}
	rig_set_deaf(rig, 0);
	return sent;
}

/* There is no room for it on disk, and hardly any in memory. */
ATF_TC_WITHOUT_HEAD(back_pressure);
ATF_TC_BODY(back_pressure, tc)
{
	const size_t size = 3000000, piece = 60000;
	struct bytes in = { 0 }, out = { 0 };
	struct toy toy;
	struct rig *rig =
	    toy_rig(rig_new("stdin=4k,spool=0,output=64k"), &relay, &toy);
	uint8_t *data = malloc(size);
	size_t at;

	ATF_REQUIRE(data != NULL);
	unit_pattern(data, size, 7);
	add_request(&in, 1, 0, "", NULL, NULL);
	for (at = 0; at < size; at += piece)
		add_stdin(&in, 1, data + at, piece);
	add_stdin(&in, 1, NULL, 0);
	at = send_deaf(rig, &in);
	ATF_CHECK(at < in.len / 2);
	ATF_CHECK_EQ(0, toy.nwritable);
	bytes_drop(&in, at);
	rig_send(rig, &in);
	rig_wait_end(rig, 1);
	ATF_CHECK(toy.nwritable > 0);
	ATF_CHECK_EQ(1, toy.nend);
	rig_stream(rig, FCGI_STDOUT, 1, &out);
	ATF_REQUIRE_EQ(size, out.len);
	ATF_CHECK_EQ(0, memcmp(data, out.p, size));
	rig_free(rig);
	bytes_free(&in);
	bytes_free(&out);
	free(data);
}

/* It waits for credit, at no time's limit but the handler's. */
ATF_TC_WITHOUT_HEAD(stalled);
ATF_TC_BODY(stalled, tc)
{
	struct bytes in = { 0 };
	struct toy toy;
	struct rig *rig = toy_rig(rig_flow(NULL), &relay, &toy);

	add_windowed(&in, 1, AFCGI_COST(5), "", NULL, NULL);
	add_windowed(&in, 2, 1000, "", NULL, NULL);
	add_stdin(&in, 1, "stalled", 7);
	add_stdin(&in, 2, "at ease", 7);
	add_stdin(&in, 2, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 2);
	rig_check_text(rig, FCGI_STDOUT, 2, "at ease");
	rig_check_text(rig, FCGI_STDOUT, 1, "stall");
	ATF_CHECK_EQ(0, rig_count(rig, FCGI_END_REQUEST, 1));
	request_fail(toy.reqs[0], 503); /* something has been written */
	add_credit(&in, 1, 1000);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_end(rig, 1, 1, AFCGI_CUT);
	rig_check_text(rig, FCGI_STDOUT, 1, "stall");
	ATF_CHECK_EQ(0, toy.nwritable);
	ATF_CHECK_EQ(0, toy.naborted);
	rig_free(rig);
	bytes_free(&in);
}

/* Writes to two of the others, and ends all of them. */
static void
end_others(struct toy *toy, const struct request *req)
{
	unsigned i;

	for (i = 0; i < toy->n; i++) {
		if (toy->reqs[i] == req)
			continue;
		if (i > 0)
			(void)request_write(toy->reqs[i], FCGI_STDOUT, "\n", 1);
		if (i == 1)
			request_end(toy->reqs[i], 0);
		else
			request_fail(toy->reqs[i], 507);
	}
}

static void
others_input_end(struct request *req)
{
	end_others(request_context(req), req);
	request_page(req, 404);
}

static void
others_aborted(struct request *req)
{
	struct toy *toy = request_context(req);

	toy->naborted++;
	end_others(toy, req);
}

static void
begin_four(struct rig *rig, struct bytes *in)
{
	uint16_t id;

	for (id = 1; id <= 4; id++)
		add_request(in, id, FCGI_KEEP_CONN, "", NULL, NULL);
	rig_say(rig, in);
}

/* The others' call-backs do not come any more. */
ATF_TC_WITHOUT_HEAD(others);
ATF_TC_BODY(others, tc)
{
	struct handler handler = relay;
	struct bytes in = { 0 };
	struct toy toy;
	struct rig *rig;

	handler.input_end = others_input_end;
	handler.aborted = others_aborted;
	rig = toy_rig(rig_new(NULL), &handler, &toy);
	begin_four(rig, &in);
	add_stdin(&in, 4, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 4);
	rig_check_end(rig, 1, 0, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 2, 0, FCGI_REQUEST_COMPLETE);
	rig_check_end(rig, 3, 1, FCGI_REQUEST_COMPLETE);
	ATF_CHECK(memcmp(rig->got.p + FCGI_HEADER_LEN, "Status: 507", 11) == 0);
	rig_check_text(rig, FCGI_STDOUT, 3, "\n");
	ATF_CHECK_EQ(0, toy.naborted);
	rig_free(rig);

	rig = toy_rig(rig_new(NULL), &handler, &toy);
	begin_four(rig, &in);
	rig_free(rig);
	ATF_CHECK_EQ(1, toy.naborted);
	bytes_free(&in);
}

/* What was refused at first is delivered, and then the end, all from inside. */
ATF_TC_WITHOUT_HEAD(ready_inside);
ATF_TC_BODY(ready_inside, tc)
{
	struct handler handler = relay;
	struct bytes in = { 0 };
	struct toy toy;
	struct rig *rig;

	handler.input_arrived = request_input_ready;
	rig = toy_rig(rig_new(NULL), &handler, &toy);
	toy.shy = 2;
	add_request(&in, 1, FCGI_KEEP_CONN, "", NULL, NULL);
	add_stdin(&in, 1, "abc", 3);
	rig_say(rig, &in);
	request_input_ready(toy.reqs[0]);
	ATF_CHECK_EQ(0, toy.shy);
	add_stdin(&in, 1, "def", 3);
	add_stdin(&in, 1, NULL, 0);
	rig_say(rig, &in);
	rig_wait_end(rig, 1);
	rig_check_text(rig, FCGI_STDOUT, 1, "abcdef");
	ATF_CHECK_EQ(1, toy.nend);
	rig_free(rig);
	bytes_free(&in);
}

/* Bytes that are allocated, where that can be asked. */
static size_t
allocated(void)
{
#ifdef __GLIBC__
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

static void
idle_begin(struct request *req, void *arg)
{
	(void)arg;
	request_drop_params(req);
}

/* As handler.h says: less than 300 bytes each. */
ATF_TC_WITHOUT_HEAD(idle_cost);
ATF_TC_BODY(idle_cost, tc)
{
	struct handler handler = relay;
	struct bytes in = { 0 };
	struct rig *rig = toy_rig(rig_new(NULL), &handler, NULL);
	size_t before = 0, cost;
	uint16_t id;

	handler.begin = idle_begin;
	handler.aborted = toy_ignore;
	for (id = 1; id <= 2000; id++) {
		if (id == 1001)
			before = allocated();
		add_request(&in, id, FCGI_KEEP_CONN, "", NULL, NULL);
		rig_say(rig, &in);
	}
	cost = (allocated() - before) / 1000;
	ATF_REQUIRE_EQ(2000, rig_conn(rig)->live);
	(void)printf("%zu bytes\n", cost);
	ATF_CHECK(cost < 300);
	rig_free(rig);
	bytes_free(&in);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, begin_only);
	ATF_TP_ADD_TC(tp, back_pressure);
	ATF_TP_ADD_TC(tp, stalled);
	ATF_TP_ADD_TC(tp, others);
	ATF_TP_ADD_TC(tp, ready_inside);
	ATF_TP_ADD_TC(tp, idle_cost);
	return atf_no_error();
}
