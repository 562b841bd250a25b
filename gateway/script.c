/*
 * The walk goes down from the tree's root component by component, as an
 * HTTP server's does: what is not there yet is no script, the first file that
 * is not a directory is one, and what is left of the path is PATH_INFO.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "params.h"
#include "script.h"
#include "trees.h"
#include "uri.h"

/* Where in a request's paths the walk is. */
struct walk {
	const struct trees *trees;
	struct script *script;
	const struct tree *tree;
	const char *more; /* PATH_INFO to go on with at a directory, or NULL */
	char path[PATH_MAX]; /* of the file system, as far as it has got */
	size_t len;
	int is_index; /* of the directory that was asked for */
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct walk *walk, int status, const char *fmt, ...)
{
	struct script *script = walk->script;
	va_list ap;
	int n = 0;

	if (walk->path[0] != '\0')
		n = snprintf(script->error, sizeof script->error,
		    "%.*s: ", SCRIPT_ERROR_MAX / 4 * 3, walk->path);
	va_start(ap, fmt);
	(void)vsnprintf(script->error + n, sizeof script->error - (size_t)n,
	    fmt, ap);
	va_end(ap);
	return status;
}

void
script_clear(struct script *script)
{
	free(script->filename);
	free(script->script_name);
	free(script->path_info);
	script->filename = script->script_name = script->path_info = NULL;
}

/*
 * Follows what is at walk->path.  Returns 0 and fills in *st, or a status.
 */
static int
look(struct walk *walk, struct stat *st)
{
	struct stat link;

	if (lstat(walk->path, &link) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return refuse(walk, 404, "no such script");
		if (errno == EACCES)
			return refuse(walk, 403, "%s", strerror(errno));
		if (errno == ENAMETOOLONG)
			return refuse(walk, 404, "%s", strerror(errno));
		return refuse(walk, 500, "%s", strerror(errno));
	}
	*st = link;
	if (!S_ISLNK(link.st_mode))
		return 0;
	if (stat(walk->path, st) == -1)
		return refuse(walk, errno == ENOENT ? 404 : 403,
		    "symbolic link: %s", strerror(errno));
	if (st->st_uid != link.st_uid)
		return refuse(walk, 403,
		    "symbolic link and its target have different owners");
	return 0;
}

/* The file at walk->path is what is asked for: may it run? */
static int
check_file(struct walk *walk, const struct stat *st)
{
	struct script *script = walk->script;
	int mode;

	if (!S_ISREG(st->st_mode))
		return refuse(walk, 403, "not a regular file");
	if (st->st_mode & S_IWOTH)
		return refuse(walk, 403, "writable by everybody");
	script->interpreter = trees_interpreter(walk->trees, walk->path);
	mode = script->interpreter != NULL ? R_OK : X_OK;
	if (access(walk->path, mode) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return refuse(walk, 404, "no such script");
		return refuse(walk, 403,
		    mode == R_OK ? "not readable" : "not executable");
	}
	if ((script->filename = strdup(walk->path)) == NULL)
		return refuse(walk, 500, "out of memory");
	return 0;
}

static int
append(struct walk *walk, const char *name, size_t len)
{
	if (len + 2 > sizeof walk->path - walk->len)
		return refuse(walk, 404, "path too long");
	walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, name, len);
	walk->len += len;
	walk->path[walk->len] = '\0';
	return 0;
}

/* A directory is asked for: its index.  Nothing is left to be PATH_INFO. */
static int
find_index(struct walk *walk)
{
	struct stat st;
	int status;

	if ((status = append(walk, walk->trees->index,
		 strlen(walk->trees->index))) != 0)
		return status;
	if ((status = look(walk, &st)) == 404)
		return refuse(walk, 403, "a directory without an index script");
	if (status != 0)
		return status;
	walk->is_index = 1;
	return check_file(walk, &st);
}

static int
is_name(const char *p, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(p, name, len) == 0;
}

/*
 * Walks down `rest' from the tree's root.  *info is set to the part of rest
 * that follows the script.  Returns 0, or a status.
 */
static int
walk_down(struct walk *walk, const char *rest, const char *more,
    const char **info)
{
	struct stat st = { .st_mode = 0 };
	size_t len;
	int status;

	len = strlcpy(walk->path, walk->tree->path, sizeof walk->path);
	if (len >= sizeof walk->path)
		return refuse(walk, 404, "path too long");
	walk->len = strcmp(walk->path, "/") == 0 ? 0 : len;
	walk->is_index = 0;
	walk->more = more;
	*info = rest;
	if (walk->tree->is_file) {
		if (stat(walk->path, &st) == -1)
			return refuse(walk, 404, "%s", strerror(errno));
		return check_file(walk, &st);
	}
	for (;;) {
		rest += strspn(rest, "/");
		len = strcspn(rest, "/");
		if (len == 0 && walk->more != NULL) {
			rest = walk->more;
			walk->more = NULL;
			continue;
		}
		if (len == 0) {
			*info = rest;
			return find_index(walk);
		}
		if (is_name(rest, len, ".."))
			return refuse(walk, 403, "\"..\" in the script's path");
		if (is_name(rest, len, ".")) {
			rest += len;
			*info = rest;
			continue;
		}
		if ((status = append(walk, rest, len)) != 0 ||
		    (status = look(walk, &st)) != 0)
			return status;
		rest += len;
		*info = rest;
		if (!S_ISDIR(st.st_mode))
			return check_file(walk, &st);
	}
}

/*
 * Is `path' the percent-encoded form of what the decoded `name' ends with?
 * They are compared from their ends to where they differ.
 */
