/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that outlive what a container writes elsewhere: named ones of the store, and those
 * that an image declares. On first use they are filled with what the image has in their place, as
 * people expect of volumes.
 */
#ifndef OCI_IMAGE_VOLUMES_H
#define OCI_IMAGE_VOLUMES_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/image/store.h"

/*
 * volumes/NAME of the store, made when it is missing. root_fd, path: the container's root file
 * system and the place in it that the volume will cover; root_fd -1: it is not filled. *ret_path:
 * absolute. -EINVAL: no name.
 */
int volume_named(const struct store *s, const char *name, int root_fd, const char *path,
		 struct arena *a, char **ret_path, struct err *err);

/* The same for a volume without a name: volumes/N of the container's own directory, which goes with
 * it. */
int volume_anonymous(const struct store *s, const char *container, unsigned int n, int root_fd,
		     const char *path, struct arena *a, char **ret_path, struct err *err);

#endif
