/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/load.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_ENV_FILE ((size_t)1 << 20)
#define MAX_FILES 32

extern char **environ;

/* In the order of the specification; the file beside one that is put over it. */
static const struct {
	const char *name, *over[2];
} file_names[] = {
	{ "compose.yaml", { "compose.override.yaml", "compose.override.yml" } },
	{ "compose.yml", { "compose.override.yml", "compose.override.yaml" } },
	{ "docker-compose.yml", { "docker-compose.override.yml", "docker-compose.override.yaml" } },
	{ "docker-compose.yaml",
	  { "docker-compose.override.yaml", "docker-compose.override.yml" } },
};

static void add_file(struct composition *c, struct arena *a, const char *path)
{
	if (!c->files.items)
		c->files.items = arena_calloc(a, MAX_FILES + 1, sizeof(char *));
	if (c->files.count < MAX_FILES)
		c->files.items[c->files.count++] = arena_strdup(a, path);
}

static bool look_in(struct composition *c, struct arena *a, const char *dir)
{
	const char *slash = strcmp(dir, "/") == 0 ? "" : "/";

	for (size_t i = 0; i < ARRAY_SIZE(file_names); i++) {
		const char *path = arena_printf(a, "%s%s%s", dir, slash, file_names[i].name);

		if (access(path, F_OK) < 0)
			continue;
		add_file(c, a, path);
		for (size_t k = 0; k < ARRAY_SIZE(file_names[i].over); k++) {
			path = arena_printf(a, "%s%s%s", dir, slash, file_names[i].over[k]);
			if (c->files.count == 1 && access(path, F_OK) == 0)
				add_file(c, a, path);
		}
		return true;
	}
	return false;
}

/* Here, else in the directories above. */
static int search(struct composition *c, struct arena *a, struct err *err)
{
	char dir[PATH_MAX];

	if (!getcwd(dir, sizeof(dir)))
		return err_errno(err, "working directory");
	while (!look_in(c, a, dir)) {
		char *slash = strrchr(dir, '/');

		if (!slash[1])
			return err_set(err, ENOENT,
				       "no compose.yaml here or above: name the file by -f");
		slash[slash == dir] = '\0';
	}
	return 0;
}

static int choose_files(const struct project_options *o, struct composition *c, struct arena *a,
			struct err *err)
{
	char *list = arena_strdup(a, variables_get(&c->variables, "COMPOSE_FILE")
					     ? variables_get(&c->variables, "COMPOSE_FILE")
					     : "");
	char *path;

	if (o->files.count > MAX_FILES)
		return err_set(err, E2BIG, "more than %d files", MAX_FILES);
	for (size_t i = 0; i < o->files.count; i++)
		add_file(c, a, o->files.items[i]);
	if (!c->files.count && *list)
		while ((path = strsep(&list, ":")))
			if (*path)
				add_file(c, a, path);
	return c->files.count ? 0 : search(c, a, err);
}

static int read_variables(const char *path, bool optional, struct composition *c, struct arena *a,
			  struct err *err)
{
	struct variables own = { .a = a };
	char *text;
	int r = file_read(AT_FDCWD, path, MAX_ENV_FILE, a, &text, NULL, err);

	if (r == -ENOENT && optional)
		return 0;
	if (r == 0)
		r = variables_parse(text, path, &c->variables, &own, err);
	for (size_t i = 0; r == 0 && i < own.count; i++)
		variables_add(&c->variables, own.items[i].key, own.items[i].value);
	return r;
}

/* Of several files the last one wins. */
static int load_variables(const struct project_options *o, struct composition *c, struct arena *a,
			  struct err *err)
{
	int r = 0;

	if (!o->env_files.count)
		return read_variables(arena_printf(a, "%s/.env", c->directory), true, c, a, err);
	for (size_t i = o->env_files.count; r == 0 && i > 0; i--)
		r = read_variables(o->env_files.items[i - 1], false, c, a, err);
	return r;
}

/* "-" is stdin. */
static int load_one(const char *path, struct arena *a, struct yaml_node **ret, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "stdin" : path;
	char *text;
	size_t len;
	int r = is_stdin ? file_read_fd(STDIN_FILENO, name, YAML_MAX_SIZE, a, &text, &len, err)
			 : file_read(AT_FDCWD, path, YAML_MAX_SIZE, a, &text, &len, err);

	if (r == 0)
		r = yaml_load(text, len, name, a, ret, err);
	if (r == 0 && (*ret)->kind != YAML_MAP)
		r = err_set(err, EINVAL, "%s:%u: expected a map, found %s", name, (*ret)->line,
			    yaml_kind_name(*ret));
	return r;
}

/* In the one form that does not depend on where the command is typed: paths below it are part of
 * what a container is made from. */
