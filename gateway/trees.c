/*
 * The command line's trees, and which of them a path or a URI lies in.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trees.h"

const char *
trees_add(struct trees *trees, const char *argument)
{
	const char *path, *equals;
	struct tree *tree;
	struct stat st;
	char *slash = NULL;

	/* a path may have a '=' of its own */
	equals = strchr(argument, '=');
	path = argument;
	if (stat(path, &st) == -1 && argument[0] == '/' && equals != NULL)
		path = equals + 1;
	if (stat(path, &st) == -1)
		return strerror(errno);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return "neither a directory nor a file";
	if ((tree = calloc(1, sizeof *tree)) == NULL)
		return "out of memory";
	STAILQ_INSERT_TAIL(&trees->list, tree, entry);
	tree->is_file = S_ISREG(st.st_mode);
	if ((tree->real = realpath(path, NULL)) == NULL)
		return strerror(errno);
	tree->path = path[0] == '/' ? strdup(path) : strdup(tree->real);
	if (tree->path == NULL)
		return "out of memory";
	while ((slash = strrchr(tree->path, '/')) != NULL && slash[1] == '\0' &&
	    slash != tree->path)
		*slash = '\0';
	if (path != argument) {
		while (equals > argument && equals[-1] == '/')
			equals--;
		if (asprintf(&tree->prefix, "%.*s/", (int)(equals - argument),
			argument) == -1) {
			tree->prefix = NULL;
			return "out of memory";
		}
	} else if (!tree->is_file &&
	    (tree->prefix = strdup("/cgi-bin/")) == NULL)
		return "out of memory";
	return NULL;
}

const char *
trees_add_interpreter(struct trees *trees, const char *argument)
{
	struct interpreter *interp;
	const char *equals = strchr(argument, '=');

	if (argument[0] != '.' || equals == NULL || equals == argument + 1 ||
	    memchr(argument, '/', (size_t)(equals - argument)) != NULL ||
	    memchr(argument + 1, '.', (size_t)(equals - argument - 1)) != NULL)
		return "not of the form .ext=/path/to/program";
	if (equals[1] != '/')
		return "the interpreter's path is not absolute";
	if (access(equals + 1, X_OK) == -1)
		return strerror(errno);
	if ((interp = calloc(1, sizeof *interp)) == NULL)
		return "out of memory";
	STAILQ_INSERT_TAIL(&trees->interpreters, interp, entry);
	interp->extension = strndup(argument, (size_t)(equals - argument));
	interp->program = strdup(equals + 1);
	if (interp->extension == NULL || interp->program == NULL)
		return "out of memory";
	return NULL;
}

void
trees_clear(struct trees *trees)
{
	struct tree *tree;
	struct interpreter *interp;

	while ((tree = STAILQ_FIRST(&trees->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&trees->list, entry);
		free(tree->prefix);
		free(tree->path);
		free(tree->real);
		free(tree);
	}
	while ((interp = STAILQ_FIRST(&trees->interpreters)) != NULL) {
		STAILQ_REMOVE_HEAD(&trees->interpreters, entry);
		free(interp->extension);
		free(interp->program);
		free(interp);
	}
}

/* Skips slashes, and components that are ".". */
static const char *
skip_nothing(const char *p)
{
	for (;;) {
		p += strspn(p, "/");
		if (p[0] != '.' || (p[1] != '/' && p[1] != '\0'))
			return p;
		p++;
	}
}

/*
 * True if path is dir or lies below it, by its letters; *rest is what follows.
 * Several slashes are one, as for the system.
 */
static int
is_below(const char *path, const char *dir, const char **rest)
{
	size_t len;

	if (*path != '/')
		return 0;
	for (;;) {
		*rest = path;
		dir = skip_nothing(dir);
		if (*dir == '\0')
			return 1;
		path = skip_nothing(path);
		len = strcspn(dir, "/");
		if (strcspn(path, "/") != len || memcmp(path, dir, len) != 0)
			return 0;
		path += len;
		dir += len;
	}
}

const struct tree *
trees_of_path(const struct trees *trees, const char *path, const char **rest)
{
	const struct tree *tree, *best = NULL;
	const char *after, *const *root;
	size_t len = 0;
	int i;

	STAILQ_FOREACH(tree, &trees->list, entry) {
		for (i = 0; i < 2; i++) {
			root = i == 0 ? (const char *const *)&tree->path :
					(const char *const *)&tree->real;
			if (!is_below(path, *root, &after) ||
			    (best != NULL && strlen(*root) <= len))
				continue;
			best = tree;
			len = strlen(*root);
			*rest = after;
		}
	}
	return best;
}

const struct tree *
trees_of_uri(const struct trees *trees, const char *uri, const char **rest)
{
	const struct tree *tree, *best = NULL;
	size_t len;

	STAILQ_FOREACH(tree, &trees->list, entry) {
		if (tree->prefix == NULL ||
		    (best != NULL &&
			strlen(tree->prefix) <= strlen(best->prefix)))
			continue;
		/* the prefix without its last slash */
		len = strlen(tree->prefix) - 1;
		if (strncmp(uri, tree->prefix, len) != 0 ||
		    (uri[len] != '/' && uri[len] != '\0'))
			continue;
		best = tree;
		*rest = uri + len;
	}
	return best;
}

const char *
trees_interpreter(const struct trees *trees, const char *path)
{
	const struct interpreter *interp;
	const char *dot = strrchr(path, '.');

	if (dot == NULL)
		return NULL;
	STAILQ_FOREACH(interp, &trees->interpreters, entry)
		if (strcmp(interp->extension, dot) == 0)
			return interp->program;
	return NULL;
}
