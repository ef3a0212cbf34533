/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What macvlan and ipvlan have in common: interfaces for containers that lie on one of the host's (their
 * "master") and share its wire.
 */
#ifndef NETNS_UPPER_H
#define NETNS_UPPER_H

#include "netns/link_add.h"
#include "netns/plugin.h"

struct upper {
	char *master, *mode, *flag, *mac_text; /* NULL: not said */
	uint32_t mtu;			       /* bytes; 0: the master's */
	bool link_in_container;		       /* the master is in the container's namespace */
	bool has_mac;
	uint8_t mac[LINK_MAC_SIZE];
};

/* The configuration, with the hardware address that the runtime asks for (runtimeConfig.mac,
 * args.cni.mac, CNI_ARGS MAC=). -EINVAL. */
int upper_read(struct attach *at, struct upper *ret_upper);

/* Queues the making of the kind of interface, by its mode and flag, which are known to be good. */
typedef void upper_queue(struct rtnl *r, const struct link_add *add, const struct upper *upper);

/* ADD: addresses, the interface in the container, the result. */
int upper_add(struct attach *at, const struct upper *upper, const char *kind, upper_queue *queue);
int upper_del(struct attach *at, const char *kind);
int upper_check(struct attach *at, const char *kind);
/* STATUS: whether the master is there, and addresses are. */
int upper_status(struct attach *at);

#endif
