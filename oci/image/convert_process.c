/* SPDX-License-Identifier: Apache-2.0 */
/* What runs: arguments, environment, directory, capabilities. */
#include "oci/image/convert_private.h"

#include "lib/cleanup.h"
#include "lib/strmap.h"
#include "oci/caps.h"
#include "oci/default_spec.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static void append(struct strv *list, const struct strv *more)
{
	for_each (s, more)
		list->items[list->count++] = *s;
}

int convert_args(const struct image_process *image, const struct convert_opts *opts,
		 struct arena *a, struct spec_process *p, struct err *err)
{
	char *replacement[] = { (char *)opts->entrypoint, NULL };
	struct strv entrypoint = image->entrypoint, cmd = image->cmd;

	if (opts->entrypoint) {
		entrypoint = (struct strv){ replacement, opts->entrypoint[0] ? 1 : 0 };
		cmd = (struct strv){ NULL, 0 };
	}
	if (opts->args.count)
		cmd = opts->args;
	p->args = (struct strv){
		arena_calloc(a, entrypoint.count + cmd.count + 1, sizeof(*p->args.items)), 0
	};
	append(&p->args, &entrypoint);
	append(&p->args, &cmd);
	if (!p->args.count || !p->args.items[0][0])
		return err_set(err, EINVAL,
			       "nothing to run: neither the image nor the command line names a "
			       "program");
	return 0;
}

static size_t name_len(const char *assignment)
{
	return strcspn(assignment, "=");
}

struct environment {
	struct strv *list; /* NULL where one was taken away */
	struct strmap of;  /* a name's place in it, counted from 1 */
	struct arena *a;
};

static size_t *env_place(struct environment *env, const char *name)
{
	return strmap_at(&env->of, arena_strndup(env->a, name, name_len(name)), env->a);
}

static void env_set(struct environment *env, char *assignment)
{
	size_t *at = env_place(env, assignment);

	if (!*at)
		*at = ++env->list->count;
	env->list->items[*at - 1] = assignment;
}

static void env_remove(struct environment *env, const char *name)
{
	size_t at = strmap_get(&env->of, name);

	if (at)
		env->list->items[at - 1] = NULL;
}

static void env_default(struct environment *env, char *assignment)
{
	size_t at = *env_place(env, assignment);

	if (!at || !env->list->items[at - 1])
		env_set(env, assignment);
}

static void close_gaps(struct strv *list)
{
	size_t kept = 0;

	for_each (s, list)
		if (*s)
			list->items[kept++] = *s;
	list->count = kept;
	list->items[kept] = NULL;
}

/* "NAME" is the caller's variable; one that the caller does not have is taken away. */
static int env_from_option(struct environment *env, char *option, struct err *err)
{
	const char *value;

	if (!name_len(option))
		return err_set(err, EINVAL, "environment \"%.80s\" is not NAME=VALUE or NAME",
			       option);
	if (strchr(option, '=')) {
		env_set(env, option);
		return 0;
	}
	value = getenv(option);
	if (value)
		env_set(env, arena_printf(env->a, "%s=%s", option, value));
	else
		env_remove(env, option);
	return 0;
}

int convert_env(const struct image_process *image, const struct convert_opts *opts,
		const char *home, struct arena *a, struct spec_process *p, struct err *err)
{
	struct environment env = { .list = &p->env, .a = a };

	p->env = (struct strv){
		arena_calloc(a, image->env.count + opts->env.count + 4, sizeof(char *)), 0
	};
	for_each (s, &image->env) {
		if (name_len(*s))
			env_set(&env, *s);
	}
	for_each (s, &opts->env) {
		int r = env_from_option(&env, *s, err);

		if (r < 0)
			return r;
	}
	env_default(&env, arena_strdup(a, DEFAULT_SPEC_PATH));
	env_default(&env, arena_printf(a, "HOME=%s", home ? home : "/"));
	if (opts->tty)
		env_default(&env, arena_strdup(a, "TERM=xterm"));
	close_gaps(&p->env);
	return 0;
}

int convert_cwd(const struct image_process *image, const struct convert_opts *opts, struct arena *a,
		struct spec_process *p, struct err *err)
{
	const char *dir = image->working_dir ? image->working_dir : "";

	if (opts->working_dir) {
		if (opts->working_dir[0] != '/')
			return err_set(err, EINVAL, "working directory \"%.80s\" is not absolute",
				       opts->working_dir);
		dir = opts->working_dir;
	}
	p->cwd = arena_printf(a, "%s%s", dir[0] == '/' ? "" : "/", dir);
	return 0;
}

static bool names_all(const struct strv *names)
{
	for_each (name, names) {
		if (strcasecmp(*name, "ALL") == 0)
			return true;
	}
	return false;
}

/* The mask of what an option lists; ALL counts as nothing here. */
static int read_names(const struct strv *names, uint64_t *ret, struct err *err)
{
	*ret = 0;
	for_each (name, names) {
		const struct strv one = { name, 1 };
		const char *unknown = NULL;

		if (strcasecmp(*name, "ALL") == 0)
			continue;
		*ret |= caps_mask(&one, &unknown);
		if (unknown)
			return err_set(err, EINVAL, "capability \"%.80s\" is none that is known",
				       unknown);
	}
	return 0;
}

int convert_capabilities(const struct convert_opts *opts, struct arena *a, struct spec_process *p,
			 struct err *err)
{
	struct spec_capabilities *c = p->capabilities;
	uint64_t mask = caps_mask(&c->bounding, NULL), add, drop;
	int r = read_names(&opts->cap_add, &add, err);

	if (r == 0)
		r = read_names(&opts->cap_drop, &drop, err);
	if (r < 0)
		return r;
	if (names_all(&opts->cap_drop))
		mask = 0;
	if (names_all(&opts->cap_add))
		mask = caps_kernel();
	c->bounding = caps_names((mask & ~drop) | add, a);
	c->effective = c->permitted = c->bounding;
	/* Only a program that the image makes privileged (set-user-ID, file capabilities) could
	 * have them again, and no_new_privs is in the way of that. */
	if (p->user.uid)
		c->effective = c->permitted = (struct strv){ NULL, 0 };
	return 0;
}
