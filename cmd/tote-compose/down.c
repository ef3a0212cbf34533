/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"
#include "lib/tree.h"
#include "oci/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>

#define NETWORK_MS 60000

struct down_options {
	struct project_options project;
	bool volumes, force;
};

static const struct option items[] = {
	PROJECT_OPTIONS,
	{ "volumes", 'v', OPT_FLAG, offsetof(struct down_options, volumes), NULL,
	  "remove the project's named volumes as well" },
	{ "force", 0, OPT_FLAG, offsetof(struct down_options, force), NULL,
	  "kill at once, and forget it whatever happens" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* "shop_data" of "shop_data:/var/lib/pos:ro": only what bears the project's name was made for it. */
static char *own_name(const struct client *c, const char *value, struct arena *a)
{
	size_t len = strcspn(value, ":"), prefix = strlen(c->name);

	if (len <= prefix + 1 || strncmp(value, c->name, prefix) != 0 || value[prefix] != '_' ||
	    memchr(value, '/', len))
		return NULL;
	return arena_strndup(a, value, len);
}

static bool listed(const struct strv *list, const char *name)
{
	for_each (item, list)
		if (strcmp(*item, name) == 0)
			return true;
	return false;
}

/* The values of an option of all services, each once: "--volume X" and "--volume=X". */
static void collect(struct client *c, const char *option, struct strv *ret)
{
	size_t most = 1, len = strlen(option);

	for_each (s, &c->project.services)
		most += s->options.count;
	ret->items = arena_calloc(&c->memory, most, sizeof(char *));
	ret->count = 0;
	for_each (s, &c->project.services)
		for (size_t i = 0; i < s->options.count; i++) {
			const char *word = s->options.items[i], *value = NULL;
			char *name;

			if (strcmp(word, option) == 0)
				value = s->options.items[i + 1];
			else if (strncmp(word, option, len) == 0 && word[len] == '=')
				value = word + len + 1;
			name = value ? own_name(c, value, &c->memory) : NULL;
			if (name && !listed(ret, name))
				ret->items[ret->count++] = name;
		}
}

static int remove_volumes(struct client *c, const struct strv *names, struct err *err)
{
	autostore store = STORE_INIT;
	autofd volumes = -1;
	char *path;
	int r;

	if (!names->count)
		return 0;
	r = store_path(globals.store, globals.rootless, &c->memory, &path, err);
	if (r == 0)
		r = store_open(path, false, &store, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	volumes = fd_open(store.fd, "volumes", O_RDONLY | O_DIRECTORY);
	/* As who makes one does. */
	if (volumes < 0 || flock(volumes, LOCK_EX) < 0)
		return err_errno(err, "%s/volumes", path);
	for_each (name, names) {
		r = tree_remove(volumes, *name);
		if (r < 0)
			return err_code(err, r, "remove volume %s", *name);
	}
	return 0;
}

/* Others may use it still: then it stays, and tote-net says so. */
static int remove_networks(const struct strv *names, struct err *err)
{
	char path[PATH_MAX];
	int r = names->count ? proc_sibling("tote-net", path, sizeof(path)) : 0;

	if (r < 0)
		return err_code(err, r, "find tote-net");
	for_each (name, names) {
		char *argv[] = { (char *)"tote-net", (char *)"rm", *name, NULL };

		r = proc_run(path, argv, NULL, NULL, NETWORK_MS, NULL, err);
		if (r < 0)
			return err_prefix(err, "remove network %s", *name);
		if (r > 0 && !strstr(err->msg, "no network"))
			log_warning("network %s stays: %s", *name, err->msg);
	}
	return 0;
}

static int down(struct client *c, char **services, const struct down_options *o, struct err *err)
{
	struct strv volumes, networks;
	int r;

	/* Of what is stored, which is forgotten then. */
	collect(c, "--volume", &volumes);
	collect(c, "--network", &networks);
	r = client_ask(c, "down", services, o->force, err);
	if (r < 0 || *services)
		return r;
	r = remove_networks(&networks, err);
	return r == 0 && o->volumes ? remove_volumes(c, &volumes, err) : r;
}

/* What is forgotten already may be on its way out: the supervisor knows it still. */
static int down_again(struct client *c, char **services, const struct down_options *o,
		      struct err *err)
{
	struct err answer;
	int r = client_ask(c, "down", services, o->force, &answer);

	if (r == -ECONNREFUSED)
		return err->code;
	if (r < 0)
		*err = answer;
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	const struct down_options *o = opts;
	autoclient c = CLIENT_INIT;
	struct err err;
	int r = client_find(&c, &o->project, false, &err);

	if (r == 0)
		r = client_check_services(&c, args, &err);
	if (r >= 0 && count && o->volumes)
		r = err_set(&err, EINVAL, "--volumes: not with names of services");
	if (r == -CLIENT_NO_SUCH && c.name)
		r = down_again(&c, args, o, &err);
	else if (r == 0)
		r = down(&c, args, o, &err);
	return r < 0 ? client_fail(&err) : 0;
}

const struct verb verb_down = { "down",
				"[SERVICE...]",
				"stop services and forget them",
				&table,
				0,
				SIZE_MAX,
				run,
				sizeof(struct down_options),
				0 };
