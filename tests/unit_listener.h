/*
 * A server without requests, its listeners, and peers that connect: for
 * listener_test.c and listener_inherit_test.c.
 */
#ifndef UNIT_LISTENER_H
#define UNIT_LISTENER_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "../gateway/limit.h"
#include "../gateway/listener.h"
#include "../gateway/server.h"
#include "unit.h"

struct fixture {
	struct event_base *base;
	struct limits limits;
	struct server server;
	struct listeners all;
	unsigned want;
};

static inline void
gone(void *arg)
{
	listeners_resume(arg);
}

static inline void
setup(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	limits_init(&f->limits);
	f->limits.connections = 100;
	ATF_REQUIRE_EQ(0, server_init(&f->server, f->base, &f->limits, "."));
	ATF_REQUIRE_EQ(0, listeners_init(&f->all, &f->server, 100000));
	f->server.conn_gone = gone;
	f->server.conn_gone_arg = &f->all;
}

static inline void
teardown(struct fixture *f)
{
	listeners_close(&f->all);
	server_clear(&f->server);
	event_base_free(f->base);
}

static inline int
has_conns(void *arg)
{
	const struct fixture *f = arg;

	return f->server.nconns == f->want;
}

/* Waits until there are n connections. */
static inline void
wait_conns(struct fixture *f, unsigned n)
{
	f->want = n;
	ATF_REQUIRE_MSG(unit_loop(f->base, has_conns, f),
	    "%u connections, not %u", f->server.nconns, n);
}

static inline int
has_third(void *arg)
{
	return ((struct fixture *)arg)->server.serial == 3;
}

static inline int
is_readable(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

static inline int
make_unix(const char *path, struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ATF_REQUIRE(fd != -1);
	memset(sun, 0, sizeof *sun);
	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof sun->sun_path, "%s", path);
	return fd;
}

static inline int
connect_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd = make_unix(path, &sun);

	ATF_REQUIRE_EQ(0, connect(fd, (struct sockaddr *)&sun, sizeof sun));
	return fd;
}

static inline int
listen_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd = make_unix(path, &sun);

	ATF_REQUIRE_EQ(0, bind(fd, (struct sockaddr *)&sun, sizeof sun));
	ATF_REQUIRE_EQ(0, listen(fd, 5));
	return fd;
}

static inline void
loopback(struct sockaddr_in *sin, int port)
{
	memset(sin, 0, sizeof *sin);
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* A port that nobody had a moment ago. */
static inline int
free_port(void)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ATF_REQUIRE(fd != -1);
	loopback(&sin, 0);
	ATF_REQUIRE_EQ(0, bind(fd, (struct sockaddr *)&sin, sizeof sin));
	ATF_REQUIRE_EQ(0, getsockname(fd, (struct sockaddr *)&sin, &len));
	ATF_REQUIRE_EQ(0, close(fd));
	return ntohs(sin.sin_port);
}

static inline int
connect_tcp(int port)
{
	struct sockaddr_in sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ATF_REQUIRE(fd != -1);
	loopback(&sin, port);
	ATF_REQUIRE_EQ(0, connect(fd, (struct sockaddr *)&sin, sizeof sin));
	return fd;
}

#endif
