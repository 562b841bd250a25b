/*
 * The log.  Lines go to a file or to standard error by way of a thread and a
 * bounded buffer, so that neither a slow disk nor a full pipe ever stops the
 * event loop; lines that find the buffer full are counted and the count is
 * logged when there is room again.  All but plain ASCII is shown as
 * \xNN, so nothing that anybody sends can forge one.
 *
 * Any thread may log.  One log a process: the state is private to log.c.
 */
#ifndef LOG_H
#define LOG_H

#include <sys/types.h>

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

/*
 * Until log_open, lines are written to standard error directly.  log_open
 * starts the thread; path NULL is standard error.  Returns 0, or -1 with
 * errno when the file cannot be opened or the thread not be started.
 */
int log_open(const char *path, int debug);
/*
 * Gives the file, if log_open has made it, to whom the process will become.
 * Returns 0, or -1 with errno.
 */
int log_chown(uid_t, gid_t);
/* Has the thread open the file again (after rotation); never blocks. */
void log_reopen(void);
/* Writes what is buffered, waits at most a second, ends the thread. */
void log_close(void);

void log_line(enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* True if lines of LEVEL_DEBUG are wanted: spares their formatting. */
int log_debugging(void);

#define log_debug(...)                                      \
	do {                                                \
		if (log_debugging())                        \
			log_line(LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)
#define log_info(...) log_line(LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LEVEL_ERROR, __VA_ARGS__)

#endif
