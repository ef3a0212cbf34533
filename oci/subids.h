/* SPDX-License-Identifier: Apache-2.0 */
/* What ids an ordinary user may have in a user namespace: their own, and those that subuid(5) and
 * subgid(5) grant. */
#ifndef OCI_SUBIDS_H
#define OCI_SUBIDS_H

#include "lib/arena.h"
#include "oci/spec.h"

/*
 * Mappings for a user namespace of the calling user: 0 is the caller, from 1 on the first range
 * that is granted. Without a grant in both files, or without newuidmap(1), one id alone.
 */
void subids_map(struct arena *a, struct spec_id_mappings *ret_uids,
		struct spec_id_mappings *ret_gids);

/*
 * Goes on in a new user namespace with these mappings, and a mount namespace of its own: uid 0
 * there. Must have one thread.
 */
int subids_enter(const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		 struct err *err);

#endif
