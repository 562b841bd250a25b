/*
 * The floor that the gateway is measured against: the least that any gateway
 * must do for a CGI request.  Makes three pipes, starts a program with vfork
 * and exec, closes its stdin, reads its stdout and stderr to their end and
 * waits for it; NUMBER of them in all, INFLIGHT of them at a time, on one
 * thread.  Prints the wall time and the rate.
 *
 *	bare number inflight program
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <err.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "now.h"

struct job {
	struct event *out;
	struct event *errors;
	pid_t pid;
	int open; /* of its two pipes */
};

static struct event_base *base;
static char *program;
static char interface[] = "GATEWAY_INTERFACE=CGI/1.1";
static char method[] = "REQUEST_METHOD=GET";
static char query[] = "QUERY_STRING=";
static int left, good;

static void job_start(struct job *);

/* Both pipes are at their end: the program is done, or nearly. */
static void
job_end(struct job *job)
{
	int status;

	event_free(job->out);
	event_free(job->errors);
	if (waitpid(job->pid, &status, 0) == job->pid && status == 0)
		good++;
	if (left > 0)
		job_start(job);
}

static void
job_read_cb(int fd, short what, void *arg)
{
	struct job *job = arg;
	static char buf[65536];

	(void)what;
	if (read(fd, buf, sizeof(buf)) > 0)
		return;
	(void)event_del(fd == event_get_fd(job->out) ? job->out : job->errors);
	(void)close(fd);
	if (--job->open == 0)
		job_end(job);
}

static void
job_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) == -1)
		err(1, "pipe");
}

static void
job_start(struct job *job)
{
	char *argv[] = { program, NULL };
	char *envp[] = { interface, method, query, NULL };
	int in[2], out[2], errors[2];

	job_pipe(in);
	job_pipe(out);
	job_pipe(errors);
	left--;
	switch (job->pid = vfork()) {
	case -1:
		err(1, "vfork");
	case 0:
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(errors[1], STDERR_FILENO);
		(void)execve(program, argv, envp);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(in[1]);
	(void)close(out[1]);
	(void)close(errors[1]);
	job->open = 2;
	job->out =
	    event_new(base, out[0], EV_READ | EV_PERSIST, job_read_cb, job);
	job->errors =
	    event_new(base, errors[0], EV_READ | EV_PERSIST, job_read_cb, job);
	if (job->out == NULL || job->errors == NULL ||
	    event_add(job->out, NULL) == -1 ||
	    event_add(job->errors, NULL) == -1)
		errx(1, "event");
}

int
main(int argc, char *argv[])
{
	struct rlimit rl;
	struct job *jobs;
	double start, wall;
	int i, inflight, number;

	if (argc != 4 || (number = (int)strtol(argv[1], NULL, 10)) < 1 ||
	    (inflight = (int)strtol(argv[2], NULL, 10)) < 1) {
		(void)fprintf(stderr, "usage: bare number inflight program\n");
		return 1;
	}
	program = argv[3];
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	if ((base = event_base_new()) == NULL ||
	    (jobs = calloc((size_t)inflight, sizeof(*jobs))) == NULL)
		errx(1, "out of memory");
	left = number;
	start = now();
	for (i = 0; i < inflight && left > 0; i++)
		job_start(&jobs[i]);
	(void)event_base_dispatch(base);
	wall = now() - start;
	(void)printf("wall=%.3f rate=%.1f good=%d\n", wall,
	    (double)number / wall, good);
	free(jobs);
	event_base_free(base);
	return good == number ? 0 : 1;
}
