/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker save` and `podman save` write: manifest.json names configurations and layers by
 * their place in the archive. */
#include "oci/image/source_private.h"

#include "lib/json.h"

#include <errno.h>
#include <unistd.h>

static int take_layers(struct sourcing *s, const struct docker_image *from,
		       struct source_image *image)
{
	image->layers.items = arena_calloc(s->a, from->layers.count, sizeof(*image->layers.items));
	image->layers.count = from->layers.count;
	for (size_t i = 0; i < from->layers.count; i++) {
		struct source_layer *layer = &image->layers.items[i];
		struct extent where;
		int r = layout_find(s->layout, from->layers.items[i], &where, s->err);

		layer->diff_id = image->image.diff_ids.items[i];
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		close(where.fd);
		layer->member = from->layers.items[i];
		layer->size = where.size;
	}
	return 0;
}

static int take(struct sourcing *s, const struct docker_image *from)
{
	struct source_image *image = source_add(s);
	char *text;
	size_t len;
	int r = layout_read(s->layout, from->config, JSON_MAX_SIZE, s->a, &text, &len, s->err);

	if (r == 0)
		r = source_config(s, image, text, len, from->layers.count);
	if (r == 0)
		r = take_layers(s, from, image);
	for (size_t i = 0; r == 0 && i < from->repo_tags.count; i++)
		r = source_name(s, image, from->repo_tags.items[i]);
	/* -ENOENT is for archives without a manifest.json. */
	return r == -ENOENT ? err_set(s->err, EINVAL, "manifest.json: %s is missing", from->config)
			    : r;
}

int source_docker(struct sourcing *s)
{
	struct docker_images images = { NULL, 0 };
	char *text;
	size_t len;
	int r = layout_read(s->layout, "manifest.json", JSON_MAX_SIZE, s->a, &text, &len, s->err);

	if (r < 0)
		return r;
	r = docker_manifest_parse(text, len, s->a, &images, s->err);
	if (r < 0)
		return err_prefix(s->err, "manifest.json");
	for (size_t i = 0; r == 0 && i < images.count; i++)
		r = take(s, &images.items[i]);
	return r;
}
