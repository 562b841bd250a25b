/*
 * What the files of a run (run*.c) share: its pipes and its clock.
 */
#ifndef RUN_PIPES_H
#define RUN_PIPES_H

#include <sys/types.h>

#include <stdint.h>

#include <event2/util.h>

struct event;
struct run;

/* Begins to read both outputs.  Returns 0, or -1 with errno. */
int run_open_pipes(struct run *);
/* Closes one of them, if it is open. */
void run_close(int *fd, struct event *);
/* Adds n bytes that a pipe has carried; a busy pipe is made larger. */
void run_count_bytes(int64_t *sum, ssize_t n, int fd);
/* Prepare the events of an open pipe. */
void run_assign_out(struct run *);
void run_assign_err(struct run *);
/* What came from the script is no header: says so, and ends it. */
void run_bad_header(struct run *, const char *why);
/* The header need not be held back any more. */
void run_release(struct run *);
/* By its own framing, is the response whole, however its script may end? */
int run_is_whole(const struct run *);
/* Ends the output if all of the response has been sent. */
void run_check_complete(struct run *);
/* run_clock.c: what the timer calls. */
void run_timer_cb(evutil_socket_t, short, void *);
/* The limit that is reached first: its name, and when, or INT64_MAX. */
int64_t run_next_limit(const struct run *, const char **what);
/* In ENDING: ends the request as soon as that may be. */
void run_finish(struct run *);
/* Takes what is in the pipe of standard error now. */
void run_drain_errors(struct run *);
/* Forwards what has come from it, as far as there is room. */
void run_send_errors(struct run *);
/* Logs how much of it has been dropped, if any. */
void run_report_errors(const struct run *);
/* Nothing more to do?  Else the next limit is waited for. */
void run_free_if_over(struct run *);

#endif
