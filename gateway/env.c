/*
 * The environment is an array of pointers to strings that belong to others:
 * the parameters' memory, the command line.  What has to be made anew is owned,
 * and freed with it.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "params.h"
#include "script.h"
#include "uri.h"

#define OWN_MAX 16 /* variables that env_build adds */
#define WORDS_MAX 64 /* ISINDEX words */
#define PATH_DEFAULT "PATH=/usr/local/bin:/usr/bin:/bin"

struct builder {
	const struct params *params;
	const struct script *script;
	char **envp;
	size_t n; /* strings in envp */
	char **owned;
	size_t nowned;
	int failed; /* memory is lacking */
};

static int
is_one_of(const char *var, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (params_compare_names(var, names[i]) == 0)
			return 1;
	return 0;
}

/*
 * Names that change how a program is loaded or what it runs.  A web server has
 * no reason to send them.  HTTP_PROXY is a client's Proxy header (httpoxy); the
 * others with HTTP_ would contradict CONTENT_LENGTH and CONTENT_TYPE, or the
 * body, which has no transfer coding any more (RFC 3875 sections 4.1.18, 4.2).
 */
static int
is_dangerous(const char *var)
{
	static const char *const starts[] = { "LD_", "DYLD_", "AFCGI_",
		"BASH_FUNC_", "MALLOC_", "PYTHON", "LUA_INIT" };
	static const char *const names[] = { "BASH_ENV", "ENV", "IFS", "CDPATH",
		"SHELLOPTS", "BASHOPTS", "PS4", "PERL5OPT", "PERL5LIB",
		"PERL5DB", "PERLLIB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS",
		"NODE_PATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",
		"LUA_PATH", "LUA_CPATH", "GCONV_PATH", "LOCPATH", "NLSPATH",
		"GLIBC_TUNABLES", "GETCONF_DIR", "HOSTALIASES",
		"RESOLV_HOST_CONF", "HTTP_PROXY", "HTTP_CONTENT_LENGTH",
		"HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "PHPRC",
		"PHP_INI_SCAN_DIR", "ZDOTDIR", "OPENSSL_CONF", "PERL5SHELL",
		"GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND" };
	size_t i;

	for (i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (strncmp(var, starts[i], strlen(starts[i])) == 0)
			return 1;
	return is_one_of(var, names, sizeof names / sizeof names[0]);
}

/*
 * What the web server sent is left out where this file sets it itself, and
 * where an empty value means the same as none but not every script knows that
 * (section 4.1: a zero-length value and an unset variable are equivalent).
 */
static int
is_left_out(const char *var)
{
	static const char *const ours[] = { "GATEWAY_INTERFACE", "SCRIPT_NAME",
		"SCRIPT_FILENAME", "PATH_INFO", "PATH_TRANSLATED",
		"REDIRECT_STATUS", "FCGI_ROLE" };
	static const char *const not_empty[] = { "CONTENT_LENGTH",
		"CONTENT_TYPE", "REMOTE_USER", "REMOTE_IDENT", "AUTH_TYPE" };
	const char *value = strchr(var, '=') + 1;

	if (is_dangerous(var) ||
	    is_one_of(var, ours, sizeof ours / sizeof ours[0]))
		return 1;
	if (*value == '\0' &&
	    is_one_of(var, not_empty, sizeof not_empty / sizeof not_empty[0]))
		return 1;
	/* of unknown length: none, and the end of the input tells */
	return params_compare_names(var, "CONTENT_LENGTH") == 0 &&
	    value[strspn(value, "0123456789")] != '\0';
}

/* Keeps a new string (NULL: there was no memory for it) to be freed. */
static char *
own(struct builder *b, char *string)
{
	if (string == NULL)
		b->failed = 1;
	else
		b->owned[b->nowned++] = string;
	return string;
}

static void __attribute__((format(printf, 2, 3)))
add(struct builder *b, const char *fmt, ...)
{
	char *var;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&var, fmt, ap) == -1)
		var = NULL;
	va_end(ap);
	if (own(b, var) != NULL)
		b->envp[b->n++] = var;
}

