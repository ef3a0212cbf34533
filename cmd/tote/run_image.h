/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tote run IMAGE` share: cmd/tote/run_image*.c. */
#ifndef CMD_TOTE_RUN_IMAGE_H
#define CMD_TOTE_RUN_IMAGE_H

#include "cmd/tote/run_options.h"
#include "oci/image/convert.h"
#include "oci/image/manifest.h"
#include "oci/image/store.h"
#include "oci/rootfs.h"

struct imaging {
	const char *name;
	const struct run_options *o;
	struct store store;
	struct store_image image;
	struct image_config config;
	struct rootfs rootfs;
	struct convert_opts convert;
	char *container;	  /* its directory in the store; NULL: none yet */
	bool own_ids;		  /* a user namespace with a range of its own */
	int container_fd, lookup; /* lookup: where users are looked up and volumes filled from */
	struct arena a;
	struct err *err;
};

/* run_image_options.c: from the options to im->convert; nothing is made yet. */
int imaging_choose(struct imaging *im, const char *id, char **args);
/* run_image_root.c: the container's directory in the store and its root file system. */
int imaging_make_root(struct imaging *im, const char *id);
/* run_image_mounts.c: volumes and tmpfs, which are filled from the root file system. */
int imaging_add_mounts(struct imaging *im);
/* The descriptor of the root to fill volumes from, -1: it cannot be looked into. */
int imaging_content(const struct imaging *im);

#endif
