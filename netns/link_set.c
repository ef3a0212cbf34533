/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* By index, or by name where the index is not known yet: a request may speak of an interface that
 * one before it in the queue makes. */
static struct nlmsghdr *change(struct rtnl *r, const struct link *link, unsigned int flags,
			       unsigned int mask, const char *what)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = link->index,
		.ifi_flags = flags,
		.ifi_change = mask,
	};
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info), "%s %s", link->name, what);

	if (!link->index)
		nl_put_text(nlh, IFLA_IFNAME, link->name);
	return nlh;
}

void link_up(struct rtnl *r, const struct link *link)
{
	change(r, link, IFF_UP, IFF_UP, "up");
}

void link_down(struct rtnl *r, const struct link *link)
{
	change(r, link, 0, IFF_UP, "down");
}

void link_set_promisc(struct rtnl *r, const struct link *link, bool on)
{
	change(r, link, on ? IFF_PROMISC : 0, IFF_PROMISC, on ? "promiscuous" : "not promiscuous");
}

void link_set_arp_notify(struct rtnl *r, const struct link *link)
{
	struct nlmsghdr *nlh = change(r, link, 0, 0, "arp_notify");
	struct nlattr *families = nl_nest(nlh, IFLA_AF_SPEC);
	struct nlattr *family = nl_nest(nlh, AF_INET);
	struct nlattr *conf = nl_nest(nlh, IFLA_INET_CONF);

	nl_put_u32(nlh, IPV4_DEVCONF_ARP_NOTIFY, 1);
	nl_nest_end(nlh, conf);
	nl_nest_end(nlh, family);
	nl_nest_end(nlh, families);
}

void link_set_mtu(struct rtnl *r, const struct link *link, uint32_t mtu)
{
	char what[24];

	snprintf(what, sizeof(what), "mtu %u", mtu);
	nl_put_u32(change(r, link, 0, 0, what), IFLA_MTU, mtu);
}

void link_set_mac(struct rtnl *r, const struct link *link, const uint8_t mac[LINK_MAC_SIZE])
{
	char text[LINK_MAC_TEXT_SIZE];

	nl_put(change(r, link, 0, 0, link_mac_text(mac, text)), IFLA_ADDRESS, LINK_MAC_SIZE, mac);
}

void link_set_master(struct rtnl *r, const struct link *link, int master)
{
	nl_put_u32(change(r, link, 0, 0, master ? "into a bridge" : "out of its bridge"),
		   IFLA_MASTER, (uint32_t)master);
}

void link_rename(struct rtnl *r, const struct link *link, const char *name)
{
	char what[IFNAMSIZ + 8];

	snprintf(what, sizeof(what), "as %s", name);
	nl_put_text(change(r, link, 0, 0, what), IFLA_IFNAME, name);
}

static void put_bool_of_kind(struct nlmsghdr *nlh, uint16_t kind_type, uint16_t data_type,
			     uint16_t type, bool on)
{
	struct nlattr *info = nl_nest(nlh, IFLA_LINKINFO);
	struct nlattr *data;

	nl_put_text(nlh, kind_type, "bridge");
	data = nl_nest(nlh, data_type);
	nl_put_u8(nlh, type, on);
	nl_nest_end(nlh, data);
	nl_nest_end(nlh, info);
}

void link_set_hairpin(struct rtnl *r, const struct link *link, bool on)
{
	put_bool_of_kind(change(r, link, 0, 0, on ? "hairpin" : "no hairpin"), IFLA_INFO_SLAVE_KIND,
			 IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_MODE, on);
}

void link_set_isolated(struct rtnl *r, const struct link *link, bool on)
{
	put_bool_of_kind(change(r, link, 0, 0, on ? "isolated" : "not isolated"),
			 IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_ISOLATED, on);
}

void link_set_vlan_filtering(struct rtnl *r, const struct link *bridge, bool on)
{
	put_bool_of_kind(change(r, bridge, 0, 0, on ? "with VLANs" : "without VLANs"),
			 IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_BR_VLAN_FILTERING, on);
}

static void vlan(struct rtnl *r, uint16_t type, const struct link *link, uint16_t id,
		 uint16_t flags)
{
	struct ifinfomsg info = { .ifi_family = AF_BRIDGE, .ifi_index = link->index };
	struct bridge_vlan_info vlan_info = { .flags = flags, .vid = id };
	struct nlmsghdr *nlh =
		rtnl_request(r, type, 0, &info, sizeof(info), "VLAN %u on %s", id, link->name);
	struct nlattr *spec = nl_nest(nlh, IFLA_AF_SPEC);

	if (strcmp(link->kind, "bridge") == 0)
		nl_put_u16(nlh, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
	nl_put(nlh, IFLA_BRIDGE_VLAN_INFO, sizeof(vlan_info), &vlan_info);
	nl_nest_end(nlh, spec);
}

void link_vlan_add(struct rtnl *r, const struct link *link, uint16_t id, bool pvid_untagged)
{
	vlan(r, RTM_SETLINK, link, id,
	     pvid_untagged ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0);
}

void link_vlan_delete(struct rtnl *r, const struct link *link, uint16_t id)
{
	vlan(r, RTM_DELLINK, link, id, 0);
}

void link_move(struct rtnl *r, const struct link *link, int netns_fd, const char *new_name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info),
			     "%s to another network namespace as %s", link->name, new_name);

	nl_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	nl_put_text(nlh, IFLA_IFNAME, new_name);
}
