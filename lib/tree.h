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

/*
 * Copies what is in the directory from into the empty directory to, with owners, modes, times,
 * links among each other and, as far as we may, extended attributes; then those of from itself.
 * Sockets are left out. The caller needs the rights to set owners. 0 or -errno; then a part of it
 * is there. -ELOOP: deeper than 256 directories; -EINTR: *interrupted (NULL: never) has become
 * non-zero.
 */
int tree_copy(int from, int to, const volatile int *interrupted);

#endif
