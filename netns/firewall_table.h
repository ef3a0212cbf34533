/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table "inet tote_firewall" as data, for firewall_admit.c. In pairs, IPv4 and IPv6:
 *
 *	admitted    addresses
 *	neighbours  address: it may be reached from inside of its network
 *	isolated    addresses that do not talk to each other but within a network
 */
#ifndef NETNS_FIREWALL_TABLE_H
#define NETNS_FIREWALL_TABLE_H

#include "netns/nft_table.h"

enum firewall_set {
	FIREWALL_SET_ADMITTED,
	FIREWALL_SET_NEIGHBOURS = 2,
	FIREWALL_SET_ISOLATED = 4,
	FIREWALL_SETS = 6,
};

extern const struct nft_set firewall_sets[FIREWALL_SETS];
extern const struct nft_network firewall_networks[];
extern const struct nft_table firewall_table;

/* Of the chain that sets the mark: behind others' mangling, before their filters. */
#define FIREWALL_PRIORITY (NF_IP_PRI_FILTER - 10)

#endif
