/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image, typed: index, manifest, config (image-spec 1.1, and Docker's
 * schema 2 of the same shape), and manifest.json of a docker archive. Nothing is decided here but
 * that a document is one of those at all. Any optional member may be null; unknown members and
 * media types are no errors. At most 4 MiB each.
 */
#ifndef OCI_IMAGE_MANIFEST_H
#define OCI_IMAGE_MANIFEST_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"
#include "oci/image/platform.h"

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

/* The most that overlayfs mounts (OVL_MAX_STACK of the kernel). */
#define IMAGE_MAX_LAYERS 500

struct descriptor {
	char *media_type, *digest; /* digest: valid */
	uint64_t size;
	struct key_value_list annotations;
	struct platform *platform; /* NULL: not said */
	char *artifact_type;
};

struct image_manifest {
	char *media_type;
	struct descriptor config;
	LIST(struct descriptor) layers;
	struct key_value_list annotations;
};

struct image_index {
	LIST(struct descriptor) manifests;
};

enum manifest_kind { MANIFEST_INDEX, MANIFEST_IMAGE };

/* What a manifest blob turned out to be, whatever its descriptor said. */
struct manifest_document {
	enum manifest_kind kind;
	struct image_index index;
	struct image_manifest image;
};

/*
 * -EINVAL: broken, or index and manifest in one; -EOPNOTSUPP: Docker's schema 1, an artifact that
 * is no image, more than IMAGE_MAX_LAYERS, something else. With words. A configuration of unknown
 * type passes here (image_config_parse() judges it), as does an image without layers. Lists may be
 * empty.
 */
int manifest_parse(const char *text, size_t len, struct arena *a, struct manifest_document *ret,
		   struct err *err);

/* Part "config" of an image's configuration (config.md), names as there. */
struct image_process {
	char *user, *working_dir, *stop_signal;
	struct strv env, entrypoint, cmd;
	struct strv exposed_ports, volumes; /* the keys */
	struct key_value_list labels;
};

struct image_history {
	char *created, *created_by, *author, *comment;
	bool empty_layer;
};

struct image_config {
	struct platform platform;
	char *created, *author;
	struct image_process process;
	struct strv diff_ids; /* valid digests, lowest layer first */
	LIST(struct image_history) history;
};

/*
 * -EINVAL with words, also for a rootfs.type other than "layers" and a diff_id that is no digest;
 * -EOPNOTSUPP without rootfs (an artifact) and for more than IMAGE_MAX_LAYERS.
 */
int image_config_parse(const char *text, size_t len, struct arena *a, struct image_config *ret,
		       struct err *err);

/* manifest.json of `docker save`. */
struct docker_image {
	char *config; /* member of the archive */
	struct strv repo_tags, layers;
};

struct docker_images {
	struct docker_image *items;
	size_t count;
};

/* -EINVAL: broken, or no image in it; -EOPNOTSUPP: more than IMAGE_MAX_LAYERS. Names of members are
 * not empty, and not judged otherwise. */
int docker_manifest_parse(const char *text, size_t len, struct arena *a, struct docker_images *ret,
			  struct err *err);

/* The value of an annotation, or NULL. */
const char *annotation_get(const struct key_value_list *list, const char *key);

#endif
