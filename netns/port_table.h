/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table "inet tote" as data, for port.c. In pairs, IPv4 and IPv6:
 *
 *	masqueraded address: what it sends to outside of its network gets the host's as its source
 *	ports	    protocol . port: address . port; published on every address of the host
 *	ports_at    address . protocol . port: the same, on one
 *	published   address: connections to what it publishes, from inside of a network, get the host's as their
 *		    source, or the answer would not come back this way
 *	localhost   address: connections from 127.0.0.1 to what it publishes get the host's, too; IPv4 alone
 */
#ifndef NETNS_PORT_TABLE_H
#define NETNS_PORT_TABLE_H

#include "netns/nft_table.h"

enum port_set {
	PORT_SET_MASQUERADED,
	PORT_SET_PORTS = 2,
	PORT_SET_PORTS_AT = 4,
	PORT_SET_PUBLISHED = 6,
	PORT_SET_LOCALHOST = 8, /* has no pair */
	PORT_SETS = 9,
};

enum port_network { PORT_HAIRPIN, PORT_OUTSIDE };

extern const struct nft_set port_sets[PORT_SETS];
extern const struct nft_network port_networks[];
extern const struct nft_table port_table;

#endif
