/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/source_private.h"

#include "lib/cleanup.h"
#include "oci/image/hash.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <string.h>

struct source_image *source_add(struct sourcing *s)
{
	struct source_images *all = s->images;
	struct source_image *items = arena_calloc(s->a, all->count + 1, sizeof(*items));

	if (all->count)
		memcpy(items, all->items, all->count * sizeof(*items));
	all->items = items;
	return &items[all->count++];
}

static void add_name(struct sourcing *s, struct source_image *image, char *name)
{
	char **items;

	for_each (have, &image->names)
		if (strcmp(*have, name) == 0)
			return;
	items = arena_calloc(s->a, image->names.count + 2, sizeof(*items));
	if (image->names.count)
		memcpy(items, image->names.items, image->names.count * sizeof(*items));
	items[image->names.count++] = name;
	image->names.items = items;
}

/* image-spec annotations.md allows a tag alone as well as a whole reference, and both are in use.
 */
int source_name(struct sourcing *s, struct source_image *image, const char *text)
{
	struct reference ref;
	int r;

	if (!strpbrk(text, "/:@")) {
		if (!s->opts->base_name)
			return 0;
		text = arena_printf(s->a, "%s:%s", s->opts->base_name, text);
	}
	r = reference_parse(text, s->a, &ref, s->err);
	/* What an image is by its digest is computed, and nobody's to say. */
	if (r == 0 && !ref.digest)
		add_name(s, image, ref.text);
	return r;
}

int source_config(struct sourcing *s, struct source_image *image, char *text, size_t len,
		  size_t layers)
{
	char digest[DIGEST_SIZE];
	int r = image_config_parse(text, len, s->a, &image->image, s->err);

	if (r < 0)
		return err_prefix(s->err, "image configuration");
	if (image->image.diff_ids.count != layers)
		return err_set(s->err, EINVAL, "image configuration: %zu diff_ids for %zu layers",
			       image->image.diff_ids.count, layers);
	hash_bytes(text, len, digest);
	image->config = text;
	image->config_len = len;
	image->config_digest = arena_strdup(s->a, digest);
	return 0;
}

int source_list(const struct layout *l, const struct source_opts *opts, struct arena *a,
		struct source_images *ret, struct err *err)
{
	struct source_images images = { NULL, 0 };
	struct sourcing s = { .layout = l, .opts = opts, .a = a, .images = &images, .err = err };
	int r = source_oci(&s);

	/* Docker 25 wrote an index.json without images beside a manifest.json with them. */
	if (r == -ENOENT || (r == 0 && !images.count)) {
		int docker = source_docker(&s);

		if (docker == -ENOENT && r == -ENOENT)
			return err_set(err, EINVAL,
				       "no archive of images: it has neither index.json nor "
				       "manifest.json");
		if (docker == -ENOENT)
			return err_set(err, EINVAL, "it holds no image");
		r = docker;
	}
	if (r < 0)
		return r;
	if (!images.count)
		return err_set(err, EINVAL, "it holds no image");
	for_each (image, &images)
		if (!image->names.count && opts->base_name) {
			struct reference ref;

			r = reference_parse(opts->base_name, a, &ref, err);
			if (r < 0)
				return r;
			add_name(&s, image, ref.text);
		}
	*ret = images;
	return 0;
}
