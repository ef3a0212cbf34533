/* SPDX-License-Identifier: Apache-2.0 */
/* Id mappings: written for a new user namespace, and held in one for id-mapped mounts
 * (user_namespaces(7)). */
#ifndef OCI_IDMAP_H
#define OCI_IDMAP_H

#include "lib/err.h"
#include "oci/spec.h"

#include <sys/types.h>

/*
 * Writes the mappings of a process in a new user namespace: directly where the kernel lets us, else
 * by newuidmap(1) and newgidmap(1), which know the caller's subordinate ids. Empty lists map the
 * caller's own ids to 0.
 */
int idmap_write(pid_t pid, const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		struct err *err);

/* True when these gid mappings can only be written after setgroups was denied: one's own gid,
 * without privilege. */
bool idmap_denies_setgroups(const struct spec_id_mappings *gids);

/* True when the kernel refuses setgroups(2) in the user namespace of a process: its pid in decimal,
 * or "self". */
bool idmap_setgroups_denied(const char *pid);

/* A user namespace with these mappings, for MOUNT_ATTR_IDMAP (Linux 5.12). Returns its descriptor
 * or -errno. */
int idmap_namespace(const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		    struct err *err);

#endif
