/* SPDX-License-Identifier: Apache-2.0 */
/* One mount of a request with its options understood, and the ways to make it. */
#ifndef SHIM_MOUNTS_PRIVATE_H
#define SHIM_MOUNTS_PRIVATE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stdint.h>

/* mount(2) takes one page of text, and cuts what is longer. */
#define MOUNTS_PAGE 4095

struct mounts_one {
	struct arena *a;
	const char *type, *source;
	const char *path;	       /* where, without links in it */
	unsigned long flags;	       /* MS_* */
	unsigned long propagation;     /* MS_*, of a call of its own; 0: none */
	bool loop;		       /* source is a file for a loop device */
	const char *uid_map, *gid_map; /* NULL: ids stay */
	struct strv data;	       /* the other options, for the file system */
};

/* The options in words; "a,b=c". */
char *mounts_join(struct arena *a, const struct strv *words);
/* MOUNT_ATTR_* for MS_*. */
uint64_t mounts_attributes(unsigned long flags);
/* A user namespace that holds the mappings: a descriptor, or -errno. */
int mounts_userns(const struct mounts_one *m, struct err *err);

/* mounts_overlay.c: of any number of layers, also with ids mapped. */
int mounts_overlay(const struct mounts_one *m, struct err *err);

/*
 * mounts_loop.c: a loop device that goes with its last user (Linux 5.8). *ret_path is in the arena.
 * Returns a descriptor that is to be open until it is mounted, or -errno.
 */
int mounts_loop(const struct mounts_one *m, const char **ret_path, struct err *err);

#endif
