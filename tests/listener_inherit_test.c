/*
 * Sockets that were there before the program, listener.c:
 *   - LISTEN_FDS: as many as it says, from descriptor 3 on, if LISTEN_PID is
 *     this process; nonsense in either means none
 *   - the one on descriptor 0, which is /dev/null afterwards
 *   - what does not listen is refused
 *   - sockets of others are not unlinked at the end
 */
#include "unit_listener.h"

static void
set_passed(const char *fds, int ours)
{
	char pid[32];

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid() + (ours ? 0 : 1));
	ATF_REQUIRE_EQ(0, setenv("LISTEN_PID", pid, 1));
	ATF_REQUIRE_EQ(0, setenv("LISTEN_FDS", fds, 1));
}

/* The two variables, and what they mean. */
ATF_TC_WITHOUT_HEAD(variables);
ATF_TC_BODY(variables, tc)
{
	static const char *const bad[] = { "", "0", "-1", "x", "1x", " 1",
		"99999999999999999999", "1025" };
	size_t i;

	ATF_REQUIRE_EQ(0, unsetenv("LISTEN_PID"));
	ATF_REQUIRE_EQ(0, unsetenv("LISTEN_FDS"));
	ATF_CHECK_EQ(0, listeners_passed());
	set_passed("2", 1);
	ATF_CHECK_EQ(2, listeners_passed());
	set_passed("1024", 1);
	ATF_CHECK_EQ(1024, listeners_passed());
	set_passed("2", 0);
	ATF_CHECK_EQ(0, listeners_passed());
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		set_passed(bad[i], 1);
		/* strtonum(3) skips spaces as strtol(3) does */
		if (bad[i][0] != ' ')
			ATF_CHECK_EQ_MSG(0, listeners_passed(), "\"%s\"",
			    bad[i]);
	}
	set_passed("1", 1);
	ATF_REQUIRE_EQ(0, setenv("LISTEN_PID", "nonsense", 1));
	ATF_CHECK_EQ(0, listeners_passed());
	ATF_REQUIRE_EQ(0, unsetenv("LISTEN_PID"));
	ATF_CHECK_EQ(0, listeners_passed());
}

/* Puts a socket where a service manager would; what was there is lost. */
static void
put(int fd, int at)
{
	if (fd == at)
		return;
	ATF_REQUIRE_EQ(at, dup2(fd, at));
	ATF_REQUIRE_EQ(0, close(fd));
}

/* Two passed sockets are both listened on, and are not ours to unlink. */
ATF_TC_WITHOUT_HEAD(passed);
ATF_TC_BODY(passed, tc)
{
	struct fixture f;
	int one = listen_unix("one"), two = listen_unix("two"), fds[2];

	/* out of the way, then to 3 and 4, before anything else is opened */
	put(one, 100);
	put(two, 101);
	put(100, 3);
	put(101, 4);
	setup(&f);
	set_passed("2", 1);
	ATF_REQUIRE_EQ(2, listeners_inherit(&f.all));
	ATF_CHECK((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
	ATF_CHECK((fcntl(4, F_GETFL) & O_NONBLOCK) != 0);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	fds[0] = connect_unix("one");
	fds[1] = connect_unix("two");
	wait_conns(&f, 2);
	ATF_REQUIRE_EQ(0, close(fds[0]));
	ATF_REQUIRE_EQ(0, close(fds[1]));
	teardown(&f);
	ATF_CHECK_EQ(0, access("one", F_OK));
	ATF_CHECK_EQ(0, access("two", F_OK));
}

/* A file in their place is an error. */
ATF_TC_WITHOUT_HEAD(no_socket);
ATF_TC_BODY(no_socket, tc)
{
	struct fixture f;

	put(open("file", O_RDWR | O_CREAT, 0600), 3);
	setup(&f);
	set_passed("1", 1);
	ATF_CHECK_EQ(-1, listeners_inherit(&f.all));
	teardown(&f);
}

/* spawn-fcgi and fcgiwrap's socket unit: descriptor 0. */
ATF_TC_WITHOUT_HEAD(standard_input);
ATF_TC_BODY(standard_input, tc)
{
	struct fixture f;
	struct stat st, null;
	int fd;

	ATF_REQUIRE_EQ(0, unsetenv("LISTEN_PID"));
	put(listen_unix("socket"), STDIN_FILENO);
	setup(&f);
	ATF_REQUIRE_EQ(1, listeners_inherit(&f.all));
	ATF_REQUIRE_EQ(0, fstat(STDIN_FILENO, &st));
	ATF_REQUIRE_EQ(0, stat("/dev/null", &null));
	ATF_CHECK_EQ(null.st_rdev, st.st_rdev);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	fd = connect_unix("socket");
	wait_conns(&f, 1);
	ATF_REQUIRE_EQ(0, close(fd));
	teardown(&f);
	ATF_CHECK_EQ(0, access("socket", F_OK));
}

/* Anything else there is nothing. */
ATF_TC_WITHOUT_HEAD(no_standard_input);
ATF_TC_BODY(no_standard_input, tc)
{
	struct fixture f;

	ATF_REQUIRE_EQ(0, unsetenv("LISTEN_PID"));
	put(open("/dev/null", O_RDONLY), STDIN_FILENO);
	setup(&f);
	ATF_CHECK_EQ(0, listeners_inherit(&f.all));
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, variables);
	ATF_TP_ADD_TC(tp, passed);
	ATF_TP_ADD_TC(tp, no_socket);
	ATF_TP_ADD_TC(tp, standard_input);
	ATF_TP_ADD_TC(tp, no_standard_input);
	return atf_no_error();
}
