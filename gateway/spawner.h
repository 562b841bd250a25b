/*
 * Starting a script: everything about it that may block.  A spawn is a job
 * for a pool; on its thread the script is found (script.h), its environment
 * built (env.h), its pipes made, and the program started with vfork and exec.
 *
 * The event loop fills in the first half of the structure, submits it, and
 * finds the second half filled in when done is called.
 */
#ifndef SPAWNER_H
#define SPAWNER_H

#include <sys/types.h>
#include <sys/resource.h>

#include "params.h"
#include "pool.h"
#include "script.h"

struct cgi;

struct spawn_config {
	const struct trees *trees;
	const char *const *extra; /* "NAME=VALUE", ended by NULL */
	int isindex;
	struct rlimit nofile; /* that scripts get: what we were started with */
};

struct spawn {
	struct job job;
	/* the event loop's; threads do not look at these */
	struct cgi *cgi;
	void *owner; /* the run, or NULL once it is gone */
	/* in */
	const struct spawn_config *config;
	struct params params; /* freed by the job */
	int authorizer;
	int giver; /* for the pipes: handover.h; -1: they stay here */
	/* out */
	int status; /* 0: started; else the HTTP status to answer with */
	int retry; /* resources were lacking: it may work later */
	int error; /* errno, 0 if it does not say it */
	char *name; /* the script's path for the log, or NULL */
	char reason[SCRIPT_ERROR_MAX];
	pid_t pid; /* -1: none; there may be one though status is not 0 */
	int in; /* our ends of its pipes, non-blocking; -1: none */
	int out;
	int err;
	int lost; /* they found no room in the event loop's table */
};

/* The job's work and a clean start: for spawn->job.work. */
void spawn_work(struct job *);
/* NULL with errno ENOMEM.  done is for the caller to set. */
struct spawn *spawn_new(const struct spawn_config *);
/* Closes the pipes that are still in it. */
void spawn_free(struct spawn *);

#endif
