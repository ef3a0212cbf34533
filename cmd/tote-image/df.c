/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

struct df_options {
	const char *format;
};

static const struct option items[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct df_options, format), "FORMAT",
	  "table (default) or json" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static const struct {
	const char *name, *directories[2];
} parts[] = {
	{ "layers", { "layers" } },	    { "documents", { "blobs/sha256", "blobs/sha512" } },
	{ "containers", { "containers" } }, { "volumes", { "volumes" } },
	{ "unfinished", { "ingest" } },
};

struct usage {
	size_t count;
	uint64_t bytes; /* on disk */
};

static int measure(const struct store *s, const char *directory, struct usage *usage,
		   struct err *err)
{
	autoarena a = ARENA_INIT;
	uint64_t bytes = 0;
	struct strv names;
	int r = file_list(s->fd, directory, &a, &names, err);

	if (r < 0)
		return r;
	r = tree_usage(s->fd, directory, &bytes);
	if (r < 0)
		return err_code(err, r, "measure %s", directory);
	usage->count += names.count;
	usage->bytes += bytes;
	return 0;
}

static void print(const struct usage *usage, uint64_t free_bytes, bool json)
{
	autobuf out = BUF_INIT;
	struct json_writer w;
	char size[24];

	if (!json) {
		printf("%-11s %7s  %s\n", "WHAT", "COUNT", "ON DISK");
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			printf("%-11s %7zu  %s\n", parts[i].name, usage[i].count,
			       size_text(usage[i].bytes, size));
		printf("%-11s %7s  %s\n", "free", "", size_text(free_bytes, size));
		return;
	}
	json_writer_init(&w, &out, false);
	json_begin_object(&w);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		json_key(&w, parts[i].name);
		json_begin_object(&w);
		json_pair_u64(&w, "count", usage[i].count);
		json_pair_u64(&w, "bytes", usage[i].bytes);
		json_end_object(&w);
	}
	json_pair_u64(&w, "free", free_bytes);
	json_end_object(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
}

static int run(char **args, size_t count, void *opts)
{
	struct usage usage[ARRAY_SIZE(parts)] = { 0 };
	struct df_options *o = opts;
	autostore store = STORE_INIT;
	struct statvfs fs = { 0 };
	struct err err;
	bool json;
	int r = check_format(o->format, &json, &err);

	(void)args;
	(void)count;
	if (r == 0)
		r = open_store(false, &store, NULL, &err);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t j = 0; j < 2; j++)
			if (r == 0 && parts[i].directories[j])
				r = measure(&store, parts[i].directories[j], &usage[i], &err);
	if (r == 0 && fstatvfs(store.fd, &fs) < 0)
		r = err_errno(&err, "statvfs %s", store.path);
	if (r < 0)
		return fail_image(&err);
	print(usage, (uint64_t)fs.f_bavail * fs.f_frsize, json);
	return 0;
}

const struct verb verb_df = { "df", "",	 "show what the image store takes", &table, 0,
			      0,    run, sizeof(struct df_options),	    0 };
