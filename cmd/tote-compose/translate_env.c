/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/translate_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

#define MAX_FILES 100

/* "NAME=VALUE" lines as they are: Docker's format. */
static void add_raw(struct translating *t, char *text, struct variables *out)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *equals = strchr(line, '=');

		if (line[0] == '#' || !equals || equals == line)
			continue;
		*equals = '\0';
		variables_add(out, line, equals + 1);
	}
	(void)t;
}

static int read_file(struct translating *t, const struct compose_service *s,
		     const struct compose_env_file *f, struct variables *out)
{
	char *path = translate_path(t, f->path), *text;
	struct err why;
	size_t len;
	int r = t->around->read_file(t->around->arg, path, t->a, &text, &len, &why);

	if (r == -ENOENT && !f->required)
		return 0;
	if (r < 0)
		return translate_error(t, f->node, s, "env_file: %s", why.msg);
	if (f->format)
		add_raw(t, text, out);
	else
		r = variables_parse(text, path, t->o->variables, out, t->err);
	return r;
}

/* One without a value is the caller's, or none. */
static void add_pairs(struct translating *t, const struct key_value_list *pairs,
		      struct variables *out)
{
	for_each (p, pairs) {
		const char *value = p->value ? p->value : variables_get(t->o->variables, p->key);

		if (value)
			variables_add(out, p->key, value);
	}
}

int translate_environment(struct translating *t, const struct compose_service *s, struct words *w)
{
	struct variables own = { .a = t->a }, files = { .a = t->a };

	if (s->env_file.count > MAX_FILES)
		return translate_error(t, s->node, s, "more than %d of env_file", MAX_FILES);
	add_pairs(t, &s->environment, &own);
	/* The last one wins, and in each of them what comes first. */
	for (size_t i = s->env_file.count; i > 0; i--) {
		int r = read_file(t, s, &s->env_file.items[i - 1], &files);

		if (r < 0)
			return r;
	}
	own.below = &files;
	for (const struct variables *v = &own; v; v = v->below)
		for (size_t i = 0; i < v->count; i++) {
			const struct key_value *it = &v->items[i];

			/* Another one of the same name stands before it. */
			if (variables_get(&own, it->key) != it->value)
				continue;
			words_add(t, w, "--env");
			words_add(t, w, arena_printf(t->a, "%s=%s", it->key, it->value));
		}
	return 0;
}
