/*
 * The sockets that web servers connect to, listener.c:
 *   - unix: mode, taking the place of a dead socket, refusing a live one and
 *     what is no socket, unlinking its own at the end and nobody else's
 *   - a path that is too long, and specifications that are none
 *   - who may connect: users by unix sockets, addresses by TCP
 *   - the limit of connections, and of descriptors, pauses accepting
 * Inherited sockets are in listener_inherit_test.c.
 */
#include "unit_listener.h"

static void
check_refused(struct fixture *f, const char *spec)
{
	const char *wrong = listeners_open(&f->all, spec);

	ATF_CHECK_MSG(wrong != NULL, "%s was opened", spec);
}

/* It listens, with the mode that was asked for, until it is closed. */
ATF_TC_WITHOUT_HEAD(unix_socket);
ATF_TC_BODY(unix_socket, tc)
{
	static const mode_t modes[] = { 0660, 0600, 0666, 0777 };
	struct fixture f;
	struct stat st;
	size_t i;
	int fd;

	for (i = 0; i < 4; i++) {
		setup(&f);
		f.all.rights.mode = modes[i];
		ATF_REQUIRE(listeners_open(&f.all, "unix:socket") == NULL);
		ATF_REQUIRE_EQ(0, listeners_start(&f.all));
		ATF_REQUIRE_EQ(0, lstat("socket", &st));
		ATF_CHECK(S_ISSOCK(st.st_mode));
		ATF_CHECK_EQ(modes[i], st.st_mode & 07777);
		fd = connect_unix("socket");
		wait_conns(&f, 1);
		ATF_REQUIRE_EQ(0, close(fd));
		wait_conns(&f, 0);
		teardown(&f);
		ATF_CHECK_EQ(-1, lstat("socket", &st));
	}
}

/* Several at once; what one is closed by is not the others' affair. */
ATF_TC_WITHOUT_HEAD(several);
ATF_TC_BODY(several, tc)
{
	struct fixture f;
	int fds[3];

	setup(&f);
	ATF_REQUIRE(listeners_open(&f.all, "unix:a") == NULL);
	ATF_REQUIRE(listeners_open(&f.all, "unix:b") == NULL);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	fds[0] = connect_unix("a");
	fds[1] = connect_unix("b");
	fds[2] = connect_unix("a");
	wait_conns(&f, 3);
	teardown(&f);
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)close(fds[2]);
}

/* A socket nobody listens on is replaced; one somebody does is not. */
ATF_TC_WITHOUT_HEAD(dead_and_alive);
ATF_TC_BODY(dead_and_alive, tc)
{
	struct fixture f, other;
	struct stat before, after;
	int fd;

	(void)close(listen_unix("socket"));
	ATF_REQUIRE_EQ(0, lstat("socket", &before));
	setup(&f);
	ATF_REQUIRE(listeners_open(&f.all, "unix:socket") == NULL);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	setup(&other);
	check_refused(&other, "unix:socket");
	teardown(&other);
	/* the refusal has done it no harm */
	fd = connect_unix("socket");
	wait_conns(&f, 1);
	ATF_REQUIRE_EQ(0, close(fd));
	/* somebody has put another in its place: that is not ours to remove */
	ATF_REQUIRE_EQ(0, unlink("socket"));
	fd = listen_unix("socket");
	ATF_REQUIRE_EQ(0, lstat("socket", &before));
	teardown(&f);
	ATF_REQUIRE_EQ(0, lstat("socket", &after));
	ATF_CHECK_EQ(before.st_ino, after.st_ino);
	ATF_REQUIRE_EQ(0, close(fd));
}

