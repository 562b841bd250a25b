/*
 * The pace of starts, pace.c, with processes that sleep or spin and a clock
 * that moves only when a test says so:
 *   - as many as allowed and not one more; who was refused is told when one
 *     ends, or after a moment, again and again, and nobody else is
 *   - an end that comes twice, or without a beginning
 *   - who sleeps or has gone makes place, and for two more, at 1 ms of age
 *   - who spins keeps its place until PACE_TIME, and halves what is allowed; it
 *     is asked about again when its age has doubled
 *   - so does who has no process yet, but for the halving
 *   - names of processes that look like states
 *   - what is allowed is never less than at first, and that again at last
 *   - after pace_clear nobody is told
 */
#include <sys/types.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../gateway/clock.h"
#include "../gateway/pace.h"
#include "unit.h"

#define NONE (-1) /* the process of one that has none yet */
#define MANY 32

struct fixture {
	struct event_base *base;
	struct pace pace;
	struct pace_start starts[MANY];
	unsigned nstarts; /* so many have begun */
	unsigned queued; /* so many wait */
	unsigned nchanged;
};

static int64_t now = 1000;

/* Instead of that of clock.c. */
int64_t
clock_now(void)
{
	return now;
}

static void
begin(struct fixture *f, pid_t pid)
{
	ATF_REQUIRE(f->nstarts < MANY);
	pace_begin(&f->pace, &f->starts[f->nstarts]);
	if (pid != NONE)
		pace_found(&f->starts[f->nstarts], pid);
	f->nstarts++;
}

/* As many as are allowed; returns how many these were. */
static unsigned
fill(struct fixture *f, pid_t pid)
{
	unsigned n;

	for (n = 0; pace_allows(&f->pace); n++)
		begin(f, pid);
	return n;
}

/* Starts those that wait, as in cgi.c. */
static void
changed(void *arg)
{
	struct fixture *f = arg;

	f->nchanged++;
	for (; f->queued > 0 && pace_allows(&f->pace); f->queued--)
		begin(f, NONE);
}

static void
setup(struct fixture *f, unsigned least)
{
	memset(f, 0, sizeof *f);
	ATF_REQUIRE((f->base = event_base_new()) != NULL);
	pace_init(&f->pace, f->base, least, changed, f);
}

static void
teardown(struct fixture *f)
{
	pace_clear(&f->pace);
	event_base_free(f->base);
}

/* What status says, which is not what pace.c reads; 1 if nobody knows. */
static int
is_in_state(pid_t pid, char state)
{
	char path[32], line[64], found = '\0';
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	if ((file = fopen(path, "r")) == NULL)
		return 1;
	while (found == '\0' && fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "State: %c", &found);
	(void)fclose(file);
	return found == state;
}

/* Starts a process that ends with us; returns when it sleeps, or spins. */
static pid_t
process(int spins, const char *name)
{
	const struct timespec moment = { 0, 1000000 };
	const int64_t deadline = unit_deadline();
	pid_t pid;

	(void)name;
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
#ifdef __linux__
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, name);
#endif
		(void)raise(SIGSTOP);
		for (;;)
			if (!spins)
				(void)pause();
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, NULL, WUNTRACED));
	ATF_REQUIRE_EQ(0, kill(pid, SIGCONT));
	while (!is_in_state(pid, spins ? 'R' : 'S')) {
		ATF_REQUIRE(unit_now() < deadline);
		(void)nanosleep(&moment, NULL);
	}
	return pid;
}

/* Elsewhere nobody is known to be busy. */
static void
require_proc(void)
{
	if (access("/proc/self/stat", R_OK) == -1)
		atf_tc_skip("there is no /proc as Linux's");
}

/* When only one may come up: how old is it when it is up? */
static void
check_age(int64_t age, pid_t pid)
{
	struct fixture f;
	int64_t began = now;

	setup(&f, 1);
	begin(&f, pid);
	while (!pace_allows(&f.pace) && now < began + 1000)
		now++;
	ATF_CHECK_EQ(age, now - began);
	ATF_CHECK_EQ(age < PACE_TIME ? 3 : 1, f.pace.allowed);
	/* that all were found asleep is no reason to begin with few */
	ATF_CHECK_EQ(f.pace.allowed, fill(&f, NONE));
	pace_end(&f.pace, &f.starts[0]); /* of one that was up */
	ATF_CHECK(!pace_allows(&f.pace));
	teardown(&f);
}

