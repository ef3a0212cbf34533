/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "oci/image/digest.h"

#include <errno.h>
#include <stdio.h>

struct images_options {
	const char *format;
	bool quiet, layers;
};

#define IMAGES_OPTION(name, letter, kind, member, value, help)                                     \
	{                                                                                          \
		name, letter, kind, offsetof(struct images_options, member), value, help           \
	}

static const struct option items[] = {
	IMAGES_OPTION("format", 'f', OPT_STRING, format, "FORMAT", "table (default) or json"),
	IMAGES_OPTION("quiet", 'q', OPT_FLAG, quiet, NULL, "print the image IDs only"),
	IMAGES_OPTION("layers", 0, OPT_FLAG, layers, NULL,
		      "print the digests of all there is, for save --missing-from"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void print_row(const char *reference, const struct listed_image *image)
{
	char size[24];

	printf("%-40s %.12s  %-20.20s  %7zu  %s\n", reference, digest_hex(image->image.config),
	       image->image.created ? image->image.created : "-", image->image.layers.count,
	       size_text(image->bytes, size));
}

static void print_table(const struct listed_images *images)
{
	printf("%-40s %-12s  %-20s  %7s  %s\n", "NAME", "IMAGE ID", "LOADED", "LAYERS", "SIZE");
	for_each (image, images) {
		for_each (reference, &image->references)
			print_row(*reference, image);
		if (!image->references.count)
			print_row("<none>", image);
	}
}

static void print_json(const struct listed_images *images)
{
	autobuf out = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &out, false);
	json_begin_array(&w);
	for_each (image, images) {
		json_begin_object(&w);
		json_pair_string(&w, "id", image->image.config);
		json_pair_string(&w, "digest", image->image.digest);
		json_pair_strv(&w, "names", &image->references);
		if (image->image.created)
			json_pair_string(&w, "loaded", image->image.created);
		json_pair_u64(&w, "layers", image->image.layers.count);
		json_pair_u64(&w, "size", image->bytes);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
}

static void print_digests(const struct listed_images *images)
{
	for_each (image, images) {
		printf("%s\n%s\n", image->image.digest, image->image.config);
		for_each (layer, &image->image.layers)
			printf("%s\n", layer->diff_id);
	}
}

static int run(char **args, size_t count, void *opts)
{
	struct images_options *o = opts;
	struct listed_images images = { NULL, 0 };
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	bool json;
	int r = check_format(o->format, &json, &err);

	(void)args;
	(void)count;
	if (r == 0)
		r = open_store(false, &store, NULL, &err);
	/* No store is one without images, to who only looks. */
	if (r == 0)
		r = list_images(&store, &a, &images, &err);
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return fail_image(&err);
	if (o->quiet)
		for_each (image, &images)
			printf("%s\n", image->image.config);
	else if (o->layers)
		print_digests(&images);
	else
		json ? print_json(&images) : print_table(&images);
	return 0;
}

const struct verb verb_images = { "images", "", "list images", &table,
				  0,	    0,	run,	       sizeof(struct images_options),
				  0 };
