/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's veth pair, for bridge and ptp: one end on the host under a name of the attachment's
 * (attach_name()), one in the container. It is made where it is to be, so that nothing has to be moved,
 * and found again without any memory.
 */
#ifndef NETNS_PAIR_H
#define NETNS_PAIR_H

#include "netns/plugin.h"

struct pair_wish {
	/* The bridge that the host's end is put into, which is read again: its first port may give it
	 * the hardware address. NULL: none. */
	struct link *master;
	uint32_t mtu;		/* bytes, of both ends; 0: the kernel's choice */
	bool hairpin, isolated; /* as a bridge's port */
};

struct pair {
	struct link host, inside; /* as they were made: the host's is up */
};

/* -EEXIST when the container has an interface of that name; asked before a lease is taken. */
int pair_check_free(struct attach *at);

/*
 * Makes it, with the hardware address inside that the runtime or the configuration asks for:
 * runtimeConfig "mac", args.cni.mac, CNI_ARGS MAC, in this order. What is left of an attachment of
 * the same name, whose namespace is another's now, goes first. On failure nothing is left.
 */
int pair_add(struct attach *at, const struct pair_wish *wish, struct pair *ret_pair);

/* Settings of the container's end before it comes up: arp_notify, which is queued, and where IPv6 is to be
 * had disable_ipv6 (off) and, on a link that echoes, accept_dad (off). */
int pair_settings(struct attach *at, const struct link *inside, bool echoes);

/* Appends both to the result, the container's last. */
void pair_report(struct attach *at, const struct pair *pair);

/* Removes it: by the host's end, or by the container's where another's plugin made it. 0 also when
 * there is none. */
int pair_delete(struct attach *at);

/* What bridge and ptp have in common around it. */

/* Takes addresses; -EINVAL when "ipam" gives none. Nothing without "ipam". */
int pair_lease(struct attach *at);
/* Masquerades the result's addresses. */
int pair_masquerade(struct attach *at);
/* -ENOENT when they should be (the configuration has "ipMasq") and are not. */
int pair_check_masquerade(struct attach *at);
/* The configuration's own DNS goes before IPAM's. */
void pair_dns(struct attach *at, const struct cni_dns *dns);
/* Removes pair, lease and (when the configuration has "ipMasq") masquerading, whatever fails; the first
 * error. */
int pair_undo(struct attach *at);
/* Of that the parts that somebody may wait for: masquerading, the lease. */
int pair_want(struct attach *at);
int pair_give_back(struct attach *at);
/* The same after an ADD that failed; returns at->err's code, which stays as it was. */
int pair_undo_failed(struct attach *at);
int pair_status(struct attach *at);
int pair_gc(struct attach *at, const struct cni_valid *valid, size_t count);

/* CHECK: both ends, as the result has them; the host's in master (0: none). -ENOENT or -errno. */
int pair_check(struct attach *at, int master, struct pair *ret_pair);

#endif
