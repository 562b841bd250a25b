/*
 * Reading the command line.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "pool.h"

static int
complain(const char *what, const char *why)
{
	(void)fprintf(stderr, "afcgi: %s: %s\n", what, why);
	return -1;
}

static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: afcgi [-dfVx] [-a user[,user...]] [-e name[=value]]\n"
	    "             [-I index] [-i .ext=interpreter] [-L limit=value]\n"
	    "             [-l file] [-m mode] [-o user[:group]] [-s socket]\n"
	    "             [-T directory] [-t threads] [-u user[:group]]\n"
	    "             [prefix=]path ...\n");
}

/* A number that is all of text, or -1. */
static long long
number(const char *text, long long max)
{
	const char *wrong;
	long long n;

	n = strtonum(text, 0, max, &wrong);
	return wrong != NULL ? -1 : n;
}

/* Reads "user[:group]", names or numbers. */
static int
read_user(const char *text, char **name, uid_t *uid, gid_t *gid)
{
	char *copy, *group;
	const struct passwd *pw;
	const struct group *gr;
	long long n;
	int rc = -1;

	if ((copy = strdup(text)) == NULL)
		return complain(text, strerror(errno));
	if ((group = strchr(copy, ':')) != NULL)
		*group++ = '\0';
	n = number(copy, UINT_MAX - 1);
	pw = n == -1 ? getpwnam(copy) : getpwuid((uid_t)n);
	if (pw == NULL && (n == -1 || (name != NULL && group == NULL))) {
		(void)complain(copy, "no such user");
		goto out;
	}
	*uid = pw == NULL ? (uid_t)n : pw->pw_uid;
	if (gid != NULL && pw != NULL && name != NULL)
		*gid = pw->pw_gid;
	if (name != NULL &&
	    (*name = strdup(pw == NULL ? copy : pw->pw_name)) == NULL)
		goto out;
	rc = 0;
	if (group == NULL || gid == NULL)
		goto out;
	n = number(group, UINT_MAX - 1);
	gr = n == -1 ? getgrnam(group) : NULL;
	if (n == -1 && gr == NULL)
		rc = complain(group, "no such group");
	else
		*gid = gr == NULL ? (gid_t)n : gr->gr_gid;
out:
	free(copy);
	return rc;
}

static int
add_uids(struct options *o, const char *text)
{
	char *copy, *rest, *one;
	uid_t *uids;
	int rc = 0;

	if ((copy = rest = strdup(text)) == NULL)
		return complain("-a", strerror(errno));
	while (rc == 0 && (one = strsep(&rest, ",")) != NULL) {
		uids = reallocarray(o->uids, o->nuids + 1, sizeof *uids);
		if (uids == NULL) {
			rc = complain("-a", strerror(errno));
			break;
		}
		o->uids = uids;
		rc = read_user(one, NULL, &uids[o->nuids++], NULL);
	}
	free(copy);
	return rc;
}

static int
add_extra(struct options *o, const char *text)
{
	const char *value;
	char **extra, *var;

	if (text[0] == '\0' || text[0] == '=')
		return complain("-e", "a variable needs a name");
	if (strchr(text, '=') != NULL)
		var = strdup(text);
	else if ((value = getenv(text)) == NULL)
		return 0; /* what is not set stays unset */
	else if (asprintf(&var, "%s=%s", text, value) == -1)
		var = NULL;
	extra = reallocarray(o->extra, o->nextra + 2, sizeof *extra);
	if (var == NULL || extra == NULL) {
		free(var);
		return complain("-e", strerror(errno));
	}
	o->extra = extra;
	extra[o->nextra++] = var;
	extra[o->nextra] = NULL;
	return 0;
}

static int
add_socket(struct options *o, const char *text)
{
	const char **sockets;

	sockets = reallocarray(o->sockets, o->nsockets + 2, sizeof *sockets);
	if (sockets == NULL)
		return complain("-s", strerror(errno));
	o->sockets = sockets;
	sockets[o->nsockets++] = text;
	sockets[o->nsockets] = NULL;
	return 0;
}

static int
set_mode(struct options *o, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 0777)
		return complain(text, "not a mode");
	o->mode = (mode_t)mode;
	return 0;
}

static int
set_threads(struct options *o, const char *text)
{
	const char *wrong;

	o->threads = (unsigned)strtonum(text, 1, POOL_MAX, &wrong);
	return wrong == NULL ? 0 : complain("number of threads", wrong);
}

/* Returns 0, or -1 after a complaint. */
static int
read_option(struct options *o, int c, const char *arg)
{
	const char *wrong = NULL;

	switch (c) {
	case 'a':
		return add_uids(o, arg);
	case 'd':
		o->debug = 1;
		return 0;
	case 'e':
		return add_extra(o, arg);
	case 'f': /* fcgiwrap's, and what we do anyway */
		return 0;
	case 'I':
		o->trees.index = arg;
		return strchr(arg, '/') == NULL && arg[0] != '\0' ?
		    0 :
		    complain(arg, "not a file name");
	case 'i':
		wrong = trees_add_interpreter(&o->trees, arg);
		return wrong == NULL ? 0 : complain(arg, wrong);
	case 'L':
		wrong = cgi_limits_set(&o->cgi_limits, &o->limits, arg);
		return wrong == NULL ? 0 : complain(arg, wrong);
	case 'l':
		o->log_file = arg;
		return 0;
	case 'm':
		return set_mode(o, arg);
	case 'o':
		return read_user(arg, NULL, &o->owner, &o->group);
	case 's':
		return add_socket(o, arg);
	case 'T':
		o->spool_dir = arg;
		return 0;
	case 't':
		return set_threads(o, arg);
	case 'u':
		free(o->user);
		o->user = NULL;
		return read_user(arg, &o->user, &o->uid, &o->gid);
	case 'V':
		o->version = 1;
		return 0;
	case 'x':
		o->isindex = 1;
		return 0;
	default:
		usage();
		return -1;
	}
}

static int
set_defaults(struct options *o)
{
	memset(o, 0, sizeof *o);
	limits_init(&o->limits);
	cgi_limits_init(&o->cgi_limits);
	STAILQ_INIT(&o->trees.list);
	STAILQ_INIT(&o->trees.interpreters);
	o->trees.index = "index.cgi";
	o->spool_dir = getenv("TMPDIR");
	if (o->spool_dir == NULL || o->spool_dir[0] == '\0')
		o->spool_dir = "/tmp";
	o->owner = (uid_t)-1;
	o->group = (gid_t)-1;
	o->mode = 0660;
	o->threads = 2;
	if ((o->extra = calloc(1, sizeof *o->extra)) == NULL)
		return complain("start", strerror(errno));
	return 0;
}

int
options_read(struct options *o, int argc, char **argv)
{
	const char *wrong;
	int c;

	if (set_defaults(o) == -1)
		return -1;
	while ((c = getopt(argc, argv, "a:de:fI:i:L:l:m:o:s:T:t:u:Vx")) != -1)
		if (read_option(o, c, optarg) == -1)
			return -1;
	if (o->version)
		return 0;
	if (optind == argc) {
		usage();
		return -1;
	}
	for (; optind < argc; optind++) {
		wrong = trees_add(&o->trees, argv[optind]);
		if (wrong != NULL)
			return complain(argv[optind], wrong);
	}
	return 0;
}

void
options_clear(struct options *o)
{
	trees_clear(&o->trees);
	while (o->nextra > 0)
		free(o->extra[--o->nextra]);
	free(o->extra);
	free(o->sockets);
	free(o->uids);
	free(o->user);
}
