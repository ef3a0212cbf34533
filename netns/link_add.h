/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New network interfaces, in one request each: made where they are to be (in a container's
 * namespace, say), under the name they keep, in a bridge, up. The plugins call this. All functions
 * queue a request; rtnl_run() sends it and says -EEXIST when the name is taken, -EOPNOTSUPP (with
 * the module that is missing: link_add_explain()) when the kernel does not know the kind.
 */
#ifndef NETNS_LINK_ADD_H
#define NETNS_LINK_ADD_H

#include "netns/link.h"

#include <linux/if_link.h>

struct link_add {
	const char *name;
	int netns_fd; /* where it comes to be; -1: the socket's namespace */
	int lower;    /* index (in the socket's namespace) of the interface it lies on; 0: none */
	int master;   /* index of a bridge it is put into; 0: none */
	uint32_t mtu; /* bytes; 0: the kernel's choice */
	const uint8_t *mac; /* LINK_MAC_SIZE bytes; NULL: the kernel's choice */
	bool up;
	bool no_queue; /* a queue length of 0, as CNI's plugins give a veth */
};

/* A bridge as the kernel makes it: no spanning tree. */
void link_add_bridge(struct rtnl *r, const struct link_add *add, bool vlan_filtering);
/*
 * A pair. Name, mtu, mac, no_queue and netns_fd are heard for the peer, which is not brought up: the kernel
 * wants both ends for that. `add` itself may be up and in a bridge at once.
 */
void link_add_veth(struct rtnl *r, const struct link_add *add, const struct link_add *peer);
/* mode: MACVLAN_MODE_*. */
void link_add_macvlan(struct rtnl *r, const struct link_add *add, uint32_t mode);
/* mode: IPVLAN_MODE_*; flags: IPVLAN_F_*. */
void link_add_ipvlan(struct rtnl *r, const struct link_add *add, uint16_t mode, uint16_t flags);
/* On lower, for one VLAN (802.1Q). */
void link_add_vlan(struct rtnl *r, const struct link_add *add, uint16_t vlan);
/* A kind without data of its own: "ifb", "dummy". */
void link_add_plain(struct rtnl *r, const struct link_add *add, const char *kind);

/* Puts the remedy behind rtnl_run()'s message when it failed since the kernel has no such kind;
 * returns err->code. */
int link_add_explain(const char *kind, struct err *err);

/* A random unicast address of the locally administered ones. */
int link_mac_random(uint8_t ret_mac[LINK_MAC_SIZE], struct err *err);

#endif
