/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of repair.c share. */
#ifndef NETNS_REPAIR_PRIVATE_H
#define NETNS_REPAIR_PRIVATE_H

#include "netns/cni.h"
#include "netns/repair.h"

/* One attachment with its record held, and its plugins as networks of one, for cni_*(). */
struct repairing {
	const struct repair *rp;
	const struct record *r;
	struct attach at;
	struct cni_network one;
};

/* The bridge of an attachment with its addresses, and the attachment's port in it. 1; -ENODEV when
 * the port is gone; another -errno. */
int repair_bridge(struct repairing *w, const struct json_value *plugin);

/* Makes the interface inside anew, with the addresses and the hardware address that it had, and runs
 * the plugins behind it again. The leases stay as they are. */
int repair_remake(struct repairing *w);

/* Makes a plugin the network of one. */
const struct cni_network *repair_turn(struct repairing *w, const struct json_value *plugin);

/* What a record says of an attachment, with its lock held by the caller; without a namespace. */
struct attach repair_attach_of(const struct repair *rp, const struct record *r, struct arena *a,
			       struct err *err);

#endif
