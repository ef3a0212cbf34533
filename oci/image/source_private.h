/* SPDX-License-Identifier: Apache-2.0 */
/* What the two forms of a layout share. */
#ifndef OCI_IMAGE_SOURCE_PRIVATE_H
#define OCI_IMAGE_SOURCE_PRIVATE_H

#include "oci/image/source.h"

struct sourcing {
	const struct layout *layout;
	const struct source_opts *opts;
	struct arena *a;
	struct source_images *images;
	struct err *err;
	struct err odd; /* why the first document that is no image was left out; code 0: none was */
};

/* Adds one. */
struct source_image *source_add(struct sourcing *s);
/* Adds a name to an image, in its one form; a bare tag goes behind the base name. */
int source_name(struct sourcing *s, struct source_image *image, const char *text);
/* Takes a configuration over and checks it against the number of layers. */
int source_config(struct sourcing *s, struct source_image *image, char *text, size_t len,
		  size_t layers);

/* index.json of an OCI layout. */
int source_oci(struct sourcing *s);
/* manifest.json of docker save. */
int source_docker(struct sourcing *s);

#endif
