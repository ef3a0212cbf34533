/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "USER[:GROUP]" of an image or the command line, to numbers: by etc/passwd and etc/group of a root
 * file system that may be hostile. What looks like a number is one and is never looked up as a name
 * (CVE-2022-36109 and kin).
 */
#ifndef OCI_IMAGE_USERS_H
#define OCI_IMAGE_USERS_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/spec.h"

/*
 * root_fd: the root file system. A numeric user without group gets the gid that passwd has for it,
 * else 0; additional groups only for a user by name without a group (conversion.md). text NULL or
 * "": 0:0. -ENOENT: "user "x" is not in the image's /etc/passwd"; -EINVAL: out of range. *ret_home
 * (may be NULL): the home directory in passwd, else NULL.
 */
int users_resolve(int root_fd, const char *text, struct arena *a, struct spec_user *ret,
		  char **ret_home, struct err *err);

#endif
