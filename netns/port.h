/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports and masquerading: the nf_tables table "inet tote", which is all ours. Each port is
 * an element of a map and each masqueraded address one of another, so that adding or removing is one
 * atomic transaction that touches no rule, but for the first address of a network (nft_network.h). Elements carry their owner (attach_key()) as user data:
 * the kernel is the only list of who has what. Needs Linux 5.2 (nat in inet tables).
 *
 * The table's rules are made with the first element and made again by port_repair().
 */
#ifndef NETNS_PORT_H
#define NETNS_PORT_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"
#include "netns/ip.h"
#include "netns/nft_elem.h"

struct port_map {
	uint8_t protocol;   /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t host_port; /* host order */
	uint16_t container_port;
	uint16_t count;	   /* consecutive ports, 1 at least */
	struct ip host_ip; /* family 0: every address of the host, of both families; 0.0.0.0, ::
			      of one */
};

struct port_list {
	struct port_map *items;
	size_t count;
};

/* Whose address a container sees on connections to a published port. */
enum port_source {
	PORT_SOURCE_NEEDED, /* the host's where the answer would not come back otherwise */
	PORT_SOURCE_KEPT,   /* the client's: no connections from its own network or 127.0.0.1 */
	PORT_SOURCE_HOST,   /* the host's, always: for interfaces that do not answer by way of it */
};

/*
 * Everything an attachment wants of the table, in one transaction: ports to its addresses (IPv4 and
 * IPv6 as it has them), masquerading of its addresses but for traffic to their own prefix and to
 * multicast, with hairpin and, for IPv4, from 127.0.0.1 (route_localnet is the caller's to set on
 * the bridge, as is hairpin mode of its port where br_netfilter is in use; the table drops what comes
 * to 127.0.0.0/8 from elsewhere). The kernel lets nothing like that out for ::1.
 */
struct port_wish {
	const char *owner;		/* attach_key() */
	const struct ip_net *addresses; /* with the prefix of their network */
	size_t address_count;
	struct port_list ports;
	enum port_source source;
	bool masquerade;
	/* For the message when another owner has a port: the container it is, or NULL when that is not
	 * known. NULL: nobody knows. */
	const char *(*container_of)(void *arg, const char *owner);
	void *container_arg;
};

/* Adding what the owner has already is fine. 0; -EADDRINUSE when a port is published or listened on
 * already (the message names the holder: a container, else its key, or a process with its pid and
 * name), another -errno. */
int port_add(const struct port_wish *wish, struct err *err);
/* Removes all ports, or the masquerading, of an owner; 0 also when there is nothing. */
int port_remove(const char *owner, struct err *err);
int masquerade_remove(const char *owner, struct err *err);
/* Everything that an owner has here, also what admits it through the firewall (firewall.h). */
int port_forget(const char *owner, struct err *err);
/* The same for an owner that may come again while we look: nothing is removed that was not there already
 * when came_again() last said no. family is that of its addresses; AF_UNSPEC: both, or not known. */
int port_forget_unless(const char *owner, uint8_t family, bool (*came_again)(void *arg), void *arg,
		       struct err *err);

/* What an attachment has in nf_tables, worked out from what it asked for; zeroed: nothing. */
struct port_rules {
	struct nft_elems ports;	   /* port_want() */
	struct nft_elems admitted; /* firewall_want() */
};
#define autorules __attribute__((cleanup(port_rules_done))) struct port_rules
void port_rules_done(struct port_rules *r);
/*
 * The same as port_forget() for an owner that has nothing but these, without looking for them: they take
 * one change. Its addresses must still be its own (leased), so that nobody else can have their keys.
 */
int port_forget_rules(const char *owner, const struct port_rules *r, struct err *err);
/* 0, or -ENOENT when something of it is not in the kernel. */
int port_check(const struct port_wish *wish, struct err *err);
/* The owners that have elements, each once, also those that are admitted through the firewall. */
int port_owners(struct arena *a, struct strv *ret_owners, struct err *err);
/* Removes what is left of networks that nobody is on any more: a chain each. 0 or -errno. */
int port_prune(struct err *err);
/* The rules are as they should be, also those of the firewall when it is in use: 1, or 0 when they (or
 * all of it) are missing; -errno. */
int port_is_whole(struct err *err);
/* Makes the rules anew when they are not whole, in one transaction. Elements are kept where they are
 * still there, which nothing says: port_add() of every attachment has to follow. 1 when it did, 0 when
 * there was no need. */
int port_repair(struct err *err);

#endif
