/*
 * The command line, options.c:
 *   - the defaults, and what each option sets
 *   - options that may be given several times
 *   - what is refused: unknown options, bad values, no path
 *   - users and groups by name and number
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../gateway/options.h"
#include "unit.h"

#define ARGS_MAX 40

/* Reads the arguments that follow, up to NULL. */
static int
read_list(struct options *o, va_list ap)
{
	static char *argv[ARGS_MAX];
	static char copies[ARGS_MAX][128]; /* options keep pointers to them */
	const char *arg = "afcgi";
	int argc = 0;

	do {
		ATF_REQUIRE(argc + 1 < ARGS_MAX);
		(void)snprintf(copies[argc], sizeof copies[argc], "%s", arg);
		argv[argc] = copies[argc];
		argc++;
	} while ((arg = va_arg(ap, const char *)) != NULL);
	argv[argc] = NULL;
	optind = 0; /* glibc: begin anew */
	return options_read(o, argc, argv);
}

static void
good(struct options *o, ...)
{
	va_list ap;
	int rc;

	va_start(ap, o);
	rc = read_list(o, ap);
	va_end(ap);
	ATF_REQUIRE_EQ(0, rc);
}

static int
attempt(struct options *o, ...)
{
	va_list ap;
	int rc;

	va_start(ap, o);
	rc = read_list(o, ap);
	va_end(ap);
	return rc;
}

static void
check_refused(const char *option, const char *value)
{
	struct options o;
	int rc;

	rc = value == NULL ? attempt(&o, option, ".", NULL) :
			     attempt(&o, option, value, ".", NULL);
	ATF_CHECK_EQ_MSG(-1, rc, "%s %s", option, value);
	options_clear(&o);
}

/* With a path alone, everything is as the manual says. */
ATF_TC_WITHOUT_HEAD(defaults);
ATF_TC_BODY(defaults, tc)
{
	struct options o;

	ATF_REQUIRE_EQ(0, setenv("TMPDIR", "/var/tmp", 1));
	good(&o, ".", NULL);
	ATF_CHECK_EQ(0, o.nsockets);
	ATF_CHECK_EQ(0, o.nextra);
	ATF_CHECK(o.extra[0] == NULL);
	ATF_CHECK_EQ(0, o.nuids);
	ATF_CHECK(o.log_file == NULL);
	ATF_CHECK_STREQ("/var/tmp", o.spool_dir);
	ATF_CHECK(o.user == NULL);
	ATF_CHECK_EQ((uid_t)-1, o.owner);
	ATF_CHECK_EQ((gid_t)-1, o.group);
	ATF_CHECK_EQ(0660, o.mode);
	ATF_CHECK_EQ(2, o.threads);
	ATF_CHECK(!o.debug && !o.isindex && !o.version);
	ATF_CHECK_STREQ("index.cgi", o.trees.index);
	ATF_CHECK_STREQ("/cgi-bin/", STAILQ_FIRST(&o.trees.list)->prefix);
	ATF_CHECK_EQ(3000, o.cgi_limits.grace);
	options_clear(&o);
	ATF_REQUIRE_EQ(0, unsetenv("TMPDIR"));
	good(&o, ".", NULL);
	ATF_CHECK_STREQ("/tmp", o.spool_dir);
	options_clear(&o);
}

/* Each option, in one command line. */
ATF_TC_WITHOUT_HEAD(all);
ATF_TC_BODY(all, tc)
{
	struct options o;

	ATF_REQUIRE_EQ(0, setenv("FROM_HERE", "there", 1));
	ATF_REQUIRE_EQ(0, unsetenv("NOT_SET"));
	good(&o, "-dfx", "-a", "0,12345", "-e", "A=b=c", "-e", "FROM_HERE",
	    "-e", "NOT_SET", "-I", "start.pl", "-i", ".sh=/bin/sh", "-L",
	    "grace=7,queue=8", "-L", "queue=9", "-l", "/tmp/l", "-m", "0600",
	    "-o", "123:456", "-s", "unix:/a", "-s", "tcp:h:1", "-T", "/spool",
	    "-t", "5", "/x=.", NULL);
	ATF_CHECK(o.debug && o.isindex && !o.version);
	ATF_REQUIRE_EQ(2, o.nuids);
	ATF_CHECK_EQ(0, o.uids[0]);
	ATF_CHECK_EQ(12345, o.uids[1]);
	ATF_REQUIRE_EQ(2, o.nextra);
	ATF_CHECK_STREQ("A=b=c", o.extra[0]);
	ATF_CHECK_STREQ("FROM_HERE=there", o.extra[1]);
	ATF_CHECK(o.extra[2] == NULL);
	ATF_CHECK_STREQ("start.pl", o.trees.index);
	ATF_CHECK_STREQ(".sh", STAILQ_FIRST(&o.trees.interpreters)->extension);
	ATF_CHECK_EQ(7000, o.cgi_limits.grace);
	ATF_CHECK_EQ(9, o.cgi_limits.queue);
	ATF_CHECK_STREQ("/tmp/l", o.log_file);
	ATF_CHECK_EQ(0600, o.mode);
	ATF_CHECK_EQ(123, o.owner);
	ATF_CHECK_EQ(456, o.group);
	ATF_REQUIRE_EQ(2, o.nsockets);
	ATF_CHECK_STREQ("unix:/a", o.sockets[0]);
	ATF_CHECK_STREQ("tcp:h:1", o.sockets[1]);
	ATF_CHECK(o.sockets[2] == NULL);
	ATF_CHECK_STREQ("/spool", o.spool_dir);
	ATF_CHECK_EQ(5, o.threads);
	ATF_CHECK_STREQ("/x/", STAILQ_FIRST(&o.trees.list)->prefix);
	options_clear(&o);
}

