/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read and write the store share: names, and the form of its records. */
#ifndef OCI_IMAGE_STORE_PRIVATE_H
#define OCI_IMAGE_STORE_PRIVATE_H

#include "lib/buf.h"
#include "lib/json.h"
#include "oci/image/store.h"

#define STORE_NAME_SIZE 256

/* "images/HEX", "blobs/sha256/HEX" of a valid digest. */
void store_image_path(const char *digest, char ret[STORE_NAME_SIZE]);
void store_blob_path(const char *digest, char ret[STORE_NAME_SIZE]);

/* The manifest that a reference in its one form names. -ENOENT: "no image "x"". */
int store_ref(const struct store *s, const char *reference, struct arena *a, char **ret_digest,
	      struct err *err);

/* store_ids.c: see store_ids_claim() in oci/image/store.h. */
void store_ids_release(const struct store *s, const char *container);
/* For gc, under the store's exclusive lock: claims of containers that are gone. */
void store_ids_sweep(const struct store *s, struct arena *a);

/* 16 random hexadecimal digits, for names that nobody else has. */
void store_random(char ret[17]);

/* A record as JSON, and back. -EINVAL with words. */
void store_image_write(const struct store_image *image, struct buf *out);
int store_image_parse(const char *text, size_t len, struct arena *a, struct store_image *ret,
		      struct err *err);
/* layers/ID/meta. */
void store_layer_write(const struct store_layer *layer, struct buf *out);
int store_layer_parse(const char *text, size_t len, struct arena *a, struct store_layer *ret,
		      struct err *err);

#endif
