/*
 * The environment of a script, env.c:
 *   - the meta-variables of RFC 3875 that must be there are, once each; what
 *     the web server sent wins over their defaults
 *   - headers sent several times are joined; of others the last counts
 *   - names that change how programs load or run are dropped, and AFCGI_*,
 *     HTTP_PROXY, HTTP_CONTENT_LENGTH and HTTP_CONTENT_TYPE
 *   - empty values that some scripts misread are dropped
 *   - SCRIPT_NAME, PATH_INFO, PATH_TRANSLATED and SCRIPT_FILENAME are those of
 *     the script that was found
 *   - -e variables reach every script; none stands twice
 *   - REDIRECT_STATUS is for interpreters only, FCGI_ROLE for authorizers
 * The arguments are in argv_test.c.
 */
#include "unit_env.h"

/* No name stands twice: programs do not agree on which one counts. */
static void
check_unique(const struct env *env)
{
	char **a, **b;

	for (a = env->envp; *a != NULL; a++) {
		ATF_CHECK_MSG(strchr(*a, '=') > *a, "%s", *a);
		for (b = a + 1; *b != NULL; b++)
			ATF_CHECK_MSG(params_compare_names(*a, *b) != 0,
			    "%s and %s", *a, *b);
	}
}

static void
check(struct world *w, const char *name, const char *want)
{
	const char *got = world_get(w, name);

	if (want == NULL)
		ATF_CHECK_MSG(got == NULL, "%s=%s", name, got);
	else {
		ATF_REQUIRE_MSG(got != NULL, "no %s", name);
		ATF_CHECK_STREQ(want, got);
	}
}

/* A request that says nothing still gives all that the standard demands. */
ATF_TC_WITHOUT_HEAD(musts);
ATF_TC_BODY(musts, tc)
{
	struct world w;

	world_init(&w);
	world_build(&w);
	check(&w, "GATEWAY_INTERFACE", "CGI/1.1");
	check(&w, "QUERY_STRING", "");
	check(&w, "REQUEST_METHOD", "GET");
	check(&w, "SERVER_PROTOCOL", "HTTP/1.0");
	ATF_CHECK(world_get(&w, "SERVER_SOFTWARE") != NULL);
	ATF_CHECK(world_get(&w, "PATH") != NULL);
	check(&w, "SCRIPT_NAME", "/cgi-bin/x");
	check(&w, "SCRIPT_FILENAME", "/tree/x");
	check(&w, "PATH_INFO", NULL);
	check(&w, "CONTENT_LENGTH", NULL);
	check(&w, "FCGI_ROLE", NULL);
	check(&w, "REDIRECT_STATUS", NULL);
	check_unique(&w.env);
	world_clear(&w);
}

/* What the web server says counts, empty or not. */
ATF_TC_WITHOUT_HEAD(sent);
ATF_TC_BODY(sent, tc)
{
	struct world w;

	world_init(&w);
	world_param(&w, "QUERY_STRING", "a=b&c");
	world_param(&w, "REQUEST_METHOD", "PUT");
	world_param(&w, "SERVER_PROTOCOL", "HTTP/2.0");
	world_param(&w, "SERVER_SOFTWARE", "nginx/1.22.1");
	world_param(&w, "GATEWAY_INTERFACE", "CGI/9");
	world_param(&w, "PATH", "/opt/bin");
	world_param(&w, "CONTENT_LENGTH", "17");
	world_param(&w, "CONTENT_TYPE", "a/b");
	world_param(&w, "REMOTE_USER", "u");
	world_param(&w, "AUTH_TYPE", "Basic");
	world_param(&w, "HTTPS", "");
	world_param(&w, "HTTP_ACCEPT", "");
	world_param(&w, "SSL_CLIENT_CERT", "one\ntwo\n");
	world_param(&w, "unusual", "x=y=z");
	world_build(&w);
	check(&w, "QUERY_STRING", "a=b&c");
	check(&w, "REQUEST_METHOD", "PUT");
	check(&w, "SERVER_PROTOCOL", "HTTP/2.0");
	check(&w, "SERVER_SOFTWARE", "nginx/1.22.1");
	check(&w, "GATEWAY_INTERFACE", "CGI/1.1");
	check(&w, "PATH", "/opt/bin");
	check(&w, "CONTENT_LENGTH", "17");
	check(&w, "CONTENT_TYPE", "a/b");
	check(&w, "REMOTE_USER", "u");
	check(&w, "AUTH_TYPE", "Basic");
	check(&w, "HTTPS", "");
	check(&w, "HTTP_ACCEPT", "");
	check(&w, "SSL_CLIENT_CERT", "one\ntwo\n");
	check(&w, "unusual", "x=y=z");
	check_unique(&w.env);
	world_clear(&w);
}

