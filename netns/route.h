/* SPDX-License-Identifier: Apache-2.0 */
/* Routes through an interface: list them, add them, remove them. netdev.c calls this to carry them
 * along with the interface, the plugins to give a container its own. */
#ifndef NETNS_ROUTE_H
#define NETNS_ROUTE_H

#include "lib/arena.h"
#include "lib/types.h"
#include "netns/ip.h"
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

/* Whether an address is one of our own: by its route, which is one answer however many there are. */
bool route_is_own(struct rtnl *r, const struct ip *ip);

/* One route, put together. */
struct route_wish {
	struct ip_net dst; /* host bits are dropped; 0.0.0.0/0 or ::/0: default */
	struct ip gw;	   /* family 0: on the link itself */
	struct ip src;	   /* preferred source address; family 0: the kernel's choice */
	bool onlink;	   /* the gateway is on the link though no other route says so */
	/* The table is main, priority (metric), mtu and advmss the kernel's, unless set; the scope is
	 * the link's without a gateway, else global. */
	struct opt_u32 table, priority, mtu, advmss, scope;
};

/* Queues the adding of one, beside others to the same destination; rtnl_run() says -EEXIST when the
 * very same is there. */
void route_add(struct rtnl *r, const struct link *link, const struct route_wish *wish);
/* Queues the removal of one; -ESRCH when it is not there. */
void route_delete(struct rtnl *r, const struct link *link, const struct route_wish *wish);
/* Whether it is there: 0, -ENOENT with a message, or another -errno. For CHECK. */
int route_check(struct rtnl *r, const struct link *link, const struct route_wish *wish,
		struct err *err);

/* Queues the adding of all, those first that make the others' gateways reachable. The interface
 * must be up. */
void route_add_all(struct rtnl *r, const struct link *link, const struct route_list *list);

#endif