/* Files and directories are not touched. */
ATF_TC_WITHOUT_HEAD(no_socket);
ATF_TC_BODY(no_socket, tc)
{
	struct fixture f;
	struct stat st;
	int fd;

	ATF_REQUIRE((fd = open("file", O_WRONLY | O_CREAT, 0600)) != -1);
	ATF_REQUIRE_EQ(3, write(fd, "abc", 3));
	ATF_REQUIRE_EQ(0, close(fd));
	ATF_REQUIRE_EQ(0, mkdir("dir", 0755));
	ATF_REQUIRE_EQ(0, symlink("file", "link"));
	setup(&f);
	check_refused(&f, "unix:file");
	check_refused(&f, "unix:dir");
	check_refused(&f, "unix:link");
	check_refused(&f, "unix:no/such/directory/socket");
	teardown(&f);
	ATF_REQUIRE_EQ(0, stat("file", &st));
	ATF_CHECK_EQ(3, st.st_size);
	ATF_CHECK_EQ(0, lstat("dir", &st));
	ATF_CHECK_EQ(0, lstat("link", &st));
}

/* As long as it can be, and one byte longer. */
ATF_TC_WITHOUT_HEAD(long_path);
ATF_TC_BODY(long_path, tc)
{
	const size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
	struct fixture f;
	char spec[256];

	memset(spec, 'x', sizeof spec);
	memcpy(spec, "unix:", 5);
	setup(&f);
	spec[5 + most + 1] = '\0';
	check_refused(&f, spec);
	spec[5 + most] = '\0';
	ATF_CHECK(listeners_open(&f.all, spec) == NULL);
	teardown(&f);
}

/* What is no socket at all. */
ATF_TC_WITHOUT_HEAD(bad_names);
ATF_TC_BODY(bad_names, tc)
{
	static const char *const names[] = { "", "socket", "/run/socket",
		"unix", "udp:127.0.0.1:1", "tcp:", "tcp:127.0.0.1",
		"tcp:127.0.0.1:", "tcp:127.0.0.1:no-such-service",
		"tcp:127.0.0.1:99999", "tcp:300.1.1.1:80", "tcp6:[::1]",
		"tcp7:[::1]:80", "TCP:127.0.0.1:80" };
	struct fixture f;
	size_t i;

	setup(&f);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		check_refused(&f, names[i]);
	teardown(&f);
}

/* Users that are not on the list are turned away at the door. */
ATF_TC_WITHOUT_HEAD(users);
ATF_TC_BODY(users, tc)
{
	struct fixture f;
	uid_t uids[2];
	int admitted, fd;
	char c;

	for (admitted = 0; admitted < 2; admitted++) {
		setup(&f);
		uids[0] = geteuid() + 1;
		uids[1] = admitted ? geteuid() : geteuid() + 2;
		f.all.uids = uids;
		f.all.nuids = 2;
		ATF_REQUIRE(listeners_open(&f.all, "unix:socket") == NULL);
		ATF_REQUIRE_EQ(0, listeners_start(&f.all));
		fd = connect_unix("socket");
		if (admitted)
			wait_conns(&f, 1);
		else {
			unit_loop_for(f.base, 100);
			ATF_CHECK_EQ(0, f.server.nconns);
			ATF_CHECK_EQ(0, read(fd, &c, 1));
		}
		ATF_REQUIRE_EQ(0, close(fd));
		teardown(&f);
	}
}

/* TCP, with and without a list of web servers. */
ATF_TC_WITHOUT_HEAD(tcp);
ATF_TC_BODY(tcp, tc)
{
	static const char *const lists[] = { NULL, "127.0.0.1",
		"10.1.2.3,127.0.0.1,10.1.2.4", "10.1.2.3",
		"127.0.0.10,27.0.0.1", "" };
	static const int admitted[] = { 1, 1, 1, 0, 0, 1 };
	struct fixture f;
	char spec[64], c;
	size_t i;
	int port, fd;

	for (i = 0; i < 6; i++) {
		if (lists[i] == NULL)
			ATF_REQUIRE_EQ(0, unsetenv("FCGI_WEB_SERVER_ADDRS"));
		else
			ATF_REQUIRE_EQ(0,
			    setenv("FCGI_WEB_SERVER_ADDRS", lists[i], 1));
		setup(&f);
		port = free_port();
		(void)snprintf(spec, sizeof spec, "tcp:127.0.0.1:%d", port);
		ATF_REQUIRE(listeners_open(&f.all, spec) == NULL);
		ATF_REQUIRE_EQ(0, listeners_start(&f.all));
		fd = connect_tcp(port);
		if (admitted[i])
			wait_conns(&f, 1);
		else {
			ATF_REQUIRE(unit_loop(f.base, is_readable, &fd));
			ATF_CHECK_EQ_MSG(0, f.server.nconns, "%s", lists[i]);
			ATF_CHECK(read(fd, &c, 1) <= 0);
		}
		ATF_REQUIRE_EQ(0, close(fd));
		teardown(&f);
	}
}

