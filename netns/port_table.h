/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table "inet tote" as data, for port.c. In pairs, IPv4 and IPv6:
 *
 *	ports	    protocol . port: address . port; published on every address of the host
 *	ports_at    address . protocol . port: the same, on one
 *	hairpin	    address . range: connections to a published address that come from there get the
 *		    host's as their source, or the answer would not come back this way
 *	masquerade  addresses that the world does not know
 *	inside	    address . range: those go there as they are
 */
#ifndef NETNS_PORT_TABLE_H
#define NETNS_PORT_TABLE_H

#include "netns/nft_table.h"

enum port_set {
	PORT_SET_PORTS,
	PORT_SET_PORTS_AT = 2,
	PORT_SET_HAIRPIN = 4,
	PORT_SET_MASQUERADE = 6,
	PORT_SET_INSIDE = 8,
	PORT_SETS = 10,
};

extern const struct nft_set port_sets[PORT_SETS];
extern const struct nft_table port_table;

#endif
