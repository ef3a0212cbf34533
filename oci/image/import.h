/* SPDX-License-Identifier: Apache-2.0 */
/* A root file system in a tar archive as an image of one layer, made ready for load_images(): for
 * `tote import`. */
#ifndef OCI_IMAGE_IMPORT_H
#define OCI_IMAGE_IMPORT_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/layout.h"
#include "oci/image/manifest.h"
#include "oci/image/source.h"

struct import_opts {
	const char *path;   /* "-": stdin */
	int spool;	    /* where an unnamed file may be made, when it is compressed or a pipe */
	uint64_t max_bytes; /* uncompressed */
	char *name;	    /* of the image, in its one form */
	const char *created;	  /* RFC 3339 */
	struct platform platform; /* whose programs are in it */
	struct image_process
		process; /* of which user, working_dir, env, entrypoint and cmd count */
};

/*
 * *ret_layout is for layout_close(), also after a failure. Nothing is looked at but the bytes: that
 * it is a tar archive at all is found out when it is unpacked. -EINVAL: it is empty; -EOPNOTSUPP,
 * -EBADMSG, -EFBIG, -ENOSPC as layout_open().
 */
int import_open(const struct import_opts *opts, struct arena *a, struct layout *ret_layout,
		struct source_images *ret, struct err *err);

#endif
