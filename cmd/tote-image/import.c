/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"
#include "cmd/tote-image/progress.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/json.h"
#include "lib/number.h"
#include "oci/image/import.h"
#include "oci/image/load.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* As `tote load` has them. */
#define RESERVE ((uint64_t)16 << 20)

struct import_options {
	const char *platform, *cmd, *entrypoint, *workdir, *user, *progress;
	struct option_list env;
	bool quiet;
};

#define IMPORT_OPTION(name, letter, kind, member, value, help)                                     \
	{                                                                                          \
		name, letter, kind, offsetof(struct import_options, member), value, help           \
	}

static const struct option items[] = {
	IMPORT_OPTION("cmd", 0, OPT_STRING, cmd, "COMMAND",
		      "what it runs: words, or a JSON array of them"),
	IMPORT_OPTION("entrypoint", 0, OPT_STRING, entrypoint, "COMMAND",
		      "the same, to stand before what `tote run` is given"),
	IMPORT_OPTION("env", 'e', OPT_LIST, env, "NAME=VALUE", "an environment variable of it"),
	IMPORT_OPTION("workdir", 'w', OPT_STRING, workdir, "DIR", "where it starts"),
	IMPORT_OPTION("user", 'u', OPT_STRING, user, "USER[:GROUP]", "whom it runs as"),
	IMPORT_OPTION("platform", 0, OPT_STRING, platform, "OS/ARCH[/VARIANT]",
		      "what it runs on (default: this machine)"),
	IMPORT_OPTION("progress", 0, OPT_STRING, progress, "FORM",
		      "auto (default), plain, json or none"),
	IMPORT_OPTION("quiet", 'q', OPT_FLAG, quiet, NULL, "print the image ID only"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int words_of_json(const char *option, const char *text, struct arena *a, struct strv *ret,
			 struct err *err)
{
	struct json_value *array;
	int r = json_parse(text, strlen(text), a, &array, err);

	if (r < 0)
		return err_prefix(err, "--%s", option);
	ret->items = arena_calloc(a, array->count + 1, sizeof(char *));
	for (const struct json_value *v = array->first; v; v = v->next) {
		if (v->kind != JSON_STRING)
			return err_set(err, EINVAL, "--%s: expected an array of strings", option);
		ret->items[ret->count++] = v->text;
	}
	return 0;
}

/* There is no quoting in words: that is what the array is for. */
static int words(const char *option, const char *text, struct arena *a, struct strv *ret,
		 struct err *err)
{
	char *rest, *word;

	if (!text)
		return 0;
	if (text[0] == '[')
		return words_of_json(option, text, a, ret, err);
	rest = arena_strdup(a, text);
	ret->items = arena_calloc(a, strlen(text) / 2 + 2, sizeof(char *));
	while ((word = strsep(&rest, " \t")))
		if (word[0])
			ret->items[ret->count++] = word;
	return 0;
}

static int choose_env(const struct import_options *o, struct arena *a, struct strv *ret,
		      struct err *err)
{
	ret->items = arena_calloc(a, o->env.count + 1, sizeof(char *));
	for_each (variable, &o->env) {
		if (!strchr(*variable, '=') || **variable == '=')
			return err_set(err, EINVAL, "--env %s: expected NAME=VALUE", *variable);
		ret->items[ret->count++] = (char *)*variable;
	}
	return 0;
}

static int choose_process(const struct import_options *o, struct arena *a,
			  struct image_process *ret, struct err *err)
{
	int r = words("cmd", o->cmd, a, &ret->cmd, err);

	if (r == 0)
		r = words("entrypoint", o->entrypoint, a, &ret->entrypoint, err);
	if (r == 0)
		r = choose_env(o, a, &ret->env, err);
	if (r == 0 && o->workdir && o->workdir[0] != '/')
		r = err_set(err, EINVAL, "--workdir %s: an absolute path is needed", o->workdir);
	ret->working_dir = (char *)o->workdir;
	ret->user = (char *)o->user;
	return r;
}

/* This machine's, without what its processor can do beyond others of the kind. */
static int choose_platform(const struct import_options *o, struct arena *a, struct platform *ret,
			   struct err *err)
{
	struct platform_list list;
	int r = 0;

	if (o->platform)
		r = platform_parse(o->platform, a, &list, err);
	else
		platform_host(a, &list);
	if (r < 0)
		return r;
	*ret = list.items[0];
	if (!o->platform && strcmp(ret->architecture, "amd64") == 0)
		ret->variant = NULL;
	return 0;
}

static int choose_name(const char *given, struct arena *a, char **ret, struct err *err)
{
	struct reference ref;
	int r = reference_parse(given, a, &ref, err);

	if (r == 0 && ref.digest)
		r = err_set(err, EINVAL, "\"%s\": a digest is no name to give", given);
	*ret = r == 0 ? ref.text : NULL;
	return r;
}

static int take_in(const struct import_options *o, const struct import_opts *import,
		   const struct store *store, bool keep_ids, struct arena *a, struct loaded *ret,
		   struct err *err)
{
	autolayout layout = LAYOUT_INIT;
	struct source_images images;
	struct progress progress;
	int r = progress_init(&progress, o->quiet ? "none" : o->progress, err);

	if (r == 0)
		r = import_open(import, a, &layout, &images, err);
	if (r == 0) {
		const struct load_opts opts = { .store = store,
						.layout = &layout,
						.images = &images,
						.jobs = 1,
						.user_xattr = globals.rootless,
						.keep_ids = keep_ids,
						.max_bytes = LAYER_BYTES_MAX,
						.max_entries = LAYER_ENTRIES_MAX,
						.reserve = RESERVE,
						.progress = progress_show,
						.progress_arg = &progress,
						.interrupted = catch_interrupts() };

		r = load_images(&opts, a, ret, err);
		progress_done(&progress);
	}
	return r;
}

static int import(const struct import_options *o, char **args, struct err *err)
{
	struct import_opts opts = { .path = args[0], .max_bytes = LAYER_BYTES_MAX, .spool = -1 };
	char created[TIME_TEXT_SIZE];
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	autofd spool = -1;
	struct loaded loaded;
	bool keep_ids;
	int r = choose_name(args[1], &a, &opts.name, err);

	if (r == 0)
		r = choose_platform(o, &a, &opts.platform, err);
	if (r == 0)
		r = choose_process(o, &a, &opts.process, err);
	if (r == 0)
		r = open_store(true, &store, &keep_ids, err);
	if (r < 0)
		return r;
	time_now_text(false, created, sizeof(created));
	opts.created = created;
	opts.spool = spool = fd_open(store.fd, "ingest", O_RDONLY | O_DIRECTORY);
	r = take_in(o, &opts, &store, keep_ids, &a, &loaded, err);
	if (r == 0)
		printf("%s\n", o->quiet ? loaded.items[0].record.config : opts.name);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct err err;

	(void)count;
	return import(opts, args, &err) < 0 ? fail_image(&err) : 0;
}

const struct verb verb_import = { "import",
				  "FILE|- NAME",
				  "make an image of a root file system in a tar archive",
				  &table,
				  2,
				  2,
				  run,
				  sizeof(struct import_options),
				  0 };