/* Two for each processor, but four at least. */
ATF_TC_WITHOUT_HEAD(standard);
ATF_TC_BODY(standard, tc)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	ATF_CHECK_EQ(n < 2 ? 4 : 2 * n, (long)pace_default());
}

/* Exactly so many, however often it is asked; one that ends makes place. */
ATF_TC_WITHOUT_HEAD(least);
ATF_TC_BODY(least, tc)
{
	struct fixture f;
	unsigned n;

	for (n = 1; n < 8; n++) {
		setup(&f, n);
		ATF_CHECK_EQ(n, fill(&f, NONE));
		ATF_CHECK(!pace_allows(&f.pace));
		pace_end(&f.pace, &f.starts[n / 2]);
		ATF_CHECK_EQ(1, fill(&f, NONE));
		ATF_CHECK(!pace_allows(&f.pace));
		teardown(&f);
	}
}

static int
is_told(void *arg)
{
	return ((struct fixture *)arg)->nchanged > 0;
}

/* Told to who was refused since it was told last; a second end is none. */
ATF_TC_WITHOUT_HEAD(ends);
ATF_TC_BODY(ends, tc)
{
	struct fixture f;
	struct pace_start never = { .coming = 0 };

	setup(&f, 2);
	begin(&f, NONE);
	begin(&f, NONE);
	pace_end(&f.pace, &f.starts[0]);
	ATF_CHECK_EQ(0, f.nchanged);
	ATF_CHECK_EQ(1, fill(&f, NONE));
	pace_end(&f.pace, &f.starts[0]);
	pace_end(&f.pace, &never);
	ATF_CHECK(!pace_allows(&f.pace));
	ATF_CHECK_EQ(0, f.nchanged);
	pace_end(&f.pace, &f.starts[2]);
	ATF_CHECK_EQ(1, f.nchanged);
	ATF_CHECK_EQ(1, fill(&f, NONE));
	f.nchanged = 0;
	ATF_REQUIRE(unit_loop(f.base, is_told, &f));
	pace_end(&f.pace, &f.starts[1]);
	unit_loop_for(f.base, 20);
	ATF_CHECK_EQ(1, f.nchanged);
	teardown(&f);
}

/* Each end lets one of those begin that wait, in whatever order. */
ATF_TC_WITHOUT_HEAD(turns);
ATF_TC_BODY(turns, tc)
{
	struct fixture f;
	unsigned i;

	setup(&f, 3);
	f.queued = 12;
	changed(&f);
	for (i = 0; i < 12; i++) {
		ATF_CHECK_EQ(i < 9 ? i + 3 : 12, f.nstarts);
		pace_end(&f.pace, &f.starts[i ^ 1]); /* 1, 0, 3, 2 ... */
	}
	ATF_CHECK_EQ(3, fill(&f, NONE));
	teardown(&f);
}

/* Who waits is told again and again, until it need not wait. */
ATF_TC_WITHOUT_HEAD(told);
ATF_TC_BODY(told, tc)
{
	struct fixture f;
	int i;

	setup(&f, 1);
	begin(&f, process(0, "sleeper"));
	f.queued = 1;
	changed(&f);
	for (i = 0; i < 4; i++) {
		now += i == 3;
		f.nchanged = 0;
		ATF_REQUIRE(unit_loop(f.base, is_told, &f));
		ATF_CHECK_EQ(i < 3 ? 1 : 0, f.queued);
	}
	teardown(&f);
}

/* Two more for who sleeps, one less for who ends; at last the least again. */
ATF_TC_WITHOUT_HEAD(sleeps);
ATF_TC_BODY(sleeps, tc)
{
	struct fixture f;
	pid_t pid = process(0, "sleeper");

	check_age(1, pid);
	setup(&f, 2);
	begin(&f, pid);
	now++;
	/* one beside it, one in its place, and two */
	ATF_CHECK_EQ(4, fill(&f, NONE));
	ATF_CHECK_EQ(4, f.pace.allowed);
	pace_end(&f.pace, &f.starts[2]);
	ATF_CHECK_EQ(3, f.pace.allowed);
	ATF_CHECK(!pace_allows(&f.pace));
	now += 10000;
	ATF_CHECK_EQ(2, fill(&f, NONE));
	teardown(&f);
}

