/*
 * A request, a script that was found for it, and the environment that env.c
 * builds from both: for environ_test.c and argv_test.c.
 */
#ifndef UNIT_ENV_H
#define UNIT_ENV_H

#include <stdio.h>

#include "../gateway/env.h"
#include "../gateway/params.h"
#include "../gateway/script.h"
#include "unit.h"

struct world {
	struct bytes stream;
	struct params params;
	struct script script;
	const char *info; /* PATH_INFO */
	const char *const *extra;
	int isindex;
	int authorizer;
	struct env env;
};

static inline void
world_init(struct world *w)
{
	static const char *const none[] = { NULL };

	memset(w, 0, sizeof *w);
	w->info = "";
	w->extra = none;
	params_init(&w->params);
}

static inline void
world_param(struct world *w, const char *name, const char *value)
{
	bytes_pair(&w->stream, name, value);
}

static inline void
world_build(struct world *w)
{
	ATF_REQUIRE((w->script.filename = strdup("/tree/x")) != NULL);
	ATF_REQUIRE((w->script.script_name = strdup("/cgi-bin/x")) != NULL);
	ATF_REQUIRE((w->script.path_info = strdup(w->info)) != NULL);
	ATF_REQUIRE_EQ(0,
	    params_append(&w->params, w->stream.p, w->stream.len, 1024 * 1024));
	ATF_REQUIRE(params_decode(&w->params) == NULL);
	ATF_REQUIRE_EQ(0,
	    env_build(&w->env, &w->params, &w->script, w->extra, w->isindex,
		w->authorizer));
}

/* A variable of the built environment, or NULL. */
static inline const char *
world_get(const struct world *w, const char *name)
{
	char **p;

	for (p = w->env.envp; *p != NULL; p++)
		if (params_compare_names(*p, name) == 0)
			return strchr(*p, '=') + 1;
	return NULL;
}

static inline void
world_clear(struct world *w)
{
	env_clear(&w->env);
	params_clear(&w->params);
	script_clear(&w->script);
	bytes_free(&w->stream);
}

#endif
