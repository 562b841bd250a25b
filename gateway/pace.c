/*
 * That a program sleeps only the system can say, and asking has its price.  So
 * none is asked about before it is LOOK_TIME old, then each time that its age
 * has doubled, and only while somebody waits.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "pace.h"

#define LOOK_TIME 1 /* ms */
#define LEAST 4 /* of pace_default() */

unsigned
pace_default(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < LEAST / 2 ? LEAST : 2 * (unsigned)n;
}

/*
 * Is it on a processor, or waiting for one?  Where there is no /proc as
 * Linux's, see proc(5), nobody knows, and it is taken to sleep.
 */
static int
is_busy(pid_t pid)
{
	char path[32], stat[128], *p;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, stat, sizeof stat - 1);
	(void)close(fd);
	if (n <= 0)
		return 0;
	stat[n] = '\0';
	/* "PID (name) R": the name may be anything */
	return (p = strrchr(stat, ')')) != NULL && strncmp(p, ") R", 3) == 0;
}

static void
forget(struct pace *pace, struct pace_start *start)
{
	TAILQ_REMOVE(&pace->starts, start, entry);
	start->coming = 0;
	pace->coming--;
}

static void
allow_less(struct pace *pace, unsigned n)
{
	pace->allowed = n < pace->least ? pace->least : n;
}

/* Looks at those whose time has come. */
static void
look(struct pace *pace)
{
	struct pace_start *start, *next;
	int64_t now = clock_now();

	TAILQ_FOREACH_SAFE(start, &pace->starts, entry, next) {
		if (now - start->began < LOOK_TIME)
			break;
		if (now - start->began >= PACE_TIME)
			forget(pace, start);
		else if (start->pid == -1 || start->look > now)
			continue;
		else if (is_busy(start->pid)) {
			start->look = now + (now - start->began);
			allow_less(pace, pace->allowed / 2);
		} else {
			forget(pace, start);
			pace->allowed += 2;
		}
	}
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct pace *pace = arg;

	(void)fd;
	(void)what;
	pace->changed(pace->changed_arg);
}

void
pace_init(struct pace *pace, struct event_base *base, unsigned least,
    void (*changed)(void *), void *arg)
{
	memset(pace, 0, sizeof *pace);
	TAILQ_INIT(&pace->starts);
	pace->least = pace->allowed = least;
	pace->changed = changed;
	pace->changed_arg = arg;
	(void)evtimer_assign(&pace->timer, base, timer_cb, pace);
}

void
pace_clear(struct pace *pace)
{
	(void)event_del(&pace->timer);
}

int
pace_allows(struct pace *pace)
{
	static const struct timeval tv = { 0, 1000 };

	if (pace->coming >= pace->allowed)
		look(pace);
	if (pace->coming < pace->allowed)
		return 1;
	/* if there is no memory for a timer, there is no pace either */
	return !evtimer_pending(&pace->timer, NULL) &&
	    evtimer_add(&pace->timer, &tv) == -1;
}

void
pace_begin(struct pace *pace, struct pace_start *start)
{
	int64_t now = clock_now();

	if (pace->coming == 0 && now - pace->last >= PACE_TIME)
		pace->allowed = pace->least;
	pace->last = now;
	start->began = now;
	start->look = start->began + LOOK_TIME;
	start->pid = -1;
	start->coming = 1;
	TAILQ_INSERT_TAIL(&pace->starts, start, entry);
	pace->coming++;
}

void
pace_found(struct pace_start *start, pid_t pid)
{
	start->pid = pid;
}

void
pace_end(struct pace *pace, struct pace_start *start)
{
	if (!start->coming)
		return;
	forget(pace, start);
	allow_less(pace, pace->allowed - 1);
	if (evtimer_pending(&pace->timer, NULL))
		pace->changed(pace->changed_arg);
}
