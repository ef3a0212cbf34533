/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers' forwarded traffic past the host's own firewall: the nf_tables table "inet tote_firewall",
 * made for the first container. Its chain marks what is admitted; since no table can undo what another
 * one drops, each forward chain of others that drops by default gets one rule that accepts the mark, and
 * loses it with the last container. The plugin of the same name and port.c call this.
 *
 * Admitted is what an address sends, the answers to that, connections to its published ports, and what
 * comes from its own network.
 */
#ifndef NETNS_FIREWALL_H
#define NETNS_FIREWALL_H

#include "netns/ip.h"
#include "netns/nft_elem.h"

#define FIREWALL_MARK 0x10000000 /* of a packet; set behind the host's routing decision */

struct firewall_wish {
	const char *owner; /* attach_key() */
	const struct ip_net *addresses;
	size_t address_count;
	bool same_bridge; /* nothing from other networks that want this as well */
};

int firewall_add(const struct firewall_wish *wish, struct err *err);
/* 0 also when there is nothing. */
int firewall_remove(const char *owner, struct err *err);
/* 0, or -ENOENT when something of it is not in the kernel. */
int firewall_check(const struct firewall_wish *wish, struct err *err);

/* Appends the elements that are wished for. */
void firewall_want(struct nft_elems *l, const struct firewall_wish *w);

/* For port.c: appends an owner's elements (NULL: all) of a family (AF_UNSPEC: both); queues their removal,
 * behind which the last step is firewall_settle(); removes networks' chains that nobody needs; 1 when it is
 * whole or not in use; 1 when there was something to repair. */
int firewall_elems(struct nft *n, const char *owner, uint8_t family, struct nft_elems *ret_list,
		   struct err *err);
void firewall_queue_release(struct nft *n, const struct nft_elems *list);
int firewall_settle(struct nft *n, struct err *err);
int firewall_prune(struct nft *n, struct err *err);
int firewall_is_whole(struct nft *n, struct err *err);
int firewall_repair(struct nft *n, struct err *err);

#endif
