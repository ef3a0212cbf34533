/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts that containerd lists for a container, onto BUNDLE/rootfs, and off it again. */
#ifndef SHIM_MOUNTS_H
#define SHIM_MOUNTS_H

#include "lib/err.h"
#include "shim/shim.pb-c.h"

#include <stddef.h>

/* In order; on failure none is left. Overlays of any number of layers. */
int mounts_make(const char *target, Shim__Mount *const *mounts, size_t count, struct err *err);
/* All that is mounted there or below, deepest first; EBUSY is retried for 2.5 s. Nothing mounted is
 * fine. */
int mounts_remove(const char *target, struct err *err);

#endif
