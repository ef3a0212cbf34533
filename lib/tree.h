/* SPDX-License-Identifier: Apache-2.0 */
/* Whole directory trees, of any depth, made by strangers: nothing is followed and no path is ever
 * built. */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include <stdint.h>

/*
 * Removes dirfd/name and all below it; what is not there is no error. A directory on another file
 * system is -EXDEV: something is mounted there. Works with a full disk. 0 or -errno.
 */
int tree_remove(int dirfd, const char *name);

/* The bytes that dirfd/name and all below it take on disk; a file with several links counts with
 * each. 0 or -errno. */
int tree_usage(int dirfd, const char *name, uint64_t *ret_bytes);

#endif
