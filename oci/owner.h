/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a cgroup is. A path is no proof: a container whose create was killed names a group that it
 * never made, and a stopped one leaves a group empty that others may be told to join. So the group
 * carries a mark, an extended attribute that names the container's state directory. Used by
 * oci/create_cgroup.c and oci/delete.c.
 */
#ifndef OCI_OWNER_H
#define OCI_OWNER_H

#include "cgroups/cg.h"
#include "lib/err.h"

#include <limits.h>

enum owner {
	OWNER_NONE, /* no mark, or of a container that is gone: nobody of ours, or a user's with a
		       kernel that keeps none (before Linux 5.7) */
	OWNER_US,
	OWNER_OTHER,
	OWNER_DOUBT, /* another's as well, by a mark that what is in the group may have written */
};

/*
 * Marks the group for the container with this state directory. -EBUSY when it belongs to another
 * one that is not deleted yet. A mark that cannot be set is no error.
 */
int owner_claim(const struct cg *cg, int state_dir, struct err *err);
/* Whose it is, as seen by the container with this state directory. */
enum owner owner_of(const struct cg *cg, int state_dir);
/*
 * Looks through the whole tree for a group that carries the container's mark, for who knows nothing else
 * of it: 1 and its path, 0 when there is none, or -errno when that cannot be told (by the deadline).
 */
int owner_find(const struct cg_tree *tree, int state_dir, const struct deadline *end,
	       char ret_path[PATH_MAX], struct err *err);
/* Takes the mark away from a group that stays. */
void owner_release(const struct cg *cg);

#endif