/* A port that is taken is an error. */
ATF_TC_WITHOUT_HEAD(port_taken);
ATF_TC_BODY(port_taken, tc)
{
	struct fixture f, other;
	char spec[64];

	setup(&f);
	(void)snprintf(spec, sizeof spec, "tcp:127.0.0.1:%d", free_port());
	ATF_REQUIRE(listeners_open(&f.all, spec) == NULL);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	setup(&other);
	check_refused(&other, spec);
	teardown(&other);
	teardown(&f);
}

/* At the limit the next one waits, unharmed, until another goes. */
ATF_TC_WITHOUT_HEAD(limit);
ATF_TC_BODY(limit, tc)
{
	struct fixture f;
	int fds[3];

	setup(&f);
	f.limits.connections = 2;
	ATF_REQUIRE(listeners_open(&f.all, "unix:socket") == NULL);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	fds[0] = connect_unix("socket");
	fds[1] = connect_unix("socket");
	fds[2] = connect_unix("socket");
	wait_conns(&f, 2);
	unit_loop_for(f.base, 300);
	ATF_CHECK_EQ(2, f.server.nconns);
	ATF_CHECK_EQ(2, f.server.serial);
	ATF_REQUIRE_EQ(0, close(fds[0]));
	ATF_REQUIRE(unit_loop(f.base, has_third, &f));
	ATF_CHECK_EQ(2, f.server.nconns);
	ATF_REQUIRE_EQ(0, close(fds[1]));
	ATF_REQUIRE_EQ(0, close(fds[2]));
	wait_conns(&f, 0);
	teardown(&f);
}

/* Where only the descriptors that are kept back are left, the next one waits.
 */
ATF_TC_WITHOUT_HEAD(descriptors);
ATF_TC_BODY(descriptors, tc)
{
	struct fixture f;
	int fds[3], next;

	setup(&f);
	ATF_REQUIRE(listeners_open(&f.all, "unix:socket") == NULL);
	ATF_REQUIRE_EQ(0, listeners_start(&f.all));
	fds[0] = connect_unix("socket");
	fds[1] = connect_unix("socket");
	fds[2] = connect_unix("socket");
	ATF_REQUIRE((next = dup(STDERR_FILENO)) != -1);
	ATF_REQUIRE_EQ(0, close(next));
	f.all.max_fd = next + 1;
	wait_conns(&f, 2);
	ATF_CHECK(f.all.paused);
	unit_loop_for(f.base, 300);
	ATF_CHECK_EQ(2, f.server.serial);
	ATF_REQUIRE_EQ(0, close(fds[0]));
	ATF_REQUIRE(unit_loop(f.base, has_third, &f));
	ATF_REQUIRE_EQ(0, close(fds[1]));
	ATF_REQUIRE_EQ(0, close(fds[2]));
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, unix_socket);
	ATF_TP_ADD_TC(tp, several);
	ATF_TP_ADD_TC(tp, dead_and_alive);
	ATF_TP_ADD_TC(tp, no_socket);
	ATF_TP_ADD_TC(tp, long_path);
	ATF_TP_ADD_TC(tp, bad_names);
	ATF_TP_ADD_TC(tp, users);
	ATF_TP_ADD_TC(tp, tcp);
	ATF_TP_ADD_TC(tp, port_taken);
	ATF_TP_ADD_TC(tp, limit);
	ATF_TP_ADD_TC(tp, descriptors);
	return atf_no_error();
}