/* Who is busy keeps its place until it is old; so does a start that hangs. */
ATF_TC_WITHOUT_HEAD(spins);
ATF_TC_BODY(spins, tc)
{
	check_age(PACE_TIME, NONE);
	require_proc();
	check_age(PACE_TIME, process(1, "spinner"));
}

/* A process that is no more does not keep its place. */
ATF_TC_WITHOUT_HEAD(gone);
ATF_TC_BODY(gone, tc)
{
	pid_t pid = process(0, "sleeper");

	ATF_REQUIRE_EQ(0, kill(pid, SIGKILL));
	ATF_REQUIRE_EQ(pid, waitpid(pid, NULL, 0));
	check_age(1, pid);
}

/* A name that looks like a state is a name. */
ATF_TC_WITHOUT_HEAD(names);
ATF_TC_BODY(names, tc)
{
	require_proc();
	check_age(1, process(0, ") R"));
	check_age(1, process(0, "(R) R 1 (R) R 1"));
	check_age(PACE_TIME, process(1, ") S"));
}

/* Nobody is asked about more often than when its age has doubled. */
ATF_TC_WITHOUT_HEAD(looks);
ATF_TC_BODY(looks, tc)
{
	struct fixture f;
	pid_t busy, idle;
	int64_t age;

	require_proc();
	busy = process(1, "spinner");
	idle = process(0, "sleeper");
	setup(&f, 1);
	begin(&f, busy);
	for (age = 1; age <= 16; age++) {
		now++;
		/* at 1, 2, 4, 8 and 16 ms */
		pace_found(&f.starts[0], (age & (age - 1)) == 0 ? busy : idle);
		ATF_CHECK(!pace_allows(&f.pace));
	}
	teardown(&f);
}

/* One that is busy halves what is allowed, as far as to what is so always. */
ATF_TC_WITHOUT_HEAD(halves);
ATF_TC_BODY(halves, tc)
{
	struct fixture f;

	require_proc();
	setup(&f, 4);
	begin(&f, NONE);
	ATF_CHECK_EQ(3, fill(&f, process(0, "sleeper")));
	now++;
	ATF_CHECK(pace_allows(&f.pace));
	ATF_CHECK_EQ(10, f.pace.allowed);
	begin(&f, process(1, "spinner"));
	ATF_CHECK_EQ(8, fill(&f, NONE));
	now++;
	ATF_CHECK(!pace_allows(&f.pace));
	ATF_CHECK_EQ(5, f.pace.allowed);
	now++;
	ATF_CHECK(!pace_allows(&f.pace));
	ATF_CHECK_EQ(4, f.pace.allowed);
	teardown(&f);
}

/* Who has been refused is not told any more, by an end or by the clock. */
ATF_TC_WITHOUT_HEAD(clear);
ATF_TC_BODY(clear, tc)
{
	struct fixture f;

	setup(&f, 1);
	ATF_CHECK_EQ(1, fill(&f, NONE));
	pace_clear(&f.pace);
	pace_end(&f.pace, &f.starts[0]);
	unit_loop_for(f.base, 20);
	ATF_CHECK_EQ(0, f.nchanged);
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, standard);
	ATF_TP_ADD_TC(tp, least);
	ATF_TP_ADD_TC(tp, ends);
	ATF_TP_ADD_TC(tp, turns);
	ATF_TP_ADD_TC(tp, told);
	ATF_TP_ADD_TC(tp, sleeps);
	ATF_TP_ADD_TC(tp, spins);
	ATF_TP_ADD_TC(tp, gone);
	ATF_TP_ADD_TC(tp, names);
	ATF_TP_ADD_TC(tp, looks);
	ATF_TP_ADD_TC(tp, halves);
	ATF_TP_ADD_TC(tp, clear);
	return atf_no_error();
}
