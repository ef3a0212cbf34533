/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount that is made out of sight: by a child, in a mount namespace that ends with it. For
 * overlays that need helper mounts (layers with other ids) which nobody may see.
 */
#ifndef OCI_MOUNT_APART_H
#define OCI_MOUNT_APART_H

#include "lib/err.h"

/*
 * Runs make in a child with a private mount namespace of its own and takes over the detached mount
 * whose descriptor it returns (open_tree(2), fsmount(2): Linux 5.2). make says in err why it has
 * none. purpose, for a message: "mounts the root file system". Returns a descriptor that the caller
 * closes, or -errno. Waits for the child.
 */
int mount_apart(int (*make)(const void *arg, struct err *err), const void *arg, const char *purpose,
		struct err *err);

#endif
