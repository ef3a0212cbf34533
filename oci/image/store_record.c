/* SPDX-License-Identifier: Apache-2.0 */
/* The records of images and layers as JSON. */
#include "oci/image/store_private.h"

#include "lib/cleanup.h"
#include "lib/json_file.h"
#include "oci/image/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool plain_name(const char *s)
{
	return s[0] && s[0] != '.' && !strchr(s, '/') && strlen(s) <= 128;
}

/* A record was written by us, but what becomes a path is judged all the same: a disk may lie. */
static int check_layer(struct json_ctx *ctx, void *out)
{
	const struct store_layer *l = out;

	if (!plain_name(l->id) || !plain_name(l->link))
		return json_error(ctx, "expected plain names as id and link");
	return digest_valid(l->diff_id) ? 0 : json_error(ctx, "diffId is no digest");
}

static const struct json_field layer_fields[] = {
	{ "id", json_string, offsetof(struct store_layer, id), JSON_REQUIRED },
	{ "link", json_string, offsetof(struct store_layer, link), JSON_REQUIRED },
	{ "diffId", json_string, offsetof(struct store_layer, diff_id), JSON_REQUIRED },
	{ "digest", json_string, offsetof(struct store_layer, digest), 0 },
	{ "mediaType", json_string, offsetof(struct store_layer, media_type), 0 },
	{ "size", json_u64, offsetof(struct store_layer, size), 0 },
	{ "bytes", json_u64, offsetof(struct store_layer, bytes), 0 },
	{ "userXattr", json_bool, offsetof(struct store_layer, user_xattr), 0 },
	{ "whole", json_bool, offsetof(struct store_layer, whole), 0 },
	{ "hasIds", json_bool, offsetof(struct store_layer, has_ids), 0 },
	{ "tree", json_string, offsetof(struct store_layer, tree), 0 },
	{ "treeDeep", json_string, offsetof(struct store_layer, tree_deep), 0 },
	{ "treeXattrs", json_string, offsetof(struct store_layer, tree_xattrs), 0 },
};
static const struct json_table layer_table = { layer_fields, ARRAY_SIZE(layer_fields),
					       sizeof(struct store_layer), check_layer };
static const struct json_list_of layer_list = { json_object, sizeof(struct store_layer),
						&layer_table };

static int check_image(struct json_ctx *ctx, void *out)
{
	const struct store_image *image = out;

	return digest_valid(image->digest) && digest_valid(image->config)
		       ? 0
		       : json_error(ctx, "expected digests");
}

static const struct json_field image_fields[] = {
	{ "manifest", json_string, offsetof(struct store_image, digest), JSON_REQUIRED },
	{ "config", json_string, offsetof(struct store_image, config), JSON_REQUIRED },
	{ "created", json_string, offsetof(struct store_image, created), 0 },
	{ "layers", json_list, offsetof(struct store_image, layers), JSON_REQUIRED, &layer_list },
};
static const struct json_table image_table = { image_fields, ARRAY_SIZE(image_fields),
					       sizeof(struct store_image), check_image };

int store_image_parse(const char *text, size_t len, struct arena *a, struct store_image *ret,
		      struct err *err)
{
	struct store_image image = { 0 };
	int r = json_decode_text(text, len, &image_table, a, &image, err);

	if (r == 0)
		*ret = image;
	return r;
}

int store_layer_parse(const char *text, size_t len, struct arena *a, struct store_layer *ret,
		      struct err *err)
{
	struct store_layer layer = { 0 };
	int r = json_decode_text(text, len, &layer_table, a, &layer, err);

	if (r == 0)
		*ret = layer;
	return r;
}

static void write_layer(const struct store_layer *l, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "id", l->id);
	json_pair_string(w, "link", l->link);
	json_pair_string(w, "diffId", l->diff_id);
	if (l->digest)
		json_pair_string(w, "digest", l->digest);
	if (l->media_type)
		json_pair_string(w, "mediaType", l->media_type);
	json_pair_u64(w, "size", l->size);
	json_pair_u64(w, "bytes", l->bytes);
	json_pair_bool(w, "userXattr", l->user_xattr);
	json_pair_bool(w, "whole", l->whole);
	json_pair_bool(w, "hasIds", l->has_ids);
	if (l->tree && l->tree_deep) {
		json_pair_string(w, "tree", l->tree);
		json_pair_string(w, "treeDeep", l->tree_deep);
	}
	if (l->tree_xattrs)
		json_pair_string(w, "treeXattrs", l->tree_xattrs);
	json_end_object(w);
}

void store_layer_write(const struct store_layer *layer, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	write_layer(layer, &w);
	json_writer_done(&w);
}

void store_image_write(const struct store_image *image, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "manifest", image->digest);
	json_pair_string(&w, "config", image->config);
	if (image->created)
		json_pair_string(&w, "created", image->created);
	json_key(&w, "layers");
	json_begin_array(&w);
	for_each (l, &image->layers)
		write_layer(l, &w);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
}

void store_image_path(const char *digest, char ret[STORE_NAME_SIZE])
{
	snprintf(ret, STORE_NAME_SIZE, "images/%s", digest_hex(digest));
}

void store_blob_path(const char *digest, char ret[STORE_NAME_SIZE])
{
	snprintf(ret, STORE_NAME_SIZE, "blobs/%.6s/%s", digest, digest_hex(digest));
}

void store_random(char ret[17])
{
	uint64_t n = 0;
	struct timespec t;

	/* Before the kernel's pool is filled, early in a boot, a clock has to do: names only need
	 * to differ. */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n)) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		n = (uint64_t)getpid() << 40 ^ (uint64_t)t.tv_sec << 30 ^ (uint64_t)t.tv_nsec;
	}
	snprintf(ret, 17, "%016llx", (unsigned long long)n);
}
