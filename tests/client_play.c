/*
 * Plays a script of FastCGI records, one command a line, for fcgi-client -f.
 * Empty lines and lines that begin with # are skipped.  In NAME, VALUE and
 * TEXT, \n \r \t \s (space) \\ and \xHH stand for one byte.  TEXT is the rest
 * of the line.  Records are queued, and sent as far as the other side takes
 * them; every expect- command and flush goes on sending.
 *
 *   begin ID [responder|authorizer|filter|NUMBER] [keep]
 *   params ID NAME=VALUE ...	pairs in one stream, no end;  params ID: its end
 *   stdin ID TEXT		stdin ID: its end
 *   stdin-bytes ID N		N bytes of `x'
 *   abort ID
 *   credit ID N		AFCGI_CREDIT; more output than that is an error
 *   window ID N		likewise, and again when half of it is used
 *   get-values NAME ...
 *   record TYPE ID [HEX]	any type, its content in hexadecimal
 *   header VERSION TYPE ID LENGTH PADDING	a header alone, of any numbers
 *   raw HEX			bytes
 *   chunk N			content bytes of following stream records
 *   padding N			padding of following records
 *   split N			write N bytes at a time; 0: all
 *   flush			until all is sent, or the other side has closed
 *   half-close			flush, then no more to send
 *   close			now, whatever is queued
 *   stop-reading, resume
 *   lenient			records may come for ids that raw bytes began
 *   connection N		go on with connection N, made if it is new
 *   sleep MS			reads and writes go on meanwhile
 *   run COMMAND		sh -c, must exit 0
 *   until COMMAND		again and again until it exits 0
 *   timeout SECONDS		of each following expectation
 *   count ID			prints bytes of stdout and stderr, and records
 *   print ID			prints its stdout
 *
 *   expect-stdout ID TEXT	TEXT comes, at once or after other bytes
 *   expect-any TEXT		the stdout of some request has TEXT
 *   expect-stdout-is ID TEXT	all of it, from its beginning, when it ends
 *   expect-stdout-bytes ID N	at least N bytes in all
 *   expect-stdout-end ID	the empty record that ends it
 *   expect-stderr ID TEXT
 *   expect-end ID [APP|* [PROTO]]
 *   expect-values [NAME=VALUE|NAME=*] ...	these and no others
 *   expect-unknown TYPE
 *   expect-credit ID N		at least so much AFCGI_CREDIT in all
 *   expect-drain
 *   expect-no-record MS	nothing comes for so long, nor a close
 *   expect-close		the other side closes, in whatever way
 *   expect-cut			and not in a way that looks complete
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gateway/fcgi.h"
#include "client_play.h"

struct peer *
play_peer(const struct play *pl)
{
	return pl->peers[pl->current];
}

/* Takes the next word off the line, unescaped by nobody; NULL at its end. */
char *
play_word(char **line)
{
	char *w;

	while ((w = strsep(line, " \t")) != NULL && *w == '\0')
		continue;
	return w;
}

unsigned long
play_number(const struct play *pl, char **line, unsigned long max)
{
	char *w = play_word(line), *end = NULL;
	unsigned long n = w != NULL ? strtoul(w, &end, 0) : 0;

	if (w == NULL || *w == '\0' || *end != '\0' || n > max)
		errx(2, "line %u: a number up to %lu wanted, not %s", pl->line,
		    max, w != NULL ? w : "nothing");
	return n;
}

uint16_t
play_id(const struct play *pl, char **line)
{
	return (uint16_t)play_number(pl, line, FCGI_MAX_ID);
}

static unsigned
hex_digit(const struct play *pl, char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *d = c == '\0' ? NULL : strchr(digits, c | 0x20);

	if (d == NULL)
		errx(2, "line %u: bad hexadecimal", pl->line);
	return (unsigned)(d - digits);
}

void
play_unescape(const struct play *pl, struct buf *b, const char *s)
{
	static const char from[] = "nrts\\", to[] = "\n\r\t \\";
	const char *f;
	uint8_t c;

	memset(b, 0, sizeof(*b));
	while (s != NULL && *s != '\0') {
		if (*s != '\\') {
			buf_add(b, s++, 1);
		} else if (s[1] == 'x') {
			c = (uint8_t)(hex_digit(pl, s[2]) << 4);
			c |= (uint8_t)hex_digit(pl, s[3]);
			buf_add(b, &c, 1);
			s += 4;
		} else if (s[1] != '\0' && (f = strchr(from, s[1])) != NULL) {
			buf_add(b, &to[f - from], 1);
			s += 2;
		} else
			errx(2, "line %u: bad escape", pl->line);
	}
}

void
play_unhex(const struct play *pl, struct buf *b, char *line)
{
	const char *w;
	uint8_t c;

	memset(b, 0, sizeof(*b));
	while ((w = play_word(&line)) != NULL)
		for (; *w != '\0'; w += 2) {
			c = (uint8_t)(hex_digit(pl, w[0]) << 4);
			c |= (uint8_t)hex_digit(pl, w[1]);
			buf_add(b, &c, 1);
		}
}

void
play_pump(struct play *pl, int64_t wait)
{
	peer_pump(pl->peers, pl->npeers, wait);
}

struct answer *
play_answer(const struct play *pl, uint16_t id)
{
	struct answer *a = play_peer(pl)->answers[id];

	if (a == NULL && play_peer(pl)->lenient)
		return peer_begin(play_peer(pl), id);
	if (a == NULL)
		errx(2, "line %u: id %d was never begun", pl->line, id);
	return a;
}

static const struct command *
command_find(const struct command *c, const char *name)
{
	while (c->name != NULL && strcmp(c->name, name) != 0)
		c++;
	return c->name != NULL ? c : NULL;
}

static void
play_line(struct play *pl, char *line)
{
	char empty[] = "";
	const char *name;
	const struct command *c;

	line[strcspn(line, "\n")] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return;
	name = strsep(&line, " \t");
	if ((c = command_find(action_commands, name)) == NULL &&
	    (c = command_find(expect_commands, name)) == NULL)
		errx(2, "line %u: no command %s", pl->line, name);
	if (play_peer(pl) == NULL && !c->unconnected)
		errx(2, "line %u: connection %u is closed", pl->line,
		    pl->current);
	c->run(pl, line != NULL ? line : empty);
	play_pump(pl, 0);
}

/* Plays the file (- is stdin) to its end; returns the exit status. */
int
play_run(const char *where, const char *path, int64_t timeout)
{
	struct play pl = { .where = where, .timeout = timeout };
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *line = NULL;
	size_t size = 0, i;

	if (f == NULL)
		err(1, "%s", path);
	pl.wire.chunk = FCGI_MAX_CONTENT;
	pl.npeers = 1;
	pl.peers[0] = peer_new(where, 0);
	while (getline(&line, &size, f) != -1) {
		pl.line++;
		play_line(&pl, line);
	}
	if (fflush(stdout) != 0)
		err(1, "stdout");
	for (i = 0; i < pl.npeers; i++)
		peer_free(pl.peers[i]);
	free(line);
	if (f != stdin)
		(void)fclose(f);
	return 0;
}
