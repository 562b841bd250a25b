/*
 * The command line.  See afcgi(8).
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <sys/types.h>

#include "cgi_limit.h"
#include "limit.h"
#include "trees.h"

struct options {
	struct limits limits;
	struct cgi_limits cgi_limits;
	struct trees trees;
	const char **sockets; /* -s, ended by NULL */
	size_t nsockets;
	char **extra; /* -e: "NAME=VALUE", ended by NULL */
	size_t nextra;
	uid_t *uids; /* -a */
	size_t nuids;
	const char *log_file; /* -l, or NULL */
	const char *spool_dir;
	char *user; /* -u: the user's name, or NULL */
	uid_t uid;
	gid_t gid;
	uid_t owner; /* -o; -1: not given */
	gid_t group;
	mode_t mode;
	unsigned threads;
	int debug;
	int isindex;
	int version; /* only the version is asked for */
};

/*
 * Reads the arguments.  Returns 0; or -1 after having said on standard error
 * what is wrong.
 */
int options_read(struct options *, int argc, char **argv);
void options_clear(struct options *);

#endif
