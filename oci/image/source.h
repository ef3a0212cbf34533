/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images a layout holds for this machine, each with all that is needed to take it in:
 * documents that match their digests, and where its layers lie. Nothing is unpacked yet. For `tote
 * load`.
 */
#ifndef OCI_IMAGE_SOURCE_H
#define OCI_IMAGE_SOURCE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/layout.h"
#include "oci/image/manifest.h"
#include "oci/image/platform.h"
#include "oci/image/store.h"

struct source_layer {
	char *diff_id;
	char *digest; /* of the blob; NULL: not known before it is read (docker save) */
	char *media_type;
	uint64_t size; /* of the blob */
	char *member;  /* of the layout; NULL: not in it, the store must have the layer */
};

struct source_image {
	char *manifest; /* its text; NULL: made when the layers are known (docker save) */
	size_t manifest_len;
	char *digest; /* of the manifest, NULL with it */
	char *config;
	size_t config_len;
	char *config_digest;
	struct image_config image;
	LIST(struct source_layer) layers; /* lowest first */
	struct strv names;		  /* in their one form; may be empty */
};

struct source_images {
	struct source_image *items;
	size_t count;
	struct strv no_names; /* that the archive gives images, and that would be taken for IDs */
};

struct source_opts {
	const struct platform_list *platforms; /* best first */
	const char *base_name; /* for images that say only a tag: from --name or the file's name;
				  NULL: none */
	const struct store
		*store; /* documents that the layout leaves out may be there; NULL: none */
};

/*
 * -EINVAL: no layout, documents that are broken or do not fit each other; -EBADMSG: not what their
 * digest says; -ENOENT: something is missing; -EOPNOTSUPP: nothing for these platforms (the message
 * lists those there are), a form that we do not know.
 */
int source_list(const struct layout *l, const struct source_opts *opts, struct arena *a,
		struct source_images *ret, struct err *err);

#endif
