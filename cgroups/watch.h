/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last look at a group: its files cannot be read once it is removed, and an OOM kill that ends
 * a container is counted in one of them a moment before. Who watches (`tote events`) holds a shared
 * lock on the group's directory, who removes it (oci/delete.c) waits for that a little.
 */
#ifndef CGROUPS_WATCH_H
#define CGROUPS_WATCH_H

#include "cgroups/cg.h"

/* Watches until the descriptor of the group is closed. 0 or -errno. */
int watch_begin(const struct cg *cg);

/* Waits until nobody watches the group, at most timeout_ms: anybody who may open the directory can
 * hold it, so it is a favour. One system call when nobody does. */
void watch_wait(const struct cg *cg, int timeout_ms);

#endif