/* The values of count variables of one name, in one variable. */
static char *
join_values(char *const *vars, size_t count, const char *separator)
{
	size_t i, len = 1, separator_len = strlen(separator);
	const char *value;
	char *joined, *to;

	for (i = 0; i < count; i++)
		len += strlen(vars[i]) + separator_len;
	if ((joined = to = malloc(len)) == NULL)
		return NULL;
	for (i = 0; i < count; i++) {
		value = vars[i];
		if (i > 0) {
			value = strchr(value, '=') + 1;
			memcpy(to, separator, separator_len);
			to += separator_len;
		}
		len = strlen(value);
		memcpy(to, value, len);
		to += len;
	}
	*to = '\0';
	return joined;
}

/*
 * A header that came several times is one list (RFC 9110 section 5.3; cookies:
 * RFC 6265 section 5.4); of anything else the last one counts, as web
 * servers' configurations expect.
 */
static void
add_params(struct builder *b, int authorizer)
{
	char *const *vars = b->params->vars;
	size_t i, count;
	char *var;

	for (i = 0; i < b->params->nvars; i += count) {
		for (count = 1; i + count < b->params->nvars; count++)
			if (params_compare_names(vars[i], vars[i + count]) != 0)
				break;
		var = vars[i + count - 1];
		/* an authorizer has no input; FastCGI section 6.3 */
		if (is_left_out(var) ||
		    (authorizer &&
			params_compare_names(var, "CONTENT_LENGTH") == 0))
			continue;
		if (count > 1 && strncmp(var, "HTTP_", 5) == 0)
			var = own(b,
			    join_values(vars + i, count,
				params_compare_names(var, "HTTP_COOKIE") == 0 ?
				    "; " :
				    ", "));
		if (var != NULL)
			b->envp[b->n++] = var;
	}
}

static int
has(const struct builder *b, const char *name)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (params_compare_names(b->envp[i], name) == 0)
			return 1;
	return 0;
}

/* Does a path have a component ".."? */
static int
goes_up(const char *path)
{
	size_t len;

	for (; *path != '\0'; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.')
			return 1;
	}
	return 0;
}

/*
 * Section 4.1.6: PATH_TRANSLATED goes with PATH_INFO.  The web server knows it
 * better, if it knows PATH_INFO.  A path that a script might open must not
 * lead out of where it starts.
 */
static void
add_paths(struct builder *b)
{
	const char *info = b->script->path_info;
	const char *root = params_get(b->params, "DOCUMENT_ROOT");
	const char *sent_info = params_get(b->params, "PATH_INFO");
	const char *sent = params_get(b->params, "PATH_TRANSLATED");

	add(b, "SCRIPT_FILENAME=%s", b->script->filename);
	add(b, "SCRIPT_NAME=%s", b->script->script_name);
	if (*info == '\0')
		return;
	add(b, "PATH_INFO=%s", info);
	if (goes_up(info))
		return;
	if (root == NULL || *root == '\0' ||
	    (sent_info != NULL && strcmp(info, sent_info) == 0 && sent != NULL))
		root = NULL;
	if (root != NULL)
		add(b, "PATH_TRANSLATED=%s%s", root, info);
	else if (sent != NULL)
		add(b, "PATH_TRANSLATED=%s", sent);
}

