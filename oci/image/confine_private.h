/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of confine.c that have files of their own: confine_landlock.c, confine_seccomp.c. */
#ifndef OCI_IMAGE_CONFINE_PRIVATE_H
#define OCI_IMAGE_CONFINE_PRIVATE_H

#include "lib/err.h"

#include <stdbool.h>

/* root_fd -1: nothing at all. A kernel without Landlock is no error. */
int confine_landlock(int root_fd, bool read, struct err *err);
/* files: what makes and changes files is allowed, not only reading and writing open ones. */
int confine_seccomp(bool files, bool threads, struct err *err);

#endif