/* Several paths; -V needs none. */
ATF_TC_WITHOUT_HEAD(paths);
ATF_TC_BODY(paths, tc)
{
	struct options o;
	const struct tree *tree;
	int n = 0;

	good(&o, ".", "/a=/", "/b/=/bin/sh", "/bin/cat", NULL);
	STAILQ_FOREACH(tree, &o.trees.list, entry)
		n++;
	ATF_CHECK_EQ(4, n);
	options_clear(&o);
	good(&o, "-V", NULL);
	ATF_CHECK(o.version);
	options_clear(&o);
}

/* Names of users and groups, and a user's own group. */
ATF_TC_WITHOUT_HEAD(users);
ATF_TC_BODY(users, tc)
{
	const struct passwd *pw = getpwuid(0);
	struct options o;
	char root[64], user[32];
	gid_t gid;

	if (pw == NULL || getgrgid(0) == NULL)
		atf_tc_skip("root has no name here");
	(void)snprintf(user, sizeof user, "%s", pw->pw_name);
	gid = pw->pw_gid;
	(void)snprintf(root, sizeof root, "%s:%s", user, getgrgid(0)->gr_name);
	good(&o, "-u", root, "-o", root, "-a", user, ".", NULL);
	ATF_CHECK_STREQ(user, o.user);
	ATF_CHECK_EQ(0, o.uid);
	ATF_CHECK_EQ(0, o.gid);
	ATF_CHECK_EQ(0, o.owner);
	ATF_CHECK_EQ(0, o.group);
	ATF_REQUIRE_EQ(1, o.nuids);
	ATF_CHECK_EQ(0, o.uids[0]);
	options_clear(&o);
	/* twice: the last one counts */
	good(&o, "-u", "12345:54321", "-u", user, ".", NULL);
	ATF_CHECK_EQ(0, o.uid);
	ATF_CHECK_EQ(gid, o.gid);
	options_clear(&o);
	/* only an owner leaves the group as it is */
	good(&o, "-o", user, ".", NULL);
	ATF_CHECK_EQ(0, o.owner);
	ATF_CHECK_EQ((gid_t)-1, o.group);
	options_clear(&o);
	/* numbers need no name if the group is given too */
	good(&o, "-u", "3999999:3999998", ".", NULL);
	ATF_CHECK_EQ(3999999, o.uid);
	ATF_CHECK_EQ(3999998, o.gid);
	options_clear(&o);
}

/* Nothing half understood is taken. */
ATF_TC_WITHOUT_HEAD(refused);
ATF_TC_BODY(refused, tc)
{
	static const struct {
		const char *option;
		const char *value;
	} bad[] = {
		{ "-z", NULL },
		{ "-L", "nonsense=1" },
		{ "-L", "queue=x" },
		{ "-m", "0999" },
		{ "-m", "rw" },
		{ "-m", "" },
		{ "-m", "1777" },
		{ "-t", "0" },
		{ "-t", "17" },
		{ "-t", "x" },
		{ "-e", "" },
		{ "-e", "=x" },
		{ "-i", "php=/bin/sh" },
		{ "-I", "a/b" },
		{ "-I", "" },
		{ "-a", "no-such-user-here" },
		{ "-o", "no-such-user-here" },
		{ "-o", "0:no-such-group-here" },
		{ "-u", "no-such-user-here" },
		{ "-u", "3999999" },
		{ "-u", "0:no-such-group-here" },
		{ "-u", "" },
		{ "-d", "/no/such/path" },
	};
	struct options o;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check_refused(bad[i].option, bad[i].value);
	ATF_CHECK_EQ(-1, attempt(&o, NULL));
	options_clear(&o);
	ATF_CHECK_EQ(-1, attempt(&o, "-d", NULL));
	options_clear(&o);
	ATF_CHECK_EQ(-1, attempt(&o, "-s", NULL));
	options_clear(&o);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, defaults);
	ATF_TP_ADD_TC(tp, all);
	ATF_TP_ADD_TC(tp, paths);
	ATF_TP_ADD_TC(tp, users);
	ATF_TP_ADD_TC(tp, refused);
	return atf_no_error();
}
