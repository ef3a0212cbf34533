/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/source_private.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <string.h>

/* Of all documents together: a hundred images have less than 2 MiB, and parsed they take many times
 * as much memory. */
#define DOCUMENTS_MAX ((size_t)16 << 20)

struct source_image *source_image(struct sourcing *s, const char *key, bool *ret_new)
{
	struct source_images *all = s->images;
	size_t *at = strmap_at(&s->image_at, key, s->a);

	*ret_new = !*at;
	if (!*at) {
		all->items = arena_grow(s->a, all->items, all->count, sizeof(*all->items));
		*at = ++all->count;
	}
	return &all->items[*at - 1];
}

static void add_string(struct sourcing *s, struct strv *list, char *text)
{
	/* And room for the NULL at the end. */
	list->items = arena_grow(s->a, list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = text;
}

/* A name that two images have is the last one's in the end. */
static void add_name(struct sourcing *s, struct source_image *image, char *name)
{
	size_t *at = strmap_at(&s->name_at, name, s->a),
	       place = (size_t)(image - s->images->items) + 1;

	if (*at == place)
		return;
	*at = place;
	add_string(s, &image->names, name);
}

/* image-spec annotations.md allows a tag alone as well as a whole reference, and both are in use.
 */
int source_name(struct sourcing *s, struct source_image *image, const char *text)
{
	struct reference ref;
	int r;

	if (strncmp(text, "sha256:", 7) == 0 || strncmp(text, "sha512:", 7) == 0) {
		add_string(s, &s->images->no_names, arena_strdup(s->a, text));
		return 0;
	}
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

int source_charge(struct sourcing *s, size_t bytes)
{
	s->bytes += bytes;
	if (s->bytes <= DOCUMENTS_MAX)
		return 0;
	return err_set(s->err, EFBIG,
		       "its documents, each as often as it is used, are larger than %zu MiB",
		       DOCUMENTS_MAX >> 20);
}

static int read_document(struct sourcing *s, const char *name, const char *or_blob,
			 struct source_document *doc)
{
	int r = layout_read(s->layout, name, JSON_MAX_SIZE, s->a, &doc->text, &doc->len, s->err);

	if (r == -ENOENT && or_blob && s->opts->store) {
		struct err ignored;

		/* A layout may leave out what the target has (image-layout.md, "Blobs"). */
		if (store_blob(s->opts->store, or_blob, s->a, &doc->text, &doc->len, &ignored) == 0)
			r = 0;
	}
	return r < 0 ? r : source_charge(s, doc->len);
}

int source_document(struct sourcing *s, const char *name, const char *or_blob,
		    struct source_document **ret)
{
	size_t *at = strmap_at(&s->document_at, name, s->a);
	struct source_document *doc;
	int r;

	if (*at) {
		*ret = s->documents.items[*at - 1];
		return 0;
	}
	doc = arena_alloc(s->a, sizeof(*doc));
	r = read_document(s, name, or_blob, doc);
	if (r < 0)
		return r;
	s->documents.items = arena_grow(s->a, s->documents.items, s->documents.count,
					sizeof(*s->documents.items));
	s->documents.items[s->documents.count++] = doc;
	*at = s->documents.count;
	*ret = doc;
	return 0;
}

int source_parse_config(struct sourcing *s, struct source_document *doc)
{
	struct image_config config;
	int r;

	if (doc->config)
		return 0;
	r = image_config_parse(doc->text, doc->len, s->a, &config, s->err);
	doc->no_config = r < 0;
	if (r == 0)
		doc->config = arena_memdup(s->a, &config, sizeof(config));
	return r;
}

int source_config(struct sourcing *s, struct source_image *image, struct source_document *doc,
		  size_t layers)
{
	int r = source_parse_config(s, doc);

	if (r < 0)
		return err_prefix(s->err, "image configuration");
	if (doc->config->diff_ids.count != layers)
		return err_set(s->err, EINVAL, "image configuration: %zu diff_ids for %zu layers",
			       doc->config->diff_ids.count, layers);
	/* Several images may share it, and each goes through its layers. */
	r = source_charge(s, doc->len);
	if (r < 0)
		return r;
	image->image = *doc->config;
	image->config = doc->text;
	image->config_len = doc->len;
	return 0;
}

int source_list(const struct layout *l, const struct source_opts *opts, struct arena *a,
		struct source_images *ret, struct err *err)
{
	struct source_images images = { 0 };
	struct sourcing s = {
		.layout = l, .opts = opts, .a = a, .images = &images, .err = err, .seen = BUF_INIT
	};
	int r = source_oci(&s);

	buf_done(&s.seen);
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
