/* SPDX-License-Identifier: Apache-2.0 */
/* The two looks at the bytes of an archive that layout_open() needs, each in a confined process. */
#ifndef OCI_IMAGE_LAYOUT_PRIVATE_H
#define OCI_IMAGE_LAYOUT_PRIVATE_H

#include "oci/image/layout.h"

struct member_list {
	struct layout_member *items;
	size_t count;
};

/*
 * Makes *fd one that can be read anywhere and is not compressed: a pipe, or what is compressed, is
 * copied to an unnamed file first, which takes its place.
 */
int layout_spool(int *fd, int spool_dir, uint64_t max_bytes, struct err *err);

/* The members of an uncompressed archive of size bytes. */
int layout_scan(int fd, uint64_t size, struct arena *a, struct member_list *ret, struct err *err);

#endif
