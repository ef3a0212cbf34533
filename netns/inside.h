/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's end of an attachment: what IPAM found (at->result) becomes addresses and routes of the
 * interface. Plugins that hand an interface to a container call this.
 */
#ifndef NETNS_INSIDE_H
#define NETNS_INSIDE_H

#include "netns/plugin.h"

/*
 * Brings an interface in the container's namespace up, with the result's addresses (which become those
 * of the result's last interface) and routes. A route without a gateway gets that of the first address
 * of its family. Waits for IPv6 addresses to be found unique; -EADDRNOTAVAIL when one is not. 0 or
 * another -errno.
 */
int inside_configure(struct attach *at, const struct link *link);
/*
 * Its parts, for plugins that have more to say: queue the addresses (flags for those of IPv6:
 * IFA_F_NODAD where nobody else can have them), and the routes; make the addresses those of the
 * result's last interface.
 */
void inside_add_addresses(struct attach *at, struct rtnl *r, const struct link *link,
			  uint32_t ipv6_flags);
void inside_add_routes(struct attach *at, struct rtnl *r, const struct link *link);
void inside_number(struct attach *at);
/* CHECK: it is up, with addresses and routes of the result. -ENOENT with what is missing. */
int inside_check(struct attach *at, const struct link *link);
/* Whether the configuration has an "ipam" that gives addresses. */
bool inside_has_ipam(const struct attach *at);

#endif
