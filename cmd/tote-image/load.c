/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"
#include "cmd/tote-image/progress.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"
#include "oci/image/load.h"
#include "oci/image/reference.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_MIB 16

struct load_options {
	const char *input, *name, *platform, *progress, *reserve;
	unsigned int jobs;
	bool quiet;
};

#define LOAD_OPTION(name, letter, kind, member, value, help)                                       \
	{                                                                                          \
		name, letter, kind, offsetof(struct load_options, member), value, help             \
	}

static const struct option items[] = {
	LOAD_OPTION("input", 'i', OPT_STRING, input, "FILE", "the same as the argument"),
	LOAD_OPTION("name", 'n', OPT_STRING, name, "NAME",
		    "name of an image that has none, or no more than a tag"),
	LOAD_OPTION("platform", 0, OPT_STRING, platform, "OS/ARCH[/VARIANT]",
		    "take this one instead of this machine's"),
	LOAD_OPTION("progress", 0, OPT_STRING, progress, "FORM",
		    "auto (default), plain, json or none"),
	LOAD_OPTION("jobs", 'j', OPT_UINT, jobs, "N",
		    "layers unpacked at once (default: processors)"),
	LOAD_OPTION("reserve", 0, OPT_STRING, reserve, "MIB",
		    "refuse to leave less free space than this (default 16)"),
	LOAD_OPTION("quiet", 'q', OPT_FLAG, quiet, NULL, "print the image IDs only"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* What an image is called whose archive does not say: "pos" of /media/usb/pos.tar.gz. NULL: nothing
 * usable. */
static char *name_of_file(const char *path, struct arena *a)
{
	static const char *const endings[] = { ".gz", ".zst", ".tgz", ".tar", ".oci" };
	const char *end = path + strlen(path), *base;
	struct reference ref;
	struct err ignored;
	char *name;
	size_t len;

	while (end > path + 1 && end[-1] == '/')
		end--;
	for (base = end; base > path && base[-1] != '/'; base--)
		;
	len = (size_t)(end - base);
	name = arena_strndup(a, base, len);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t ending = strlen(endings[i]);

		if (len > ending && strcmp(name + len - ending, endings[i]) == 0)
			name[len -= ending] = '\0';
	}
	return reference_parse(name, a, &ref, &ignored) == 0 ? ref.name : NULL;
}

/* Not "registry:5000/pos", whose colon is of a port. */
static bool is_whole(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strpbrk(slash ? slash : name, ":@") != NULL;
}

/* A whole reference stands for itself; its name alone is put before tags. */
static int choose_names(const struct load_options *o, const char *path,
			struct source_images *images, struct arena *a, struct err *err)
{
	struct reference ref;
	int r;

	if (o->name) {
		r = reference_parse(o->name, a, &ref, err);
		if (r == 0 && ref.digest)
			r = err_set(err, EINVAL, "--name: \"%s\": a digest is no name to give",
				    o->name);
		if (r < 0)
			return r;
		if (is_whole(o->name) && images->count != 1)
			return err_set(err, EINVAL, "--name: the archive holds %zu images",
				       images->count);
		if (is_whole(o->name) || !images->items[0].names.count) {
			images->items[0].names.items = arena_calloc(a, 2, sizeof(char *));
			images->items[0].names.items[0] = ref.text;
			images->items[0].names.count = 1;
		}
	}
	for_each (image, images)
		if (!image->names.count)
			return err_set(err, EINVAL,
				       "%s names its image no further: --name NAME is needed",
				       strcmp(path, "-") == 0 ? "stdin" : path);
	return 0;
}

static int choose_platforms(const struct load_options *o, struct arena *a,
			    struct platform_list *ret, struct err *err)
{
	if (o->platform)
		return platform_parse(o->platform, a, ret, err);
	platform_host(a, ret);
	return 0;
}

static int read_sources(const struct load_options *o, const char *path, const struct store *store,
			const struct layout *layout, struct arena *a, struct source_images *ret,
			struct err *err)
{
	char *base_name = strcmp(path, "-") == 0 ? NULL : name_of_file(path, a);
	struct platform_list platforms;
	struct reference ref;
	int r = choose_platforms(o, a, &platforms, err);

	if (r == 0 && o->name) {
		r = reference_parse(o->name, a, &ref, err);
		base_name = r == 0 ? ref.name : NULL;
	}
	if (r == 0) {
		const struct source_opts opts = { &platforms, base_name, store };

		r = source_list(layout, &opts, a, ret, err);
	}
	if (r < 0)
		return r;
	for_each (name, &ret->no_names)
		log_warning("\"%.80s\" is passed over: it would be taken for an image ID", *name);
	return choose_names(o, path, ret, a, err);
}

static void report(const struct load_options *o, const struct loaded *loaded)
{
	for_each (image, loaded) {
		char size[24];

		if (o->quiet) {
			printf("%s\n", image->record.config);
			continue;
		}
		for_each (name, &image->names)
			printf("%s\n", *name);
		log_debug("%s: %zu of %zu layers were new, %s", image->record.digest,
			  image->new_layers, image->record.layers.count,
			  size_text(image->new_bytes, size));
	}
}

/* None stands for the default, which 0 is not. */
static int choose_reserve(const struct load_options *o, uint64_t *ret, struct err *err)
{
	const char *end = o->reserve;
	uint64_t mib = RESERVE_MIB;

	if (o->reserve && (!isdigit((unsigned char)*end) || !number_scan(&end, &mib) || *end ||
			   mib > INT64_MAX >> 20))
		return err_set(err, EINVAL, "--reserve: expected a number, found \"%s\"",
			       o->reserve);
	*ret = mib << 20;
	return 0;
}

static int load(const struct load_options *o, const char *path, struct store *store, bool keep_ids,
		struct err *err)
{
	autofd spool = fd_open(store->fd, "ingest", O_RDONLY | O_DIRECTORY);
	autolayout layout = LAYOUT_INIT;
	autoarena a = ARENA_INIT;
	struct source_images images;
	struct loaded loaded;
	struct progress progress;
	uint64_t reserve = 0;
	int r = progress_init(&progress, o->quiet ? "none" : o->progress, err);

	if (r == 0)
		r = choose_reserve(o, &reserve, err);
	if (r == 0)
		r = layout_open(path, spool, LAYER_BYTES_MAX, &layout, err);
	if (r == 0)
		r = read_sources(o, path, store, &layout, &a, &images, err);
	if (r == 0) {
		const struct load_opts opts = {
			.store = store,
			.layout = &layout,
			.images = &images,
			.jobs = o->jobs ? o->jobs : (unsigned int)sysconf(_SC_NPROCESSORS_ONLN),
			.user_xattr = globals.rootless,
			.keep_ids = keep_ids,
			.max_bytes = LAYER_BYTES_MAX,
			.max_entries = LAYER_ENTRIES_MAX,
			.reserve = reserve,
			.progress = progress_show,
			.progress_arg = &progress,
			.interrupted = catch_interrupts(),
		};

		r = load_images(&opts, &a, &loaded, err);
		progress_done(&progress);
	}
	if (r == 0)
		report(o, &loaded);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct load_options *o = opts;
	const char *path = count ? args[0] : o->input ? o->input : "-";
	autostore store = STORE_INIT;
	bool keep_ids;
	struct err err;
	int r;

	if (!count && !o->input && isatty(STDIN_FILENO)) {
		err_set(&err, EINVAL, "load: a file, a directory or \"-\" is needed");
		return fail(&err);
	}
	r = open_store(true, &store, &keep_ids, &err);
	if (r == 0)
		r = load(o, path, &store, keep_ids, &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_load = { "load",
				"[FILE|DIR|-]",
				"take images in from an archive, a directory or stdin",
				&table,
				0,
				1,
				run,
				sizeof(struct load_options),
				0 };
