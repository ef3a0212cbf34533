/* SPDX-License-Identifier: Apache-2.0 */
/* index.json and manifest.json. */
#include "oci/image/save_private.h"

#include "lib/json.h"
#include "oci/image/digest.h"

#include <string.h>

char *save_blob_name(const struct saving *s, const char *digest)
{
	return arena_printf(s->a, "blobs/%.6s/%s", digest, digest_hex(digest));
}

char *save_config_name(const struct saving *s, const char *digest)
{
	return s->opts->format == SAVE_OCI ? save_blob_name(s, digest)
					   : arena_printf(s->a, "%s.json", digest_hex(digest));
}

char *save_layer_name(const struct saving *s, const struct save_blob *blob)
{
	return s->opts->format == SAVE_OCI ? save_blob_name(s, blob->digest)
					   : arena_printf(s->a, "%s.tar", digest_hex(blob->digest));
}

/* The whole form that containerd, Docker and Podman keep names in: their default registry is named.
 */
static const char *qualified(const struct saving *s, const char *name)
{
	size_t first = strcspn(name, "/");

	if (!name[first])
		return arena_printf(s->a, "docker.io/library/%s", name);
	if (memchr(name, '.', first) || memchr(name, ':', first) ||
	    (first == strlen("localhost") && strncmp(name, "localhost", first) == 0))
		return name;
	return arena_printf(s->a, "docker.io/%s", name);
}

static void write_entry(const struct saving *s, struct json_writer *w, const struct descriptor *d,
			const char *name)
{
	json_begin_object(w);
	json_pair_string(w, "mediaType", d->media_type);
	json_pair_string(w, "digest", d->digest);
	json_pair_u64(w, "size", d->size);
	if (name) {
		json_key(w, "annotations");
		json_begin_object(w);
		json_pair_string(w, "io.containerd.image.name", qualified(s, name));
		json_pair_string(w, "org.opencontainers.image.ref.name", name);
		json_end_object(w);
	}
	json_end_object(w);
}

void save_index(const struct saving *s, const struct descriptor *manifests, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_u64(&w, "schemaVersion", 2);
	json_pair_string(&w, "mediaType", MEDIA_OCI_INDEX);
	json_key(&w, "manifests");
	json_begin_array(&w);
	for (size_t i = 0; i < s->opts->count; i++) {
		for_each (name, &s->opts->images[i].names)
			write_entry(s, &w, &manifests[i], *name);
		if (!s->opts->images[i].names.count)
			write_entry(s, &w, &manifests[i], NULL);
	}
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
}

void save_docker_manifest(const struct saving *s, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_array(&w);
	for (size_t i = 0; i < s->opts->count; i++) {
		const struct save_image *image = &s->opts->images[i];

		json_begin_object(&w);
		json_pair_string(&w, "Config", save_config_name(s, image->record.config));
		json_key(&w, "RepoTags");
		json_begin_array(&w);
		/* A tag is what this list is for; a digest is refused by those who read it. */
		for_each (name, &image->names)
			if (!strchr(*name, '@'))
				json_put_string(&w, *name);
		json_end_array(&w);
		json_key(&w, "Layers");
		json_begin_array(&w);
		for_each (layer, &image->record.layers)
			json_put_string(&w, save_layer_name(s, save_find_blob(s, layer->diff_id)));
		json_end_array(&w);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_writer_done(&w);
}
