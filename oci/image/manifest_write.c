/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/manifest_write.h"

#include "lib/json.h"
#include "oci/image/manifest.h"

static void write_descriptor(struct json_writer *w, const char *media_type, const char *digest,
			     uint64_t size)
{
	json_begin_object(w);
	json_pair_string(w, "mediaType", media_type);
	json_pair_string(w, "digest", digest);
	json_pair_u64(w, "size", size);
	json_end_object(w);
}

void manifest_write(const struct store_image *image, size_t config_size, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_u64(&w, "schemaVersion", 2);
	json_pair_string(&w, "mediaType", MEDIA_OCI_MANIFEST);
	json_key(&w, "config");
	write_descriptor(&w, MEDIA_OCI_CONFIG, image->config, config_size);
	json_key(&w, "layers");
	json_begin_array(&w);
	for_each (l, &image->layers)
		write_descriptor(&w, l->media_type ? l->media_type : MEDIA_OCI_LAYER, l->digest,
				 l->size);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
}