/* A header is one list, cookies by their own rule; the rest: the last. */
ATF_TC_WITHOUT_HEAD(duplicates);
ATF_TC_BODY(duplicates, tc)
{
	struct world w;

	world_init(&w);
	world_param(&w, "HTTP_X", "1");
	world_param(&w, "REMOTE_ADDR", "first");
	world_param(&w, "HTTP_COOKIE", "a=1");
	world_param(&w, "HTTP_X", "");
	world_param(&w, "HTTP_X_Y", "other");
	world_param(&w, "HTTP_COOKIE", "b=2");
	world_param(&w, "HTTP_X", "3, 4");
	world_param(&w, "REMOTE_ADDR", "last");
	world_param(&w, "HTTP_COOKIE", "c=3");
	world_param(&w, "QUERY_STRING", "x");
	world_param(&w, "QUERY_STRING", "");
	world_build(&w);
	check(&w, "HTTP_X", "1, , 3, 4");
	check(&w, "HTTP_X_Y", "other");
	check(&w, "HTTP_COOKIE", "a=1; b=2; c=3");
	check(&w, "REMOTE_ADDR", "last");
	check(&w, "QUERY_STRING", "");
	check_unique(&w.env);
	world_clear(&w);
}

/* None of the names that could make a program run something else passes. */
ATF_TC_WITHOUT_HEAD(dangerous);
ATF_TC_BODY(dangerous, tc)
{
	static const char *const names[] = { "LD_PRELOAD", "LD_LIBRARY_PATH",
		"LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "IFS",
		"PERL5OPT", "PERL5LIB", "PYTHONPATH", "PYTHONSTARTUP",
		"RUBYOPT", "GCONV_PATH", "BASH_FUNC_ls%%", "HTTP_PROXY",
		"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "AFCGI_IDLE_TIME",
		"AFCGI_ANYTHING", "REDIRECT_STATUS", "FCGI_ROLE" };
	static const char *const near[] = { "LDX", "ENVIRON", "IFSX",
		"HTTP_PROXY_X", "HTTP_CONTENT", "XLD_PRELOAD",
		"HTTP_LD_PRELOAD" };
	struct world w;
	size_t i;

	world_init(&w);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		world_param(&w, names[i], "x");
		world_param(&w, names[i], "y");
	}
	for (i = 0; i < sizeof near / sizeof near[0]; i++)
		world_param(&w, near[i], "x");
	world_build(&w);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		check(&w, names[i], NULL);
	for (i = 0; i < sizeof near / sizeof near[0]; i++)
		check(&w, near[i], "x");
	world_clear(&w);
}

/* Scripts take an empty length for one, an empty user for somebody. */
ATF_TC_WITHOUT_HEAD(empty);
ATF_TC_BODY(empty, tc)
{
	static const char *const names[] = { "CONTENT_LENGTH", "CONTENT_TYPE",
		"REMOTE_USER", "REMOTE_IDENT", "AUTH_TYPE" };
	static const char *const bad[] = { "-1", "12x", "+5", "0x10", " 7" };
	struct world w;
	size_t i;

	world_init(&w);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		world_param(&w, names[i], "");
	world_build(&w);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		check(&w, names[i], NULL);
	world_clear(&w);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		world_init(&w);
		world_param(&w, "CONTENT_LENGTH", bad[i]);
		world_build(&w);
		check(&w, "CONTENT_LENGTH", NULL);
		world_clear(&w);
	}
	/* the last one counts here too */
	world_init(&w);
	world_param(&w, "CONTENT_LENGTH", "5");
	world_param(&w, "CONTENT_LENGTH", "");
	world_build(&w);
	check(&w, "CONTENT_LENGTH", NULL);
	world_clear(&w);
}

/* The paths are what the search found, whatever was sent. */
ATF_TC_WITHOUT_HEAD(paths);
ATF_TC_BODY(paths, tc)
{
	struct world w;

	world_init(&w);
	world_param(&w, "SCRIPT_NAME", "/wrong");
	world_param(&w, "SCRIPT_FILENAME", "/wrong");
	world_param(&w, "PATH_INFO", "/wrong");
	world_param(&w, "PATH_TRANSLATED", "/wrong");
	world_param(&w, "DOCUMENT_ROOT", "/var/www");
	world_build(&w);
	check(&w, "SCRIPT_NAME", "/cgi-bin/x");
	check(&w, "SCRIPT_FILENAME", "/tree/x");
	check(&w, "PATH_INFO", NULL);
	check(&w, "PATH_TRANSLATED", NULL);
	check_unique(&w.env);
	world_clear(&w);

	world_init(&w);
	w.info = "/a/b";
	world_param(&w, "PATH_INFO", "/wrong");
	world_param(&w, "PATH_TRANSLATED", "/wrong");
	world_param(&w, "DOCUMENT_ROOT", "/var/www");
	world_build(&w);
	check(&w, "PATH_INFO", "/a/b");
	check(&w, "PATH_TRANSLATED", "/var/www/a/b");
	check_unique(&w.env);
	world_clear(&w);

	/* without a root, the web server's word is all there is */
	world_init(&w);
	w.info = "/a/b";
	world_param(&w, "PATH_TRANSLATED", "/other/a/b");
	world_build(&w);
	check(&w, "PATH_INFO", "/a/b");
	check(&w, "PATH_TRANSLATED", "/other/a/b");
	check_unique(&w.env);
	world_clear(&w);
}

