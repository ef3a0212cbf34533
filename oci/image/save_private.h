/* SPDX-License-Identifier: Apache-2.0 */
/* A save under way, for oci/image/save*.c. */
#ifndef OCI_IMAGE_SAVE_PRIVATE_H
#define OCI_IMAGE_SAVE_PRIVATE_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "oci/image/manifest.h"
#include "oci/image/save.h"
#include "oci/image/save_tar.h"

/* A layer as the archive has it, of however many images. */
struct save_blob {
	const struct store_layer *layer;
	const char *digest, *media_type; /* of what is written */
	uint64_t size;
	bool left_out;
};

struct saving {
	const struct save_opts *opts;
	struct arena *a;
	struct err *err;
	struct save_tar tar;
	LIST(struct save_blob) blobs; /* by diffID */
	struct strv documents;	      /* digests of those that are written */
};

const struct save_blob *save_find_blob(const struct saving *s, const char *diff_id);

/* save_layer.c: where a layer's bytes go, in pieces. 0 or -errno with words. */
typedef int save_sink(void *arg, const void *data, size_t len, struct err *err);
/* The whole stream of a layer. After success it was what its diffID says. */
int save_layer_read(const struct saving *s, const struct store_layer *layer, save_sink *sink,
		    void *arg);

/* save_compress.c: *ret_fd is an unnamed file with the layer compressed, from its beginning. */
int save_layer_compress(const struct saving *s, const struct store_layer *layer, int *ret_fd);

/* save_documents.c: the texts, appended to out. */
void save_index(const struct saving *s, const struct descriptor *manifests, struct buf *out);
void save_docker_manifest(const struct saving *s, struct buf *out);
/* The place of a blob, and of a layer or configuration, in the archive. */
char *save_blob_name(const struct saving *s, const char *digest);
char *save_config_name(const struct saving *s, const char *digest);
char *save_layer_name(const struct saving *s, const struct save_blob *blob);

#endif
