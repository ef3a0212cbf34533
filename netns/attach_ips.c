/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/attach_ips.h"

static bool is_inside(const struct cni_result *r, const struct cni_ip *ip)
{
	const struct cni_interface *i;

	if (!ip->interface.set || ip->interface.value >= r->interfaces.count)
		return true;
	i = &r->interfaces.items[ip->interface.value];
	return i->sandbox && *i->sandbox;
}

struct ip_nets attach_ips(const struct attach *at)
{
	struct ip_nets nets = { NULL, 0 };

	nets.items = arena_calloc(at->arena, at->result.ips.count + 1, sizeof(*nets.items));
	for_each (ip, &at->result.ips)
		if (is_inside(&at->result, ip))
			nets.items[nets.count++] = ip->address;
	return nets;
}
