/* SPDX-License-Identifier: Apache-2.0 */
/* CNI's "loopback": lo of a container, up. Containers that tote makes have it up already. */
#include "lib/cleanup.h"
#include "netns/addr.h"
#include "netns/plugin.h"

#include <errno.h>
#include <string.h>

#define NAME "lo"

static int find(struct attach *at, struct rtnl **ret_inside, struct link *ret_link)
{
	int rc = attach_inside(at, ret_inside);

	return rc < 0 ? rc : link_find(*ret_inside, NAME, ret_link, at->err);
}

static void report_address(struct attach *at, const struct addr *addr)
{
	struct ip_net net = { { addr->family, { 0 } }, addr->prefix_len };

	memcpy(net.ip.bytes, addr->local, sizeof(net.ip.bytes));
	cni_add_ip(&at->result, at->arena, &net)->interface =
		(struct opt_u32){ true, (uint32_t)at->result.interfaces.count - 1 };
}

/* The result of plugins before it is handed on as it is. */
static int report(struct attach *at, struct rtnl *inside, const struct link *link)
{
	char mac[LINK_MAC_TEXT_SIZE];
	struct addr_list list;
	int rc = addr_list(inside, link, at->arena, &list, at->err);

	if (rc < 0)
		return rc;
	cni_add_interface(&at->result, at->arena, NAME, link_mac_text(link->mac, mac),
			  at->netns_path);
	for_each (addr, &list)
		if (addr->scope == RT_SCOPE_HOST)
			report_address(at, addr);
	return 0;
}

static int add(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int rc = find(at, &inside, &link);

	if (rc < 0)
		return rc;
	link_up(inside, &link);
	rc = rtnl_run(inside, NULL, at->err);
	return rc < 0 || at->has_result ? rc : report(at, inside, &link);
}

static int del(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int rc;

	if (at->netns_fd < 0)
		return 0;
	rc = find(at, &inside, &link);
	if (rc < 0)
		return rc;
	link_down(inside, &link);
	return rtnl_run(inside, NULL, at->err);
}

static int check(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int rc = find(at, &inside, &link);

	if (rc >= 0 && !(link.flags & IFF_UP))
		return err_set(at->err, ENOENT, NAME " of container %s is down", at->container);
	return rc;
}

const struct plugin plugin_loopback = {
	.type = "loopback",
	.add = add,
	.del = del,
	.check = check,
};
