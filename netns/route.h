/* SPDX-License-Identifier: Apache-2.0 */
/* Routes through an interface: list them, add them. netdev.c calls this to carry them along with
 * the interface. */
#ifndef NETNS_ROUTE_H
#define NETNS_ROUTE_H

#include "lib/arena.h"
#include "netns/link.h"

#define ROUTE_ATTRS_MAX 400

struct route {
	struct rtmsg msg;
	bool has_gateway;
	char text[80];	  /* "10.2.0.0/16 via 10.88.0.1", for messages */
	size_t attrs_len; /* attributes as the kernel gave them; none of them names an interface */
	char attrs[ROUTE_ATTRS_MAX];
};

struct route_list {
	struct route *items;
	size_t count;
};

/*
 * The unicast routes of the main table that go out by this interface alone, but for those the
 * kernel makes by itself (of prefixes, router advertisements and redirects) and those over tunnels.
 * Returns 0 or -errno.
 */
int route_list_own(struct rtnl *r, const struct link *link, struct arena *a,
		   struct route_list *ret_list, struct err *err);

/* Queues the adding of all, those first that make the others' gateways reachable. The interface
 * must be up. */
void route_add_all(struct rtnl *r, const struct link *link, const struct route_list *list);

#endif
