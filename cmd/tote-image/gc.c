/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/gc.h"

#include "cmd/tote-image/image.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>

struct gc_options {
	bool dry_run;
};

static const struct option items[] = {
	{ "dry-run", 'n', OPT_FLAG, offsetof(struct gc_options, dry_run), NULL,
	  "only print what would be removed" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void print_items(const struct gc_result *gone)
{
	static const char *const kinds[] = { [GC_IMAGE] = "image",
					     [GC_LAYER] = "layer",
					     [GC_BLOB] = "blob",
					     [GC_CONTAINER] = "container" };
	uint64_t bytes = 0;
	char size[24];

	for_each (item, gone) {
		bytes += item->bytes;
		printf("%-9s %s%s%s\n", kinds[item->kind], item->name, item->bytes ? " " : "",
		       item->bytes ? size_text(item->bytes, size) : "");
	}
	if (bytes)
		printf("%-9s %s\n", "total", size_text(bytes, size));
}

static int run(char **args, size_t count, void *opts)
{
	struct gc_options *o = opts;
	struct gc_result gone = { NULL, 0 };
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	int r = open_store(false, &store, NULL, &err);

	(void)args;
	(void)count;
	if (r == 0)
		r = collect_garbage(&store, o->dry_run ? GC_DRY : 0, &a, &gone, &err);
	else if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail_image(&err);
	print_items(&gone);
	return 0;
}

const struct verb verb_gc = { "gc",
			      "",
			      "remove what no image and no container uses",
			      &table,
			      0,
			      0,
			      run,
			      sizeof(struct gc_options),
			      0 };
