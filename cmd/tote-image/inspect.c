/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

static const struct option_table table = { NULL, 0, false };

/* A document of the image as it is, under a key. */
static int put_document(const struct store *s, const char *key, const char *digest, struct arena *a,
			struct json_writer *w, struct err *err)
{
	struct json_value *root;
	char *text;
	size_t len;
	int r = store_blob(s, digest, a, &text, &len, err);

	if (r == 0)
		r = json_parse(text, len, a, &root, err);
	if (r < 0)
		return r;
	json_key(w, key);
	json_put_value(w, root);
	return 0;
}

static void put_layers(const struct store *s, const struct store_image *image,
		       struct json_writer *w, struct arena *a)
{
	json_key(w, "layers");
	json_begin_array(w);
	for_each (layer, &image->layers) {
		json_begin_object(w);
		json_pair_string(w, "diffId", layer->diff_id);
		if (layer->digest)
			json_pair_string(w, "digest", layer->digest);
		if (layer->media_type)
			json_pair_string(w, "mediaType", layer->media_type);
		json_pair_u64(w, "size", layer->size);
		json_pair_u64(w, "uncompressedSize", layer->bytes);
		json_pair_string(w, "path", arena_printf(a, "%s/layers/%s/fs", s->path, layer->id));
		json_end_object(w);
	}
	json_end_array(w);
}

static int inspect(const struct store *s, const char *name, struct json_writer *w, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct listed_images images;
	struct store_image image;
	int r = store_find(s, name, &a, &image, err);

	if (r == 0)
		r = list_images(s, &a, &images, err);
	if (r < 0)
		return r;
	json_begin_object(w);
	json_pair_string(w, "id", image.config);
	json_pair_string(w, "digest", image.digest);
	for_each (listed, &images)
		if (strcmp(listed->image.digest, image.digest) == 0)
			json_pair_strv(w, "names", &listed->references);
	if (image.created)
		json_pair_string(w, "loaded", image.created);
	put_layers(s, &image, w, &a);
	r = put_document(s, "manifest", image.digest, &a, w, err);
	if (r == 0)
		r = put_document(s, "config", image.config, &a, w, err);
	json_end_object(w);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	autostore store = STORE_INIT;
	autobuf out = BUF_INIT;
	struct json_writer w;
	struct err err;
	int r = open_store(false, &store, NULL, &err);

	(void)opts;
	json_writer_init(&w, &out, true);
	json_begin_array(&w);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = inspect(&store, args[i], &w, &err);
	if (r == 0)
		json_end_array(&w);
	json_writer_done(&w);
	if (r < 0)
		return fail_image(&err);
	printf("%s\n", buf_str(&out));
	return 0;
}

const struct verb verb_inspect = { "inspect", "IMAGE...", "print what is known of images as JSON",
				   &table,    1,	  1000,
				   run,	      0,	  0 };
