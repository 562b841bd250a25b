/*
 * The arguments of a script, env.c:
 *   - argv[0] is the script's path, or the interpreter's with it behind
 *   - ISINDEX words (RFC 3875 section 4.4) only when asked for, for GET and
 *     HEAD, and a query without '='
 *   - they are decoded, and what a shell would act upon gets a backslash
 *   - words that a program could take for an option, or with a NUL, and too
 *     many words: there are none at all then
 */
#include <stdarg.h>

#include "unit_env.h"

/* argv is exactly the strings that follow, ended by NULL. */
static void
check_argv(const struct world *w, ...)
{
	va_list ap;
	const char *want;
	char **p = w->env.argv;

	va_start(ap, w);
	while ((want = va_arg(ap, const char *)) != NULL) {
		ATF_REQUIRE_MSG(*p != NULL, "\"%s\" is missing", want);
		ATF_CHECK_STREQ(want, *p);
		p++;
	}
	va_end(ap);
	ATF_CHECK_MSG(*p == NULL, "there is more");
}

static void
build(struct world *w, int isindex, const char *method, const char *query)
{
	world_init(w);
	w->isindex = isindex;
	if (method != NULL)
		world_param(w, "REQUEST_METHOD", method);
	if (query != NULL)
		world_param(w, "QUERY_STRING", query);
	world_build(w);
}

static void
check_none(int isindex, const char *method, const char *query)
{
	struct world w;

	build(&w, isindex, method, query);
	check_argv(&w, "/tree/x", NULL);
	world_clear(&w);
}

static void
check_one(const char *query, const char *want)
{
	struct world w;

	build(&w, 1, "GET", query);
	check_argv(&w, "/tree/x", want, NULL);
	world_clear(&w);
}

/* Without words it is the script alone, behind its interpreter if it has one */
ATF_TC_WITHOUT_HEAD(program);
ATF_TC_BODY(program, tc)
{
	struct world w;

	build(&w, 0, "GET", NULL);
	check_argv(&w, "/tree/x", NULL);
	world_clear(&w);

	world_init(&w);
	w.script.interpreter = "/usr/bin/php-cgi";
	world_build(&w);
	check_argv(&w, "/usr/bin/php-cgi", "/tree/x", NULL);
	world_clear(&w);
}

/* Words are divided by '+'; an empty one is one. */
ATF_TC_WITHOUT_HEAD(words);
ATF_TC_BODY(words, tc)
{
	struct world w;

	build(&w, 1, "GET", "one+two+th%72ee%2Bx");
	check_argv(&w, "/tree/x", "one", "two", "three+x", NULL);
	world_clear(&w);
	build(&w, 1, "HEAD", "a");
	check_argv(&w, "/tree/x", "a", NULL);
	world_clear(&w);
	build(&w, 1, "GET", "a++b+");
	check_argv(&w, "/tree/x", "a", "", "b", "", NULL);
	world_clear(&w);
	check_one("%e4%F6", "\xe4\xf6");
	check_one("%", "%");
	check_one("%4", "%4");
	check_one("%zz%1g", "%zz%1g");
	check_one("a-b", "a-b");
}

/* Only when asked for, and only where the standard says so. */
ATF_TC_WITHOUT_HEAD(not_isindex);
ATF_TC_BODY(not_isindex, tc)
{
	check_none(0, "GET", "a+b");
	check_none(1, "POST", "a+b");
	check_none(1, "get", "a+b");
	check_none(1, NULL, "a+b");
	check_none(1, "GET", "a=b");
	check_none(1, "GET", "a+b=");
	check_none(1, "GET", "=");
	check_none(1, "GET", "");
	check_none(1, "GET", NULL);
}

/* A backslash goes before each byte that means something to a shell. */
ATF_TC_WITHOUT_HEAD(shell_bytes);
ATF_TC_BODY(shell_bytes, tc)
{
	static const char special[] = "&;`'\"|*?~<>^()[]{}$\\\n";
	char query[4], want[3], c;
	unsigned i;

	for (i = 1; i < 256; i++) {
		c = (char)i;
		if (c == '-')
			continue;
		(void)snprintf(query, sizeof query, "%%%02x", i);
		want[0] = '\\';
		want[1] = c;
		want[2] = '\0';
		check_one(query, strchr(special, c) != NULL ? want : want + 1);
	}
	check_one("$(reboot)", "\\$\\(reboot\\)");
	check_one("%24%28reboot%29", "\\$\\(reboot\\)");
}

/* An option or a NUL in any word: no words at all (CVE-2012-1823). */
ATF_TC_WITHOUT_HEAD(options);
ATF_TC_BODY(options, tc)
{
	check_none(1, "GET", "-s");
	check_none(1, "GET", "%2ds");
	check_none(1, "GET", "%2Ds");
	check_none(1, "GET", "-");
	check_none(1, "GET", "good+-s");
	check_none(1, "GET", "good+more+%2d-x+rest");
	check_none(1, "GET", "%00");
	check_none(1, "GET", "a%00b");
	check_none(1, "GET", "good+a%00");
}

/* A query of very many words is passed as a query only. */
ATF_TC_WITHOUT_HEAD(many);
ATF_TC_BODY(many, tc)
{
	char query[4096];
	struct world w;
	size_t n, i;

	memset(query, 0, sizeof query);
	for (n = 0; n < 2000; n++)
		memcpy(query + 2 * n, "a+", 2);
	query[2 * n - 1] = '\0';
	check_none(1, "GET", query);
	/* a few dozen are no trouble */
	query[2 * 40 - 1] = '\0';
	build(&w, 1, "GET", query);
	for (i = 1; i <= 40; i++) {
		ATF_REQUIRE(w.env.argv[i] != NULL);
		ATF_CHECK_STREQ("a", w.env.argv[i]);
	}
	ATF_CHECK(w.env.argv[41] == NULL);
	world_clear(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, program);
	ATF_TP_ADD_TC(tp, words);
	ATF_TP_ADD_TC(tp, not_isindex);
	ATF_TP_ADD_TC(tp, shell_bytes);
	ATF_TP_ADD_TC(tp, options);
	ATF_TP_ADD_TC(tp, many);
	return atf_no_error();
}
