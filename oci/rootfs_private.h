/* SPDX-License-Identifier: Apache-2.0 */
/* What oci/rootfs.c says of overlays and oci/rootfs_mount.c mounts. */
#ifndef OCI_ROOTFS_PRIVATE_H
#define OCI_ROOTFS_PRIVATE_H

#include "oci/rootfs.h"

/* mount(2) takes one page of text, and cuts what is longer. */
#define ROOTFS_PAGE 4095
/* fsconfig(2) takes strings of less than 256 bytes. */
#define ROOTFS_NAME_MAX 255

/* The options as STEP_MOUNT has them (oci/plan_format.h), with absolute names; the layers first. */
void rootfs_list(const struct rootfs *r, struct buf *out);
/* The same without layers and directories. */
void rootfs_list_rest(const struct rootfs *r, struct buf *out);

/* An overlay without an upper directory needs two lower ones: the second is STORE_PLACES. */
bool rootfs_lacks_lower(const struct rootfs *r);

/*
 * The data of mount(2). links: layers by their names in STORE/l, which is the working directory;
 * else they are "0", "1" and so on, the others "upper" and "work", and "none" is an empty
 * directory.
 */
void rootfs_page(const struct rootfs *r, bool links, struct buf *out);

#endif
