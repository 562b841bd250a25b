/*
 * Script trees in a test's own directory, and searches in them: for
 * script_test.c, script_uri_test.c and spawner_test.c.  In paths, "@" at the
 * start stands for that directory.
 */
#ifndef UNIT_SCRIPT_H
#define UNIT_SCRIPT_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../gateway/params.h"
#include "../gateway/script.h"
#include "../gateway/trees.h"
#include "unit.h"

struct site {
	struct trees trees;
	char top[PATH_MAX];
};

/* A path or a parameter with "@" replaced; the caller frees it. */
static inline char *
site_path(const struct site *site, const char *text)
{
	const char *at = strchr(text, '@');
	char *path;

	if (at == NULL)
		path = strdup(text);
	else if (asprintf(&path, "%.*s%s%s", (int)(at - text), text, site->top,
		     at + 1) == -1)
		path = NULL;
	ATF_REQUIRE(path != NULL);
	return path;
}

static inline void
site_init(struct site *site)
{
	memset(site, 0, sizeof *site);
	STAILQ_INIT(&site->trees.list);
	STAILQ_INIT(&site->trees.interpreters);
	site->trees.index = "index.cgi";
	ATF_REQUIRE(getcwd(site->top, sizeof site->top) != NULL);
}

/* Makes a file, and the directories that lead to it. */
static inline void
site_file(const char *path, const char *content, mode_t mode)
{
	char dir[PATH_MAX];
	const char *slash;
	int fd;

	for (slash = strchr(path, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		(void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path),
		    path);
		(void)mkdir(dir, 0755);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ATF_REQUIRE_MSG(fd != -1, "%s", path);
	ATF_REQUIRE_EQ((ssize_t)strlen(content),
	    write(fd, content, strlen(content)));
	ATF_REQUIRE_EQ(0, fchmod(fd, mode));
	ATF_REQUIRE_EQ(0, close(fd));
}

static inline void
site_script(const char *path)
{
	site_file(path, "#!/bin/sh\n", 0755);
}

static inline const char *
site_try_tree(struct site *site, const char *argument)
{
	char *text = site_path(site, argument);
	const char *wrong = trees_add(&site->trees, text);

	free(text);
	return wrong;
}

static inline void
site_tree(struct site *site, const char *argument)
{
	const char *wrong = site_try_tree(site, argument);

	ATF_REQUIRE_MSG(wrong == NULL, "%s: %s", argument, wrong);
}

/* Decodes name, value, ..., NULL. */
static inline void
site_params(const struct site *site, struct params *params, va_list ap)
{
	struct bytes stream = { 0 };
	const char *name;
	char *value;

	while ((name = va_arg(ap, const char *)) != NULL) {
		value = site_path(site, va_arg(ap, const char *));
		bytes_pair(&stream, name, value);
		free(value);
	}
	params_init(params);
	ATF_REQUIRE_EQ(0,
	    params_append(params, stream.p, stream.len, 1024 * 1024));
	ATF_REQUIRE(params_decode(params) == NULL);
	bytes_free(&stream);
}

/* The parameters must lead to this script. */
static inline void
site_finds(const struct site *site, const char *filename,
    const char *script_name, const char *path_info, ...)
{
	struct params params;
	struct script script;
	char *want = site_path(site, filename);
	va_list ap;
	int status;

	va_start(ap, path_info);
	site_params(site, &params, ap);
	va_end(ap);
	status = script_find(&site->trees, &params, &script);
	ATF_REQUIRE_EQ_MSG(0, status, "%s: %d, %s", filename, status,
	    script.error);
	ATF_CHECK_STREQ(want, script.filename);
	ATF_CHECK_STREQ(script_name, script.script_name);
	ATF_CHECK_STREQ(path_info, script.path_info);
	script_clear(&script);
	params_clear(&params);
	free(want);
}

/* The parameters must be refused, with a text for the log. */
static inline void
site_refuses(const struct site *site, int want, ...)
{
	struct params params;
	struct script script;
	va_list ap;
	int status;

	va_start(ap, want);
	site_params(site, &params, ap);
	va_end(ap);
	status = script_find(&site->trees, &params, &script);
	ATF_CHECK_EQ_MSG(want, status, "%d, %s (%s)", status, script.error,
	    params.nvars > 0 ? params.vars[0] : "");
	if (status != 0) {
		ATF_CHECK(script.error[0] != '\0');
		ATF_CHECK(script.filename == NULL);
	}
	script_clear(&script);
	params_clear(&params);
}

#endif
