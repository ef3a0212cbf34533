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

/*
 * Programs open a pipe that is their stdin, stdout or stderr again by name, /dev/stderr above all,
 * which takes an owner inside of their user namespace: those that have none are given to its root,
 * and group, as else tote-init could not hand them on to the program's user. For root of the host; who may not give
 * files away does without. A pipe is nobody's but its two ends', so it is not given back.
 */
void idmap_lend_pipes(const struct spec_linux *l);

#endif
