/* SPDX-License-Identifier: Apache-2.0 */
/* What runs: arguments, environment, directory, capabilities. */
#include "oci/image/convert_private.h"

#include "lib/cleanup.h"
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

/* The place of a variable of that name, or where a new one goes. */
static size_t env_place(const struct strv *env, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < env->count; i++)
		if (name_len(env->items[i]) == len && strncmp(env->items[i], name, len) == 0)
			break;
	return i;
}

static void env_set(struct strv *env, char *assignment)
{
	size_t i = env_place(env, assignment, name_len(assignment));

	env->items[i] = assignment;
	if (i == env->count)
		env->count++;
}

static void env_remove(struct strv *env, const char *name)
{
	size_t i = env_place(env, name, strlen(name));

	if (i == env->count)
		return;
	env->count--;
	memmove(&env->items[i], &env->items[i + 1], (env->count - i) * sizeof(*env->items));
	env->items[env->count] = NULL;
}

static void env_default(struct strv *env, char *assignment)
{
	if (env_place(env, assignment, name_len(assignment)) == env->count)
		env_set(env, assignment);
}

/* "NAME" is the caller's variable; one that the caller does not have is taken away. */
static int env_from_option(struct strv *env, char *option, struct arena *a, struct err *err)
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
		env_set(env, arena_printf(a, "%s=%s", option, value));
	else
		env_remove(env, option);
	return 0;
}

int convert_env(const struct image_process *image, const struct convert_opts *opts,
		const char *home, struct arena *a, struct spec_process *p, struct err *err)
{
	struct strv *env = &p->env;

	*env = (struct strv){
		arena_calloc(a, image->env.count + opts->env.count + 4, sizeof(*env->items)), 0
	};
	for_each (s, &image->env) {
		if (name_len(*s))
			env_set(env, *s);
	}
	for_each (s, &opts->env) {
		int r = env_from_option(env, *s, a, err);

		if (r < 0)
			return r;
	}
	env_default(env, arena_strdup(a, DEFAULT_SPEC_PATH));
	env_default(env, arena_printf(a, "HOME=%s", home ? home : "/"));
	if (opts->tty)
		env_default(env, arena_strdup(a, "TERM=xterm"));
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
