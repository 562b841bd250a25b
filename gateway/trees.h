/*
 * The script trees of the command line.  A tree is a directory whose programs
 * may run, or one program.  It is reached by its path (SCRIPT_FILENAME) or,
 * where it has one, by its URI prefix, as with Apache's ScriptAlias.
 *
 * Filled in at start, and only read from then on, by any thread.
 */
#ifndef TREES_H
#define TREES_H

#include <sys/types.h>
#include <sys/queue.h>

struct tree {
	STAILQ_ENTRY(tree) entry;
	char *prefix; /* "/cgi-bin/": begins and ends with '/'; or NULL */
	char *path; /* absolute, no '/' at its end */
	char *real; /* the same without symbolic links */
	int is_file;
};

/* Files with an extension that are run through a program. */
struct interpreter {
	STAILQ_ENTRY(interpreter) entry;
	char *extension; /* ".php" */
	char *program; /* absolute path */
};

struct trees {
	STAILQ_HEAD(, tree) list;
	STAILQ_HEAD(, interpreter) interpreters;
	const char *index; /* name of a directory's script */
};

/*
 * Adds "[prefix=]path"; path must exist.  Returns NULL, or a static text that
 * says what is wrong.
 */
const char *trees_add(struct trees *, const char *argument);
/* Adds ".ext=program", likewise. */
const char *trees_add_interpreter(struct trees *, const char *argument);
void trees_clear(struct trees *);

/*
 * The tree that a path of the file system lies in by its letters, the deepest
 * one, or NULL; *rest is what follows the tree's own path.
 */
const struct tree *trees_of_path(const struct trees *, const char *path,
    const char **rest);
/* The tree that a script URI lies in: the one with the longest prefix. */
const struct tree *trees_of_uri(const struct trees *, const char *uri,
    const char **rest);
/* The program that runs files named like path, or NULL. */
const char *trees_interpreter(const struct trees *, const char *path);

#endif