static void
add_own(struct builder *b, const char *const *extra, int authorizer)
{
	/* the MUSTs of section 4.1 that a web server may have left out */
	static const char *const defaults[] = { PATH_DEFAULT,
		"QUERY_STRING=", "REQUEST_METHOD=GET",
		"SERVER_PROTOCOL=HTTP/1.0", "SERVER_SOFTWARE=afcgi",
		"SERVER_NAME=localhost", "SERVER_PORT=80", "REMOTE_ADDR=" };
	size_t i;

	add(b, "GATEWAY_INTERFACE=CGI/1.1");
	/* php-cgi takes it as a proof that it was not called directly */
	if (b->script->interpreter != NULL)
		add(b, "REDIRECT_STATUS=200");
	if (authorizer)
		add(b, "FCGI_ROLE=AUTHORIZER");
	for (; *extra != NULL; extra++)
		if (!has(b, *extra))
			add(b, "%s", *extra);
	for (i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
		if (!has(b, defaults[i]))
			add(b, "%s", defaults[i]);
}

/*
 * Decodes the len bytes of a word, a backslash before what a shell would act
 * upon (section 7.2).  Returns NULL for a word that must not be passed on:
 * with a NUL, or one that a program could take for an option.
 */
static char *
decode_word(const char *p, size_t len)
{
	char *word, *to;
	int byte;

	if ((to = word = malloc(2 * len + 1)) == NULL)
		return NULL;
	for (; len > 0; p++, len--) {
		char c = *p;

		if (len > 2 && (byte = uri_decode_byte(p)) != -1) {
			c = (char)byte;
			p += 2;
			len -= 2;
		}
		if (c == '\0' || (c == '-' && to == word)) {
			free(word);
			return NULL;
		}
		if (strchr("&;`'\"|*?~<>^()[]{}$\\\n", c) != NULL)
			*to++ = '\\';
		*to++ = c;
	}
	*to = '\0';
	return word;
}

/* Section 4.4.  Returns how many words were put into words. */
static size_t
isindex_words(struct builder *b, char **words)
{
	const char *method = params_get(b->params, "REQUEST_METHOD");
	const char *query = params_get(b->params, "QUERY_STRING");
	size_t n = 0, len;

	if (method == NULL || query == NULL || *query == '\0' ||
	    strchr(query, '=') != NULL ||
	    (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		return 0;
	for (;; query += len + 1) {
		len = strcspn(query, "+");
		if (n == WORDS_MAX ||
		    (words[n] = decode_word(query, len)) == NULL) {
			for (; n > 0; words[n] = NULL)
				free(words[--n]);
			return 0;
		}
		n++;
		if (query[len] == '\0')
			return n;
	}
}

static int
build_argv(struct env *env, struct builder *b, int isindex)
{
	size_t n = 0, words, i;

	env->argv = calloc(WORDS_MAX + 3, sizeof *env->argv);
	if (env->argv == NULL)
		return -1;
	if (b->script->interpreter != NULL)
		env->argv[n++] = own(b, strdup(b->script->interpreter));
	env->argv[n++] = own(b, strdup(b->script->filename));
	if (!isindex || b->failed)
		return 0;
	words = isindex_words(b, env->argv + n);
	for (i = 0; i < words; i++)
		(void)own(b, env->argv[n + i]);
	return 0;
}

int
env_build(struct env *env, const struct params *params,
    const struct script *script, const char *const *extra, int isindex,
    int authorizer)
{
	struct builder b = { .params = params, .script = script };
	size_t nextra, most;

	for (nextra = 0; extra[nextra] != NULL; nextra++)
		continue;
	memset(env, 0, sizeof *env);
	most = params->nvars + nextra + OWN_MAX;
	env->envp = b.envp = calloc(most + 1, sizeof *b.envp);
	env->owned = b.owned = calloc(most + WORDS_MAX + 3, sizeof *b.owned);
	if (b.envp == NULL || b.owned == NULL)
		goto nomem;
	add_params(&b, authorizer);
	add_paths(&b);
	add_own(&b, extra, authorizer);
	if (build_argv(env, &b, isindex) == -1 || b.failed)
		goto nomem;
	return 0;
nomem:
	env_clear(env);
	errno = ENOMEM;
	return -1;
}

void
env_clear(struct env *env)
{
	char **p;

	for (p = env->owned; p != NULL && *p != NULL; p++)
		free(*p);
	free(env->owned);
	free(env->envp);
	free(env->argv);
	memset(env, 0, sizeof *env);
}