static int set_directory(struct composition *c, struct arena *a, struct err *err)
{
	const char *path = c->files.items[0];
	char real[PATH_MAX], *copy = arena_strdup(a, strcmp(path, "-") == 0 ? "." : path);

	if (!realpath(strcmp(path, "-") == 0 ? copy : dirname(copy), real))
		return err_errno(err, "%s", path);
	c->directory = arena_strdup(a, real);
	return 0;
}

int load_files(const struct project_options *o, struct arena *a, struct composition *ret,
	       struct err *err)
{
	struct composition c = { .variables = { .a = a } };
	int r;

	variables_add_environ(&c.variables, environ);
	r = choose_files(o, &c, a, err);
	if (r == 0)
		r = set_directory(&c, a, err);
	if (r == 0)
		r = load_variables(o, &c, a, err);
	for (size_t i = 0; r == 0 && i < c.files.count; i++) {
		struct yaml_node *root;

		r = load_one(c.files.items[i], a, &root, err);
		if (r == 0 && i == 0)
			c.root = root;
		else if (r == 0)
			merge_trees(c.root, root, a);
	}
	if (r == 0)
		*ret = c;
	return r;
}

/* What a directory is called becomes a name; "" when nothing of it can be in one. */
static char *normalise(const char *name, struct arena *a)
{
	char *copy = arena_strdup(a, name), *to = copy;

	for (; *name; name++) {
		char c = (char)tolower((unsigned char)*name);

		if (isalnum((unsigned char)c) || (to > copy && (c == '_' || c == '-')))
			*to++ = c;
	}
	*to = '\0';
	if (to - copy > 63)
		copy[63] = '\0';
	return copy;
}

static int check_name(char *name, const char *where, struct composition *c, struct err *err)
{
	c->project = name;
	if (desired_is_project_name(name))
		return 0;
	return err_set(
		err, EINVAL,
		"%s: \"%.80s\" is no project's name: small letters, digits, \"_\" and \"-\", "
		"at most 63",
		where, name);
}

int load_name(const struct project_options *o, struct arena *a, struct composition *c,
	      struct err *err)
{
	const char *given = variables_get(&c->variables, "COMPOSE_PROJECT_NAME");
	const struct yaml_node *n = yaml_get(c->root, "name");
	struct interpolation in;
	const char *text;
	char *name;

	c->named = true;
	if (o->project)
		return check_name((char *)o->project, "--project", c, err);
	if (given && *given)
		return check_name((char *)given, "COMPOSE_PROJECT_NAME", c, err);
	if (n && n->kind == YAML_SCALAR && !yaml_is_null(n)) {
		interpolation_init(&in, &c->variables, a);
		if (interpolate(&in, n->text, &text, err) < 0)
			return err_prefix(err, "%s:%u: name", n->file, n->line);
		return check_name((char *)text, arena_printf(a, "%s:%u: name", n->file, n->line), c,
				  err);
	}
	c->named = false;
	name = normalise(basename(arena_strdup(a, c->directory)), a);
	return *name ? check_name(name, "--project", c, err)
		     : err_set(err, EINVAL, "the project has no name: give it one by -p");
}

int load_model(struct composition *c, struct arena *a, struct compose_file *ret, struct err *err)
{
	struct interpolation in;
	int r;

	/* What the specification promises to files. */
	variables_add(&c->variables, "COMPOSE_PROJECT_NAME", c->project);
	interpolation_init(&in, &c->variables, a);
	r = interpolate_tree(&in, c->root, err);
	c->missing.items = arena_calloc(a, in.missing.count + 1, sizeof(char *));
	for_each (it, &in.missing)
		c->missing.items[c->missing.count++] = it->key;
	return r < 0 ? r : model_read(c->root, a, ret, err);
}

struct strv load_profiles(const struct project_options *o, const struct composition *c,
			  struct arena *a)
{
	const char *list = variables_get(&c->variables, "COMPOSE_PROFILES");
	char *copy = arena_strdup(a, list ? list : ""), *word;
	struct strv v = { NULL, 0 };

	for (size_t i = 0; i < o->profiles.count; i++)
		strv_add(&v, (char *)o->profiles.items[i], a);
	while (!o->profiles.count && (word = strsep(&copy, ",")))
		if (*word)
			strv_add(&v, word, a);
	return v;
}

int project_name(const struct project_options *o, struct arena *a, char **ret, struct err *err)
{
	const char *given = o->project ? o->project : getenv("COMPOSE_PROJECT_NAME");
	struct composition c = { 0 };
	int r = 0;

	if (given && *given) {
		r = check_name((char *)given, "--project", &c, err);
	} else {
		r = load_files(o, a, &c, err);
		if (r == 0)
			r = load_name(o, a, &c, err);
	}
	if (r == 0)
		*ret = arena_strdup(a, c.project);
	return r;
}