/* The administrator's variables are in every environment. */
ATF_TC_WITHOUT_HEAD(extra);
ATF_TC_BODY(extra, tc)
{
	static const char *const extra[] = { "GIT_PROJECT_ROOT=/srv/git",
		"EMPTY=", "PATH=/sbin", "LD_PRELOAD=/ok.so", NULL };
	struct world w;

	world_init(&w);
	w.extra = extra;
	world_param(&w, "LD_PRELOAD", "/evil.so");
	world_build(&w);
	check(&w, "GIT_PROJECT_ROOT", "/srv/git");
	check(&w, "EMPTY", "");
	check(&w, "PATH", "/sbin");
	/* what only he may set he may set, and nobody else can */
	check(&w, "LD_PRELOAD", "/ok.so");
	check_unique(&w.env);
	world_clear(&w);
}

/* His defaults for the standard's variables do not stand twice. */
ATF_TC_WITHOUT_HEAD(extra_once);
ATF_TC_BODY(extra_once, tc)
{
	static const char *const extra[] = { "QUERY_STRING=q",
		"SERVER_SOFTWARE=mine", "REQUEST_METHOD=POST",
		"SERVER_PROTOCOL=HTTP/9", "GATEWAY_INTERFACE=CGI/7",
		"SCRIPT_NAME=/no", "SCRIPT_FILENAME=/no", "PATH_INFO=/no",
		"FCGI_ROLE=X", "SAME=1", "SAME=2", NULL };
	struct world w;

	world_init(&w);
	w.extra = extra;
	world_build(&w);
	check_unique(&w.env);
	world_clear(&w);

	world_init(&w);
	w.extra = extra;
	w.authorizer = 1;
	w.info = "/i";
	world_param(&w, "QUERY_STRING", "sent");
	world_param(&w, "SAME", "sent");
	world_build(&w);
	check_unique(&w.env);
	check(&w, "SCRIPT_NAME", "/cgi-bin/x");
	world_clear(&w);
}

/* php-cgi's guard opens for an interpreter mapping alone. */
ATF_TC_WITHOUT_HEAD(interpreter_and_role);
ATF_TC_BODY(interpreter_and_role, tc)
{
	struct world w;

	world_init(&w);
	w.script.interpreter = "/usr/bin/php-cgi";
	world_param(&w, "REDIRECT_STATUS", "403");
	world_build(&w);
	check(&w, "REDIRECT_STATUS", "200");
	check_unique(&w.env);
	world_clear(&w);

	world_init(&w);
	w.authorizer = 1;
	world_param(&w, "FCGI_ROLE", "RESPONDER");
	world_build(&w);
	check(&w, "FCGI_ROLE", "AUTHORIZER");
	check(&w, "REDIRECT_STATUS", NULL);
	check_unique(&w.env);
	world_clear(&w);
}

/* Thousands of variables, each in its place. */
ATF_TC_WITHOUT_HEAD(many);
ATF_TC_BODY(many, tc)
{
	struct world w;
	char name[32];
	int i;

	world_init(&w);
	for (i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof name, "HTTP_H%d", i % 1500);
		world_param(&w, name, name + 6);
	}
	world_build(&w);
	check(&w, "HTTP_H0", "0, 0");
	check(&w, "HTTP_H1499", "1499, 1499");
	for (i = 0; w.env.envp[i] != NULL; i++)
		continue;
	ATF_CHECK(i >= 1500 && i < 1520);
	world_clear(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, musts);
	ATF_TP_ADD_TC(tp, sent);
	ATF_TP_ADD_TC(tp, duplicates);
	ATF_TP_ADD_TC(tp, dangerous);
	ATF_TP_ADD_TC(tp, empty);
	ATF_TP_ADD_TC(tp, paths);
	ATF_TP_ADD_TC(tp, extra);
	ATF_TP_ADD_TC(tp, extra_once);
	ATF_TP_ADD_TC(tp, interpreter_and_role);
	ATF_TP_ADD_TC(tp, many);
	return atf_no_error();
}
