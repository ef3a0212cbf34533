/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that an attachment gave a container, for plugins that come behind the one that makes
 * its interface: portmap and firewall. */
#ifndef NETNS_ATTACH_IPS_H
#define NETNS_ATTACH_IPS_H

#include "netns/plugin.h"

struct ip_nets {
	struct ip_net *items;
	size_t count;
};

/* Those of at->result that are not of an interface of the host. In the arena. */
struct ip_nets attach_ips(const struct attach *at);

#endif
