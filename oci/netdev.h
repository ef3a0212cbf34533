/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices (config-linux.md, "Network Devices"), done by tote-net, which lies next to the
 * running program.
 */
#ifndef OCI_NETDEV_H
#define OCI_NETDEV_H

#include "lib/deadline.h"
#include "oci/spec.h"
#include "oci/state.h"

/* Notes in the state which devices will be lent. */
void netdev_names(const struct spec *spec, struct arena *a, struct state *st);
/* Moves them into the network namespace of pid; all or none. */
int netdev_lend(const struct spec *spec, pid_t pid, struct err *err);
/* Gives them back while that namespace still has a process; a device that is gone is skipped by
 * tote-net. Takes two seconds at most, and ends by the deadline (NULL: none). */
int netdev_take_back(const struct state *st, const struct deadline *deadline, struct err *err);

#endif
