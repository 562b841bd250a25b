/*
 * Spawns with three pipes, given over a handover and taken from it: for
 * handover_test.c and handover_full_test.c.
 */
#ifndef UNIT_HANDOVER_H
#define UNIT_HANDOVER_H

#include <sys/types.h>
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "../gateway/handover.h"
#include "unit_spawn.h"

static const struct spawn_config no_config;

/* A spawn, and the script's ends of its pipes. */
struct passed {
	struct spawn *spawn;
	int in;
	int out;
	int err;
};

/* Opens three pipes; ours are those that are to be given. */
static inline void
passed_init(struct passed *p, int ours[3])
{
	int fds[2];

	ATF_REQUIRE((p->spawn = spawn_new(&no_config)) != NULL);
	ATF_REQUIRE_EQ(0, pipe2(fds, O_NONBLOCK));
	p->in = fds[0];
	ours[0] = fds[1];
	ATF_REQUIRE_EQ(0, pipe2(fds, O_NONBLOCK));
	p->out = fds[1];
	ours[1] = fds[0];
	ATF_REQUIRE_EQ(0, pipe2(fds, O_NONBLOCK));
	p->err = fds[1];
	ours[2] = fds[0];
}

static inline void
passed_clear(struct passed *p)
{
	spawn_free(p->spawn);
	(void)close(p->in);
	(void)close(p->out);
	(void)close(p->err);
}

static inline void
give(const struct handover *h, struct passed *p)
{
	int ours[3];

	passed_init(p, ours);
	ATF_REQUIRE_EQ(0, handover_give(h->giver, p->spawn, ours));
}

/* Writes a text into one end, which must come out of the other. */
static inline void
check_pipe(int to, int from, const char *text)
{
	char buf[32] = "";

	ATF_CHECK_EQ((ssize_t)strlen(text), write(to, text, strlen(text)));
	ATF_CHECK_EQ((ssize_t)strlen(text), read(from, buf, sizeof buf - 1));
	ATF_CHECK_STREQ(text, buf);
}

static inline void
check_passed(const struct passed *p, const char *text)
{
	const struct spawn *spawn = p->spawn;
	const int fds[] = { spawn->in, spawn->out, spawn->err };
	size_t i;

	for (i = 0; i < 3; i++) {
		ATF_CHECK((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		ATF_CHECK((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
	}
	check_pipe(spawn->in, p->in, text);
	check_pipe(p->out, spawn->out, text);
	check_pipe(p->err, spawn->err, text);
}

/* Nobody has the other ends of its pipes any more. */
static inline void
check_dropped(const struct passed *p)
{
	char c;

	ATF_CHECK_EQ(0, read(p->in, &c, 1));
	ATF_CHECK_EQ(-1, write(p->out, "", 1));
	ATF_CHECK_EQ(EPIPE, errno);
	ATF_CHECK_EQ(-1, write(p->err, "", 1));
	ATF_CHECK_EQ(EPIPE, errno);
}

static inline void
setup(struct handover *h)
{
	ATF_REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	ATF_REQUIRE_EQ(0, handover_init(h));
}

/* How many descriptors are open. */
static inline int
count_fds(void)
{
	struct rlimit limit;
	int fd, n = 0;

	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	for (fd = 0; fd < (int)limit.rlim_cur && fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

#endif
