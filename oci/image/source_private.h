/* SPDX-License-Identifier: Apache-2.0 */
/* What the two forms of a layout share. */
#ifndef OCI_IMAGE_SOURCE_PRIVATE_H
#define OCI_IMAGE_SOURCE_PRIVATE_H

#include "oci/image/source.h"

#include "lib/buf.h"
#include "lib/strmap.h"

/* One that was read, with what it was found to be: an archive may name it as often as it likes. */
struct source_document {
	char *text;
	size_t len;
	char *digest;			    /* by SHA-256; NULL: not computed yet */
	struct manifest_document *manifest; /* NULL: not parsed yet */
	struct image_config *config;	    /* NULL: not parsed yet */
	bool no_manifest, no_config;	    /* parsing it failed */
	int rank;			    /* of a configuration's platform */
	bool ranked;
};

struct sourcing {
	const struct layout *layout;
	const struct source_opts *opts;
	struct arena *a;
	struct source_images *images;
	struct err *err;
	struct err odd; /* why the first document that is no image was left out; code 0: none was */
	LIST(struct source_document *) documents;
	/* Where each is, counted from 1: a document by its place in the layout, an image by what
	 * makes it one, the image of a name. */
	struct strmap document_at, image_at, name_at;
	struct buf seen; /* the platforms there are, for the error */
	size_t bytes;	 /* of documents, each as often as it was gone through */
};

/* The image of that key, which is added when it is new. */
struct source_image *source_image(struct sourcing *s, const char *key, bool *ret_new);
/* Adds a name to an image, in its one form; a bare tag goes behind the base name. One
 * that would be taken for an ID is passed over. */
int source_name(struct sourcing *s, struct source_image *image, const char *text);
/* Counts what has to be gone through. -EFBIG: more than documents of images ever are. */
int source_charge(struct sourcing *s, size_t bytes);
/* A member of the layout, read once. or_blob: else the store's blob of that digest; NULL: only the
 * layout's. -ENOENT; -EFBIG. */
int source_document(struct sourcing *s, const char *name, const char *or_blob,
		    struct source_document **ret);
/* doc->config; parsed once. */
int source_parse_config(struct sourcing *s, struct source_document *doc);
/* Takes a configuration over and checks it against the number of layers. */
int source_config(struct sourcing *s, struct source_image *image, struct source_document *doc,
		  size_t layers);

/* index.json of an OCI layout. */
int source_oci(struct sourcing *s);
/* manifest.json of docker save. */
int source_docker(struct sourcing *s);

#endif