static int
is_encoded(const char *path, const char *name)
{
	const char *p = path + strlen(path), *n = name + strlen(name);

	while (p > path && n > name) {
		p--;
		n--;
		if (*p != *n)
			return p - path >= 2 &&
			    uri_decode_byte(p - 2) == (unsigned char)*n;
	}
	return 0;
}

static void
decode(char *path)
{
	char *to = path;
	int byte;

	for (; *path != '\0'; path++) {
		/* a NUL stays as it is: no file has such a name */
		if ((byte = uri_decode_byte(path)) > 0) {
			*to++ = (char)byte;
			path += 2;
		} else
			*to++ = *path;
	}
	*to = '\0';
}

/*
 * Apache's mod_proxy_fcgi sends "proxy:fcgi://host:port/path?query", also
 * "proxy:balancer://name/path"; the path is what is meant.  From ProxyPass it
 * comes encoded, from SetHandler decoded; SCRIPT_NAME always decoded.
 */
static char *
plain_filename(const char *given, const char *name)
{
	const char *p;
	char *path;

	if (strncmp(given, "proxy:", 6) != 0 ||
	    (p = strstr(given, "://")) == NULL ||
	    (p = strchr(p + 3, '/')) == NULL)
		return strdup(given);
	path = strndup(p, strcspn(p, "?"));
	if (path != NULL && is_encoded(path, name))
		decode(path);
	return path;
}

/*
 * SCRIPT_NAME: a copy of `name' without `end', which is PATH_INFO, if it has
 * it; with the index's name if it named the directory.
 */
static char *
make_name(const struct walk *walk, const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);
	char *joined;

	if (walk->is_index)
		return asprintf(&joined, "%s%s%s", name,
			   len > 0 && name[len - 1] == '/' ? "" : "/",
			   walk->trees->index) == -1 ?
		    NULL :
		    joined;

	if (n > 0 && n <= len && strcmp(name + len - n, end) == 0)
		len -= n;
	return strndup(name, len);
}

/*
 * The walk has found the script, and `info' is left of the path.  What is
 * called SCRIPT_NAME and PATH_INFO then?
 */
static void
set_names(struct walk *walk, const char *name, const char *sent_info,
    const char *info)
{
	struct script *script = walk->script;
	const char *more;
	char *full;

	/* lighttpd: the script's own name was in PATH_INFO */
	more = walk->more == NULL && sent_info != NULL ? sent_info : "";
	if (asprintf(&full, "%s%s", name, more) == -1)
		return; /* script_find notices */
	script->script_name = make_name(walk, full, info);
	free(full);
	/* what the web server sent wins if it named the file itself */
	script->path_info = strdup(
	    *info == '\0' && *more == '\0' && sent_info != NULL ? sent_info :
								  info);
}

/* SCRIPT_FILENAME says it. */
static int
find_by_filename(struct walk *walk, const char *given, const char *name,
    const char *sent_info)
{
	const char *rest = "", *info = "";
	char *filename;
	int status;

	if ((filename = plain_filename(given, name)) == NULL)
		return refuse(walk, 500, "out of memory");
	walk->tree = trees_of_path(walk->trees, filename, &rest);
	if (walk->tree == NULL)
		status = refuse(walk, 403,
		    "SCRIPT_FILENAME is outside the script trees: %s",
		    filename);
	else if ((status = walk_down(walk, rest, sent_info, &info)) == 0)
		set_names(walk, name, sent_info, info);
	free(filename);
	return status;
}

/* SCRIPT_NAME, and perhaps PATH_INFO, say it. */
static int
find_by_uri(struct walk *walk, const char *root, const char *name,
    const char *sent_info)
{
	const char *rest = "", *info = "";
	char *path;
	int status;

	if (asprintf(&path, "%s%s", root, name) == -1)
		return refuse(walk, 500, "out of memory");
	status = refuse(walk, 404, "no script tree for the URI %s", name);
	walk->tree =
	    root[0] != '/' ? NULL : trees_of_path(walk->trees, path, &rest);
	if (walk->tree != NULL)
		status = walk_down(walk, rest, sent_info, &info);
	/* with nginx's alias DOCUMENT_ROOT and the URI do not go together */
	if (status == 404 &&
	    (walk->tree = trees_of_uri(walk->trees, name, &rest)) != NULL)
		status = walk_down(walk, rest, sent_info, &info);
	if (status == 0)
		set_names(walk, name, sent_info, info);
	free(path);
	return status;
}

/* A parameter's value, "" if it was not sent. */
static const char *
get(const struct params *params, const char *name)
{
	const char *value = params_get(params, name);

	return value == NULL ? "" : value;
}

int
script_find(const struct trees *trees, const struct params *params,
    struct script *script)
{
	const char *filename = get(params, "SCRIPT_FILENAME");
	const char *name = get(params, "SCRIPT_NAME");
	const char *info = get(params, "PATH_INFO");
	struct walk walk = { .trees = trees, .script = script };
	int status;

	memset(script, 0, sizeof *script);
	if (*info == '\0')
		info = NULL;
	if (*filename != '\0')
		status = find_by_filename(&walk, filename, name, info);
	else if (*name == '\0' && info == NULL)
		status = refuse(&walk, 404,
		    "neither SCRIPT_FILENAME nor SCRIPT_NAME was sent");
	else if (*name == '\0') /* the root of all is the script tree */
		status = find_by_uri(&walk, get(params, "DOCUMENT_ROOT"), info,
		    NULL);
	else
		status = find_by_uri(&walk, get(params, "DOCUMENT_ROOT"), name,
		    info);
	if (status == 0 &&
	    (script->script_name == NULL || script->path_info == NULL))
		status = refuse(&walk, 500, "out of memory");
	if (status != 0)
		script_clear(script);
	return status;
}
