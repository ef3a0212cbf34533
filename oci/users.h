/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "USER[:GROUP]" of an image or the command line, to numbers: by etc/passwd and etc/group of a root
 * file system that may be hostile. What looks like a number is one and is never looked up as a name
 * (CVE-2022-36109 and kin).
 */
#ifndef OCI_USERS_H
#define OCI_USERS_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/spec.h"

/*
 * root_fd: the root file system; its files are read below it only (openat2 RESOLVE_IN_ROOT, Linux
 * 5.6), regular ones of at most 1 MiB, never blocking; others count as missing. A numeric user
 * without group gets the gid that passwd has for it, else 0; additional groups only for a user by
 * name without a group (image-spec conversion.md). text NULL or "": 0:0. *ret_home (may be NULL):
 * the home directory in passwd, else NULL. -ENOENT: "user "x" is not in the image's /etc/passwd";
 * -EINVAL: out of range, or not USER[:GROUP].
 */
int users_resolve(int root_fd, const char *text, struct arena *a, struct spec_user *ret,
		  char **ret_home, struct err *err);

/* A group by name, or a number, as the part behind ":" above. -ENOENT or -EINVAL. */
int users_group(int root_fd, const char *name, struct arena *a, uint32_t *ret, struct err *err);

/* The home directory that passwd has for a user, in the arena; NULL: none. */
char *users_home(int root_fd, uint32_t uid, struct arena *a);

#endif
