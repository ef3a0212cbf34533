/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker save` and `podman save` write: manifest.json names configurations and layers by
 * their place in the archive. */
#include "oci/image/source_private.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "oci/image/digest.h"
#include "oci/image/hash.h"

#include <errno.h>
#include <string.h>
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

/* Everybody names it by its digest, which nothing else in such an archive tells. */
static int check_config_name(struct sourcing *s, const char *name, const char *digest)
{
	const char *slash = strrchr(name, '/'), *hex = slash ? slash + 1 : name;
	size_t len = strspn(hex, "0123456789abcdef");

	if (len != 64 || (hex[len] && strcmp(hex + len, ".json") != 0) ||
	    strncmp(hex, digest_hex(digest), len) == 0)
		return 0;
	return err_set(s->err, EBADMSG, "%s is damaged: its digest is %s", name, digest);
}

static int take_config(struct sourcing *s, const struct docker_image *from,
		       struct source_image *image)
{
	struct source_document *doc;
	int r = source_document(s, from->config, NULL, &doc);

	if (r < 0)
		return r;
	if (!doc->digest) {
		doc->digest = arena_alloc(s->a, DIGEST_SIZE);
		hash_bytes(doc->text, doc->len, doc->digest);
	}
	image->config_digest = doc->digest;
	r = check_config_name(s, from->config, doc->digest);
	return r < 0 ? r : source_config(s, image, doc, from->layers.count);
}

/* What makes it another image than the one before, which may be the same under another name. */
static const char *key_of(struct sourcing *s, const struct docker_image *from)
{
	autobuf key = BUF_INIT;

	buf_adds(&key, from->config);
	for_each (layer, &from->layers)
		buf_addf(&key, "\n%s", *layer);
	return arena_strdup(s->a, buf_str(&key));
}

static int take(struct sourcing *s, const struct docker_image *from)
{
	bool is_new;
	struct source_image *image = source_image(s, key_of(s, from), &is_new);
	int r = is_new ? take_config(s, from, image) : 0;

	if (r == 0 && is_new)
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
