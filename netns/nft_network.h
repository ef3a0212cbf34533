/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chains that a table of ours has for networks (struct nft_network), "outside_10.88.0.0/24" for example:
 * addresses in hash maps lead there. A set of pairs (address, range) says the same, but the kernel copies all
 * of such a set for each change: 0.47 ms of a run on a network. A chain stays when its last address has gone,
 * as the table does, until nft_networks_prune(). nft_table.c and nft_elem.c call this.
 */
#ifndef NETNS_NFT_NETWORK_H
#define NETNS_NFT_NETWORK_H

#include "netns/ip.h"
#include "netns/nft_table.h"

#define NFT_CHAIN_SIZE 64 /* bytes of a name: one of ours, '_', a network, NUL */

/* Names of chains on the heap; zeroed, there are none. */
struct nft_networks {
	struct buf names;
};

#define autonetworks __attribute__((cleanup(nft_networks_done))) struct nft_networks
void nft_networks_done(struct nft_networks *l);
/* Appends a name that the list does not have yet. */
void nft_networks_add(struct nft_networks *l, const char *name);

/* The name of the chain for the network that an address with its prefix is of. */
void nft_network_name(const struct nft_network *test, const struct ip_net *net,
		      char ret_name[NFT_CHAIN_SIZE]);
/* Appends the chains that a table has. 0, also when there is no table; -errno. */
int nft_networks_list(struct nft *n, const struct nft_table *t, struct nft_networks *ret_list,
		      struct err *err);
/* Queues the chains of a list, without (unless NULL) those of another, whether they are there or not, and
 * their rule, in place of what they have. */
void nft_networks_queue(struct nft *n, const struct nft_table *t, const struct nft_networks *l,
			const struct nft_networks *without);
/* Whether each one has its rule, of all that the table has (an answer to NFT_MSG_GETRULE): 1, 0, -errno. */
int nft_networks_are_whole(struct nft *n, const struct nft_table *t, const struct buf *rules,
			   struct err *err);
/* Removes those to which no address leads. 0 or -errno. */
int nft_networks_prune(struct nft *n, const struct nft_table *t, struct err *err);

#endif
