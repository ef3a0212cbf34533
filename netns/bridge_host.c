/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/bridge.h"

#include "lib/cleanup.h"
#include "netns/addr.h"
#include "netns/link_add.h"
#include "netns/ns.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_VLAN 1 /* the kernel puts every port into it */

static int set_ipv6(struct attach *at, const char *ifname, const char *what)
{
	char setting[64];
	int rc;

	snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/%s", ifname, what);
	rc = ns_sysctl(-1, setting, "0", at->err);
	return rc == -ENOENT ? 0 : rc;
}

/*
 * What comes over a container's link must not become the host's default route. And nobody else has an
 * address made of a random one, but until that is known by asking (1 to 2 s) the kernel forwards
 * nothing to neighbours it does not know yet.
 */
static int settle(struct attach *at, const char *ifname)
{
	int rc = set_ipv6(at, ifname, "accept_ra");

	return rc < 0 ? rc : set_ipv6(at, ifname, "accept_dad");
}

/* Somebody else may be making the same. */
static int make(struct attach *at, const struct bridge_conf *conf, struct link *ret_bridge)
{
	uint8_t mac[LINK_MAC_SIZE];
	struct link_add add = {
		.name = conf->bridge,
		.netns_fd = -1,
		.mtu = conf->mtu,
		.up = true,
	};
	autobuf replies = BUF_INIT;
	int rc = link_mac_random(mac, at->err);

	if (rc < 0)
		return rc;
	/* Without one of its own it has that of one of its ports, and changes it as they come and go. */
	if (conf->is_gateway)
		add.mac = mac;
	link_add_bridge(at->host, &add, conf->vlan);
	link_ask(at->host, conf->bridge);
	rc = rtnl_run(at->host, &replies, at->err);
	if (rc == -EOPNOTSUPP && conf->vlan)
		return err_prefix(at->err, "the kernel has no bridges, or none that know VLANs");
	if (rc < 0 && rc != -EEXIST)
		return link_add_explain("bridge", at->err);
	if (!link_answer(&replies, conf->bridge, ret_bridge))
		return err_set(at->err, EPROTO, "netlink: RTM_GETLINK %s has no answer",
			       conf->bridge);
	return settle(at, conf->bridge);
}

int bridge_ensure(struct attach *at, const struct bridge_conf *conf, struct link *ret_bridge)
{
	struct rtnl *host;
	int rc = attach_host(at, &host);

	if (rc >= 0)
		rc = link_find(host, conf->bridge, ret_bridge, at->err);
	if (rc == -ENODEV)
		rc = make(at, conf, ret_bridge);
	if (rc < 0)
		return rc;
	if (strcmp(ret_bridge->kind, "bridge") != 0)
		return err_set(at->err, EEXIST,
			       "%s is no bridge, but %s: name another in \"bridge\"", conf->bridge,
			       *ret_bridge->kind ? ret_bridge->kind
						 : "an interface of another kind");
	if (!(ret_bridge->flags & IFF_UP))
		link_up(host, ret_bridge);
	if (conf->promisc_mode && !(ret_bridge->flags & IFF_PROMISC))
		link_set_promisc(host, ret_bridge, true);
	if (conf->vlan && !ret_bridge->vlan_filtering)
		link_set_vlan_filtering(host, ret_bridge, true);
	rc = set_ipv6(at, ret_bridge->name, "accept_ra");
	if (rc < 0) {
		rtnl_forget(host);
		return rc;
	}
	return rtnl_run(host, NULL, at->err);
}

int bridge_port_vlan(struct attach *at, const struct bridge_conf *conf, const struct link *port)
{
	if (!conf->vlan)
		return 0;
	link_vlan_add(at->host, port, conf->vlan, true);
	if (conf->preserve_default_vlan.set && !conf->preserve_default_vlan.value &&
	    conf->vlan != DEFAULT_VLAN)
		link_vlan_delete(at->host, port, DEFAULT_VLAN);
	return rtnl_run(at->host, NULL, at->err);
}

/* Also what is there: who made it may have been killed, or the bridge have been made again since. */
static int join_vlan(struct attach *at, const struct bridge_conf *conf, const struct link *bridge,
		     const struct link *port)
{
	int rc;

	link_set_master(at->host, port, bridge->index);
	link_up(at->host, port);
	rc = rtnl_run(at->host, NULL, at->err);
	return rc < 0 ? rc : bridge_port_vlan(at, conf, port);
}

/*
 * A bridge with VLANs is itself in one of them. In another the host has a veth: one end with the
 * gateway's addresses, named BRIDGE.VLAN, the other a port in that VLAN. Both outlive the bridge. What is
 * of that name and has no such port is somebody's own way into the VLAN.
 */
static int vlan_gateway(struct attach *at, const struct bridge_conf *conf,
			const struct link *bridge, struct link *ret_link)
{
	char name[IFNAMSIZ + 8], port_name[IFNAMSIZ + 8];
	struct link_add add = { .name = name, .netns_fd = -1, .mtu = conf->mtu, .up = true };
	struct link_add port_add = { .name = port_name, .netns_fd = -1, .mtu = conf->mtu };
	struct link port;
	bool found;
	int rc;

	snprintf(name, sizeof(name), "%s.%u", conf->bridge, conf->vlan);
	snprintf(port_name, sizeof(port_name), "v%s.%u", conf->bridge, conf->vlan);
	if (!link_name_ok(port_name))
		return err_set(
			at->err, EINVAL,
			"bridge: \"%s\" is too long for a gateway in VLAN %u: %s would be its "
			"port's name",
			conf->bridge, conf->vlan, port_name);
	rc = link_find(at->host, name, ret_link, at->err);
	found = rc >= 0;
	if (rc == -ENODEV) {
		link_add_veth(at->host, &add, &port_add);
		rc = rtnl_run(at->host, NULL, at->err);
	}
	if (rc < 0 && rc != -EEXIST)
		return rc;
	rc = link_find(at->host, port_name, &port, at->err);
	if (rc == -ENODEV && found)
		return 0;
	if (rc >= 0)
		rc = join_vlan(at, conf, bridge, &port);
	if (rc >= 0)
		rc = settle(at, name);
	return rc < 0 ? rc : link_find(at->host, name, ret_link, at->err);
}

