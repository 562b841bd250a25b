/*
 * Finding the script that a request means.  Blocks on the disk: for spawner
 * threads only.
 *
 * Nothing outside the trees (trees.h) ever runs; symbolic links lead out of
 * one if the link and what it names have the same owner (Apache's
 * SymLinksIfOwnerMatch).
 */
#ifndef SCRIPT_H
#define SCRIPT_H

struct params;
struct trees;

#define SCRIPT_ERROR_MAX 512

struct script {
	char *filename; /* absolute path */
	char *script_name; /* SCRIPT_NAME, for this script alone */
	char *path_info; /* PATH_INFO, "" if there is none */
	const char *interpreter; /* program, or NULL */
	char error[SCRIPT_ERROR_MAX]; /* for the log */
};

/*
 * Finds the script for decoded parameters.  Returns 0 and fills in *script,
 * which script_clear must release; or returns the HTTP status to answer with
 * (403, 404, 500), with script->error saying why.
 */
int script_find(const struct trees *, const struct params *, struct script *);
void script_clear(struct script *);

#endif
