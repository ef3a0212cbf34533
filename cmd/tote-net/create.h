/* SPDX-License-Identifier: Apache-2.0 */
/* A network to be made: what `tote network create` makes of its options. */
#ifndef CMD_TOTE_NET_CREATE_H
#define CMD_TOTE_NET_CREATE_H

#include "cmd/tote-net/net.h"
#include "lib/buf.h"
#include "netns/ip.h"
#include "netns/result.h"

struct create_options {
	struct place_options place;
	struct option_list subnets, gateways, ranges, routes, dns;
	const char *driver, *parent, *bridge;
	unsigned int mtu;
	bool internal;
};

struct create_subnet {
	struct ip_net net;
	struct ip gateway;    /* family 0: the plugin's choice, the second address */
	struct ip start, end; /* family 0: all of it */
};

struct create_wish {
	const char *name;
	const char *driver; /* the plugin's type */
	const char *parent; /* of macvlan and ipvlan, NULL for others */
	const char *bridge; /* NULL: to be derived from the name */
	bool own_bridge;
	bool internal;
	unsigned int mtu; /* 0: the kernel's choice */
	LIST(struct create_subnet) subnets;
	LIST(struct cni_route) routes;
	struct strv dns;
};

/* Options as a wish, in the arena: everything that needs no look at the host. 0 or -EINVAL. */
int create_read(const char *name, const struct create_options *o, struct arena *a,
		struct create_wish *ret, struct err *err);
/* Checks it against the host and the other networks, and chooses bridge and subnet where none is
 * given. 0 or -errno. */
int create_choose(const struct cni_networks *networks, struct arena *a, struct create_wish *wish,
		  struct err *err);
/* The conflist. */
void create_write(const struct create_wish *wish, struct buf *out);

#endif