static struct ip_net gateway_net(const struct cni_ip *ip)
{
	return (struct ip_net){ ip->gateway, ip->address.prefix_len };
}

static struct ip_net net_of(const struct addr *addr)
{
	struct ip_net net = { { addr->family, { 0 } }, addr->prefix_len };

	memcpy(net.ip.bytes, addr->local, sizeof(net.ip.bytes));
	return net;
}

/* Addresses of other networks stay; of the same one, the host has one address. */
static int make_room(struct attach *at, const struct bridge_conf *conf, const struct link *link,
		     const struct addr_list *list, const struct ip_net *wanted)
{
	char has[IP_TEXT_SIZE], wants[IP_TEXT_SIZE];

	for_each (addr, list) {
		struct ip_net net = net_of(addr);

		if (addr->scope != RT_SCOPE_UNIVERSE || !ip_net_overlap(&net, wanted))
			continue;
		if (!conf->force_address)
			return err_set(at->err, EEXIST,
				       "%s has the address %s and would need %s: remove it, or set "
				       "\"forceAddress\"",
				       link->name, ip_net_text(&net, has),
				       ip_net_text(wanted, wants));
		addr_delete(at->host, link, &net);
	}
	return 0;
}

static int all_there(struct attach *at, const struct link *link)
{
	struct addr_list list;
	int rc = addr_list(at->host, link, at->arena, &list, at->err);

	for_each (ip, &at->result.ips) {
		struct ip_net net = gateway_net(ip);

		if (rc >= 0 && !addr_among(&list, &net))
			return -EEXIST;
	}
	return rc;
}

static int add_addresses(struct attach *at, const struct bridge_conf *conf,
			 const uint8_t mac[LINK_MAC_SIZE], struct link *link)
{
	static const uint8_t none[LINK_MAC_SIZE];
	struct addr_list list;
	bool changes = false;
	struct err first;
	int rc = addr_list(at->host, link, at->arena, &list, at->err);

	if (rc < 0)
		return rc;
	for_each (ip, &at->result.ips) {
		struct ip_net net = gateway_net(ip);

		if (addr_among(&list, &net))
			continue;
		rc = make_room(at, conf, link, &list, &net);
		if (rc < 0) {
			rtnl_forget(at->host);
			return rc;
		}
		/* The lease tells whose it is; nobody has to be asked on the link. */
		addr_add(at->host, link, &net, net.ip.family == AF_INET6 ? IFA_F_NODAD : 0);
		changes = true;
	}
	if (!changes)
		return 0;
	/* As when it is made: one that is told its hardware address keeps it. That is the one its
	 * neighbours know, not that of the port which it got just now. One whose last port has left has
	 * none. */
	if (strcmp(link->kind, "bridge") == 0) {
		if (memcmp(mac, none, LINK_MAC_SIZE) != 0)
			memcpy(link->mac, mac, LINK_MAC_SIZE);
		if (memcmp(link->mac, none, LINK_MAC_SIZE) != 0)
			link_set_mac(at->host, link, link->mac);
	}
	rc = rtnl_run(at->host, NULL, at->err);
	first = *at->err;
	/* Another container's ADD was faster. */
	if (rc == -EEXIST && all_there(at, link) == 0)
		return 0;
	*at->err = first;
	return rc;
}

static int forward(struct attach *at)
{
	static const struct {
		int family;
		const char *name;
	} settings[] = {
		{ AF_INET, "net/ipv4/ip_forward" },
		{ AF_INET6, "net/ipv6/conf/all/forwarding" },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		bool has = false;

		for_each (ip, &at->result.ips)
			has |= ip->gateway.family == settings[i].family;
		if (has && rc >= 0)
			rc = ns_sysctl(-1, settings[i].name, "1", at->err);
	}
	return rc;
}

static void default_route(struct attach *at, const struct ip *gateway)
{
	struct ip_net all = { .ip.family = gateway->family };

	for_each (route, &at->result.routes)
		if (route->dst.ip.family == all.ip.family && route->dst.prefix_len == 0)
			return;
	cni_add_route(&at->result, at->arena, &all)->gw = *gateway;
}

int bridge_gateways(struct attach *at, const struct bridge_conf *conf, const struct link *bridge,
		    const uint8_t mac[LINK_MAC_SIZE], struct link *ret_gateway)
{
	int rc = 0;

	*ret_gateway = *bridge;
	if (!conf->is_gateway)
		return 0;
	for_each (ip, &at->result.ips) {
		if (!ip->gateway.family) {
			ip->gateway = ip_net_base(&ip->address).ip;
			ip_next(&ip->gateway);
		}
		if (conf->is_default_gateway)
			default_route(at, &ip->gateway);
	}
	if (!at->result.ips.count)
		return 0;
	if (conf->vlan)
		rc = vlan_gateway(at, conf, bridge, ret_gateway);
	if (rc >= 0)
		rc = add_addresses(at, conf, mac, ret_gateway);
	return rc < 0 ? rc : forward(at);
}
