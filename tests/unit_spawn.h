/*
 * Scripts in the test's own directory, started by spawner.c without threads:
 * for spawner_test.c and spawner_fail_test.c.
 */
#ifndef UNIT_SPAWN_H
#define UNIT_SPAWN_H

#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>

#include "../gateway/spawner.h"
#include "unit_script.h"

struct world {
	struct site site;
	struct spawn_config config;
};

static inline void
world_init(struct world *w)
{
	static const char *const none[] = { NULL };

	memset(w, 0, sizeof *w);
	site_init(&w->site);
	site_script("tree/true");
	site_tree(&w->site, "@/tree");
	w->config.trees = &w->site.trees;
	w->config.extra = none;
	ATF_REQUIRE_EQ(0, getrlimit(RLIMIT_NOFILE, &w->config.nofile));
}

static inline void
world_clear(struct world *w)
{
	trees_clear(&w->site.trees);
}

/* valgrind keeps limits to itself, and is told of failed execs too late. */
static inline void
world_skip_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		atf_tc_skip("not under valgrind");
}

/* Name, value, ..., NULL: does what a thread would do. */
static inline struct spawn *
world_spawn(struct world *w, ...)
{
	struct spawn *spawn = spawn_new(&w->config);
	va_list ap;

	ATF_REQUIRE(spawn != NULL);
	va_start(ap, w);
	site_params(&w->site, &spawn->params, ap);
	va_end(ap);
	spawn->job.work(&spawn->job);
	return spawn;
}

/* Reads to the end of a pipe, which is then a string too. */
static inline void
world_read(int fd, struct bytes *out)
{
	int64_t deadline = unit_deadline();
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	for (;;) {
		ATF_REQUIRE(unit_now() < deadline);
		if (poll(&pfd, 1, 100) <= 0)
			continue;
		if ((n = read(fd, buf, sizeof buf)) == 0)
			break;
		ATF_REQUIRE(n > 0 || errno == EAGAIN);
		if (n > 0)
			bytes_add(out, buf, (size_t)n);
	}
	bytes_add(out, "", 1);
}

static inline void
world_check_output(int fd, const char *want)
{
	struct bytes out = { 0 };

	world_read(fd, &out);
	ATF_CHECK_STREQ(want, (char *)out.p);
	bytes_free(&out);
}

/* Its exit code, or 128 and the signal. */
static inline int
world_reap(const struct spawn *spawn)
{
	int status;

	ATF_REQUIRE(spawn->pid > 0);
	ATF_REQUIRE_EQ(spawn->pid, waitpid(spawn->pid, &status, 0));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

#endif
