/* SPDX-License-Identifier: Apache-2.0 */
/* Whole directory trees, of any depth, made by strangers: nothing is followed and no path is ever
 * built. */
#ifndef LIB_TREE_H
#define LIB_TREE_H

/*
 * Removes dirfd/name and all below it; what is not there is no error. A directory on another file
 * system is -EXDEV: something is mounted there. Works with a full disk. 0 or -errno.
 */
int tree_remove(int dirfd, const char *name);

#endif
