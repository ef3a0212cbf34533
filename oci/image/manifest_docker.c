/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/manifest.h"

#include "oci/image/manifest_private.h"

#include <errno.h>

static int check_image(struct json_ctx *ctx, void *out)
{
	const struct docker_image *image = out;

	if (!*image->config)
		return member_error(ctx, "Config", "empty");
	for_each (layer, &image->layers) {
		if (**layer)
			continue;
		json_push(ctx, "Layers", 0);
		json_push(ctx, NULL, (size_t)(layer - image->layers.items));
		return json_error(ctx, "empty");
	}
	return 0;
}

static const struct json_field image_fields[] = {
	REQUIRED(docker_image, "Config", config, json_string),
	FIELD(docker_image, "RepoTags", repo_tags, json_strv),
	FIELD(docker_image, "Layers", layers, json_strv),
};

static const struct json_table image_table = TABLE(docker_image, image_fields, check_image);
static const struct json_list_of image_list = { json_object, sizeof(struct docker_image),
						&image_table };

/* The document is a list: it is decoded as the only member of an object. */
static const struct json_field file_fields[] = {
	{ "manifest", json_list, 0, JSON_REQUIRED, &image_list },
};

static const struct json_table file_table = TABLE(docker_images, file_fields, NULL);

int docker_manifest_parse(const char *text, size_t len, struct arena *a, struct docker_images *ret,
			  struct err *err)
{
	struct json_value file = { .kind = JSON_OBJECT, .count = 1 };
	int r;

	*ret = (struct docker_images){ 0 };
	r = json_parse(text, len, a, &file.first, err);
	if (r < 0)
		return r;
	file.first->key = arena_strdup(a, "manifest");
	r = json_decode(&file, &file_table, a, ret, err);
	if (r < 0)
		return r;
	if (!ret->count)
		return err_set(err, EINVAL, "manifest.json: no image");
	for_each (image, ret) {
		r = check_layer_count(image->layers.count, err);
		if (r < 0)
			return r;
	}
	return 0;
}
