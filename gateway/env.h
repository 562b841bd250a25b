/*
 * The environment and the arguments of a script: RFC 3875 section 4.1, with
 * what the web server sent, and without what must not reach a program.
 * Spawner threads call it; it touches nothing but what it is given.
 */
#ifndef ENV_H
#define ENV_H

struct params;
struct script;

struct env {
	char **argv; /* argv[0] is the script's path, or the interpreter's */
	char **envp;
	char **owned; /* strings of both that are freed with them */
};

/*
 * Builds both from decoded parameters and a script that has been found.
 * `extra' are "NAME=VALUE" strings that every script gets, ended by NULL.
 * The strings of params, script and extra are used, not copied.  isindex: put
 * the words of a query without '=' into argv (section 4.4).  authorizer: the
 * request's role is FCGI_AUTHORIZER.  Returns 0, or -1 with errno ENOMEM.
 */
int env_build(struct env *, const struct params *, const struct script *,
    const char *const *extra, int isindex, int authorizer);
void env_clear(struct env *);

#endif
