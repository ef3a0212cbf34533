/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount options that tote knows (config.md, "Linux mount options"), as a table: the planner
 * reads them, `tote features` lists them. What is not here goes to the file system as data.
 */
#ifndef OCI_MOUNT_OPTIONS_H
#define OCI_MOUNT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum mount_option_kind {
	OPTION_NONE,	       /* says what is the default anyway */
	OPTION_ATTR,	       /* MOUNT_ATTR_* of the mount */
	OPTION_ATTR_RECURSIVE, /* of it and all mounts below */
	OPTION_SUPER,	       /* a flag of the superblock, by its own name; set: not the default */
	OPTION_PROPAGATION,    /* MS_* */
	OPTION_BIND,	       /* set: MS_REC or 0 */
	OPTION_REMOUNT,
	OPTION_COPY_UP,
	OPTION_IDMAP, /* set: MS_REC or 0 */
};

struct mount_option {
	const char *name;
	enum mount_option_kind kind;
	uint64_t set, clear;
};

extern const struct mount_option mount_options[];
extern const size_t mount_option_count;

/* NULL when nobody here knows it. */
const struct mount_option *mount_option_find(const char *name);

#endif
