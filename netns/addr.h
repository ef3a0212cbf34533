/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses of an interface: list them, add them, remove them. netdev.c calls this to carry them
 * along with the interface, the plugins to give a container its own. */
#ifndef NETNS_ADDR_H
#define NETNS_ADDR_H

#include "lib/arena.h"
#include "netns/ip.h"
#include "netns/link.h"

#include <netinet/in.h>

struct addr {
	uint8_t family;	    /* AF_INET or AF_INET6 */
	uint8_t prefix_len; /* bits */
	uint8_t scope;	    /* RT_SCOPE_* */
	uint32_t flags;	    /* IFA_F_* */
	uint32_t metric;    /* of the prefix's route; 0 is the kernel's default */
	bool has_broadcast;
	/*
	 * In network byte order; an IPv4 address in the first four bytes. The peer is local itself
	 * but on point-to-point interfaces.
	 */
	uint8_t local[sizeof(struct in6_addr)];
	uint8_t peer[sizeof(struct in6_addr)];
	uint8_t broadcast[sizeof(struct in6_addr)];
};

struct addr_list {
	struct addr *items;
	size_t count;
};

/*
 * The permanent addresses of global scope, IPv4 and IPv6: what config-linux.md ("Network Devices")
 * wants kept. Addresses with a lifetime (DHCP, router advertisements) belong to who renews them.
 * Returns 0 or -errno.
 */
int addr_list_global(struct rtnl *r, const struct link *link, struct arena *a,
		     struct addr_list *ret_list, struct err *err);

/* All there are, of either family and every scope. */
int addr_list(struct rtnl *r, const struct link *link, struct arena *a, struct addr_list *ret_list,
	      struct err *err);
/* Whether an address with its prefix length is among them. */
const struct addr *addr_among(const struct addr_list *list, const struct ip_net *net);

/*
 * Queues the adding of one, of global scope (that of the loopback's own: host). flags: IFA_F_*, of
 * which IFA_F_NODAD has an IPv6 address usable at once. rtnl_run() says -EEXIST when it is there.
 */
void addr_add(struct rtnl *r, const struct link *link, const struct ip_net *net, uint32_t flags);
/* Queues the removal of one; -EADDRNOTAVAIL when it is not there. */
void addr_delete(struct rtnl *r, const struct link *link, const struct ip_net *net);

/* Queues the adding of all, such that they come out in the same order. */
void addr_add_all(struct rtnl *r, const struct link *link, const struct addr_list *list);

#endif
