/*
 * vfork and not fork: the gateway may be large, and the copying of its page
 * tables is then most of what a spawn costs.  The child borrows this thread's
 * memory until it calls exec, so it may only make system calls and must leave
 * what it sees as it was.  Between the two it reports an error of exec through
 * a pipe that exec closes, which also works under tools that turn vfork into
 * fork.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "handover.h"
#include "spawner.h"

#define REPORT_FD 3 /* of the child, until exec */

struct pipes {
	int in[2];
	int out[2];
	int err[2];
	int report[2];
};

struct spawn *
spawn_new(const struct spawn_config *config)
{
	struct spawn *spawn;

	if ((spawn = calloc(1, sizeof *spawn)) == NULL)
		return NULL;
	spawn->job.work = spawn_work;
	spawn->config = config;
	params_init(&spawn->params);
	spawn->pid = -1;
	spawn->giver = spawn->in = spawn->out = spawn->err = -1;
	spawn->status = 503; /* in case that it is never begun */
	return spawn;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

void
spawn_free(struct spawn *spawn)
{
	if (spawn == NULL)
		return;
	close_fd(&spawn->in);
	close_fd(&spawn->out);
	close_fd(&spawn->err);
	params_clear(&spawn->params);
	free(spawn->name);
	free(spawn);
}

static void
close_pipes(struct pipes *p)
{
	int *fds[] = { p->in, p->out, p->err, p->report };
	size_t i;

	for (i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		close_fd(&fds[i][0]);
		close_fd(&fds[i][1]);
	}
}

/* Returns 0, or -1 with errno. */
static int
open_pipes(struct pipes *p)
{
	int error;

	memset(p, 0xff, sizeof *p); /* -1 in all of them */
	if (pipe2(p->in, O_CLOEXEC) == -1 || pipe2(p->out, O_CLOEXEC) == -1 ||
	    pipe2(p->err, O_CLOEXEC) == -1 ||
	    pipe2(p->report, O_CLOEXEC) == -1 ||
	    fcntl(p->in[1], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(p->out[0], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(p->err[0], F_SETFL, O_NONBLOCK) == -1) {
		error = errno;
		close_pipes(p);
		errno = error;
		return -1;
	}
	return 0;
}

/*
 * In the child.  Signals are blocked, as in all of this pool's threads, until
 * their actions are the default ones: a handler must not run here.  exec
 * resets handlers; what is ignored stays so, and we ignore nothing.
 */
static void __attribute__((noreturn)) run(const struct pipes *p,
    const char *dir, const struct env *env, const struct rlimit *nofile)
{
	static const int caught[] = { SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGPIPE,
		SIGUSR1 };
	struct sigaction standard;
	sigset_t none;
	size_t i;
	int error, report = p->report[1];

	(void)setsid();
	if (dup2(p->in[0], STDIN_FILENO) == -1 ||
	    dup2(p->out[1], STDOUT_FILENO) == -1 ||
	    dup2(p->err[1], STDERR_FILENO) == -1)
		goto failed;
	/*
	 * exec would close the others too, but it may hang, and nobody else's
	 * pipe may depend on that.
	 */
	if (report != REPORT_FD &&
	    dup3(report, REPORT_FD, O_CLOEXEC) == REPORT_FD)
		report = REPORT_FD;
	if (report == REPORT_FD)
		(void)close_range(REPORT_FD + 1, ~0U, 0);
	if (chdir(dir) == -1 || setrlimit(RLIMIT_NOFILE, nofile) == -1)
		goto failed;
	memset(&standard, 0, sizeof standard);
	standard.sa_handler = SIG_DFL;
	for (i = 0; i < sizeof caught / sizeof caught[0]; i++)
		(void)sigaction(caught[i], &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(env->argv[0], env->argv, env->envp);
failed:
	error = errno;
	(void)!write(report, &error, sizeof error);
	_exit(127);
}

/*
 * Starts the program.  Returns 0, or -1 with errno of what failed.  *pid is -1
 * if there is no process; one that could not exec has a pid too, and will be
 * reaped as others are.
 */
static int
start(struct pipes *p, const char *dir, const struct env *env,
    const struct rlimit *nofile, pid_t *pid)
{
	pid_t child;
	ssize_t n;
	int error;

	/* NOLINTBEGIN(clang-analyzer-*) */
	child = vfork();
	if (child == 0)
		run(p, dir, env, nofile);
	/* NOLINTEND(clang-analyzer-*) */
	*pid = child;
	if (child == -1)
		return -1;
	close_fd(&p->report[1]);
	do
		n = read(p->report[0], &error, sizeof error);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof error)
		return 0;
	errno = error;
	return -1;
}

/* What an errno of exec, fork or pipe means for the client. */
static void
fail(struct spawn *spawn, const char *path, int error)
{
	spawn->error = error;
	switch (error) {
	case EAGAIN:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		spawn->retry = 1;
		spawn->status = 503;
		break;
	case ENOENT:
	case ENOTDIR:
		/* removed since it was found? or is it its interpreter? */
		spawn->status = access(path, F_OK) == -1 ? 404 : 500;
		break;
	case EACCES:
	case EPERM:
		spawn->status = 403;
		break;
	case E2BIG:
		spawn->status = 431;
		break;
	default:
		spawn->status = 500;
	}
}

/* The directory of a script's path, malloc'd. */
static char *
directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

/* Returns 0, or -1 with errno. */
static int
pass_pipes(struct spawn *spawn, struct pipes *p)
{
	int ours[] = { p->in[1], p->out[0], p->err[0] };

	p->in[1] = p->out[0] = p->err[0] = -1;
	if (spawn->giver != -1)
		return handover_give(spawn->giver, spawn, ours);
	spawn->in = ours[0];
	spawn->out = ours[1];
	spawn->err = ours[2];
	return 0;
}

static void
spawn_script(struct spawn *spawn, const struct script *script)
{
	struct env env;
	struct pipes pipes;
	char *dir;

	if ((dir = directory(script->filename)) == NULL ||
	    env_build(&env, &spawn->params, script, spawn->config->extra,
		spawn->config->isindex, spawn->authorizer) == -1) {
		free(dir);
		fail(spawn, script->filename, ENOMEM);
		return;
	}
	if (open_pipes(&pipes) == -1 ||
	    start(&pipes, dir, &env, &spawn->config->nofile, &spawn->pid) == -1)
		fail(spawn, script->filename, errno);
	else if (pass_pipes(spawn, &pipes) == -1) {
		/* it runs, and will be ended; it must not run twice */
		spawn->error = errno;
		spawn->status = 503;
	} else
		spawn->status = 0;
	close_pipes(&pipes);
	env_clear(&env);
	free(dir);
}

void
spawn_work(struct job *job)
{
	struct spawn *spawn = (struct spawn *)(void *)job;
	struct script script;

	spawn->retry = spawn->error = 0;
	spawn->pid = -1;
	spawn->reason[0] = '\0';
	free(spawn->name);
	spawn->name = NULL;
	spawn->status =
	    script_find(spawn->config->trees, &spawn->params, &script);
	if (spawn->status != 0) {
		(void)strlcpy(spawn->reason, script.error,
		    sizeof spawn->reason);
		return;
	}
	spawn->name = strdup(script.filename);
	spawn_script(spawn, &script);
	script_clear(&script);
	if (!spawn->retry)
		params_clear(&spawn->params);
}
