/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images out of the store, as an archive: for `tote save`. A layer's tar stream is put together
 * again exactly as it came (oci/image/split.h), so that diffIDs and the configuration, whose digest
 * is the image ID, stay what they were. The manifest is a new one, as layers are compressed
 * otherwise now. Without compression the same images are the same bytes each time.
 */
#ifndef OCI_IMAGE_SAVE_H
#define OCI_IMAGE_SAVE_H

#include "lib/err.h"
#include "lib/types.h"
#include "oci/image/store.h"
#include "oci/image/stream.h"

enum save_format {
	SAVE_OCI,    /* an OCI layout, with a manifest.json beside for those who know only that */
	SAVE_DOCKER, /* docker save's form before version 25; layers are never compressed in it */
};

struct save_image {
	struct store_image record;
	struct strv names; /* in their one form; may be empty */
	char *config;	   /* the text of record.config, as save_read_config() found it */
	size_t config_len;
};

struct save_opts {
	const struct store *store; /* which keeps the layers meanwhile: ingest_rely_image()
				      */
	const struct save_image *images;
	size_t count;
	enum save_format format;
	enum compression compression;
	struct strv present; /* diffIDs of layers to leave out (image-layout.md, "Blobs": blobs may
				be missing); SAVE_OCI only */
	int spool;	     /* a directory for unnamed files, when something is compressed */
	const volatile int *interrupted; /* becomes non-zero: stop with -EINTR */
};

/*
 * Reads the configuration of image->record. Together with the lease on its layers, under the store's
 * lock: gc may take it afterwards. -EBADMSG: the image is damaged.
 */
int save_read_config(const struct store *s, struct arena *a, struct save_image *image,
		     struct err *err);

/*
 * Writes to fd from where it stands. -EBADMSG: an image is damaged, and known to be so from now on;
 * -ENOSPC before anything is written where that can be told; -EINTR.
 */
int save_images(const struct save_opts *opts, int fd, struct err *err);

#endif
