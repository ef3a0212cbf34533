/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses for attachments: the "ipam" object of bridge, ptp, macvlan, ipvlan and host-device.
 * "host-local" and "static" are in process, any other type is executed as a program ("dhcp").
 *
 * host-local's leases are files in RUN_DIR/leases/NETWORK (or "dataDir"/NETWORK), named by address,
 * with the container, the interface and what tells whether it still lives in three lines, and
 * last_reserved_ip.N as its plugin has them. A directory's flock serialises.
 */
#ifndef NETNS_IPAM_H
#define NETNS_IPAM_H

#include "netns/plugin.h"

/*
 * Adds addresses, routes and DNS to at->result (its ips without an interface's index) as at->conf's
 * "ipam" wants: ranges (rangeSet, subnet, rangeStart, rangeEnd, gateway), routes, resolvConf, and the
 * addresses that the runtime asks for (runtimeConfig "ips", CNI_ARGS IP=, args.cni.ips). Without "ipam"
 * nothing is added. A lease whose owner is dead is taken over when the pool is full. Returns 0;
 * -ENOSPC when every address is in use (the message says of which range and how many), -EADDRINUSE
 * when the address asked for is another's (the message says whose), -EINVAL for overlapping or bad
 * ranges, another -errno. On failure no lease is left.
 */
int ipam_add(struct attach *at);
/* Frees what the attachment holds; 0 also when it holds nothing. */
int ipam_del(struct attach *at);
/* -ENOENT when it holds no address. */
int ipam_check(struct attach *at);
int ipam_status(struct attach *at);
/* Frees what belongs to none of these. */
int ipam_gc(struct attach *at, const struct cni_valid *valid, size_t count);

#endif
