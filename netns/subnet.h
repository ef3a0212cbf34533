/* SPDX-License-Identifier: Apache-2.0 */
/* Which subnets are in use already, and by what. `tote network create` calls this. */
#ifndef NETNS_SUBNET_H
#define NETNS_SUBNET_H

#include "netns/conf.h"
#include "netns/ip.h"
#include "netns/rtnl.h"

struct subnet_use {
	struct ip_net net;
	const char *what; /* "network shop", "the host's route to 10.1.0.0/16 by eth0" */
	int ifindex;	  /* of the host's interface; 0: a network's */
};

struct subnet_uses {
	struct subnet_use *items;
	size_t count;
};

/* Appends the host's addresses and routes (those of the main table, but for default ones). 0 or
 * -errno. */
int subnet_add_host(struct rtnl *r, struct arena *a, struct subnet_uses *uses, struct err *err);
/* Appends the subnets of networks' "ipam" (host-local's; others know theirs themselves). */
void subnet_add_networks(const struct cni_networks *networks, struct arena *a,
			 struct subnet_uses *uses);

/* The first use that overlaps with a subnet, but for those by the interface `except` (0: none);
 * NULL: it is free. */
const struct subnet_use *subnet_taken(const struct subnet_uses *uses, const struct ip_net *net,
				      int except);
/* The first /24 from 10.88.0.0 to 10.95.255.255 that is free. 0, or -ENOSPC. */
int subnet_choose(const struct subnet_uses *uses, struct ip_net *ret, struct err *err);

#endif
