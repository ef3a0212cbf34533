/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link_add.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

static const struct {
	const char *kind, *module;
} modules[] = {
	{ "vlan", "8021q" },
};

static const char *module_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		if (strcmp(modules[i].kind, kind) == 0)
			return modules[i].module;
	return kind;
}

int link_add_explain(const char *kind, struct err *err)
{
	struct err first = *err;

	if (err->code != -EOPNOTSUPP)
		return err->code;
	return err_set(err, EOPNOTSUPP, "%.400s: the kernel has no %s interfaces; try: modprobe %s",
		       first.msg, kind, module_of(kind));
}

static void put_common(struct nlmsghdr *nlh, const struct link_add *add)
{
	nl_put_text(nlh, IFLA_IFNAME, add->name);
	if (add->netns_fd >= 0)
		nl_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)add->netns_fd);
	if (add->mtu)
		nl_put_u32(nlh, IFLA_MTU, add->mtu);
	if (add->mac)
		nl_put(nlh, IFLA_ADDRESS, LINK_MAC_SIZE, add->mac);
	if (add->no_queue)
		nl_put_u32(nlh, IFLA_TXQLEN, 0);
}

/*
 * Unless it is told how many queues there may be, veth makes one for each processor and then switches all
 * but one off (veth_init_queues()), which waits for all readers twice: up to 1 ms.
 */
static void put_one_queue(struct nlmsghdr *nlh)
{
	nl_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	nl_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
}

/* What is nested in a request that makes an interface. */
struct nests {
	struct nlattr *info, *data;
};

static struct nlmsghdr *begin(struct rtnl *r, const struct link_add *add, const char *kind,
			      struct nests *ret_nests)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_flags = add->up ? IFF_UP : 0,
		.ifi_change = add->up ? IFF_UP : 0,
	};
	struct nlmsghdr *nlh = rtnl_request(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info,
					    sizeof(info), "%s type %s", add->name, kind);

	put_common(nlh, add);
	if (add->lower)
		nl_put_u32(nlh, IFLA_LINK, (uint32_t)add->lower);
	if (add->master)
		nl_put_u32(nlh, IFLA_MASTER, (uint32_t)add->master);
	ret_nests->info = nl_nest(nlh, IFLA_LINKINFO);
	nl_put_text(nlh, IFLA_INFO_KIND, kind);
	ret_nests->data = nl_nest(nlh, IFLA_INFO_DATA);
	return nlh;
}

static void end(struct nlmsghdr *nlh, const struct nests *nests)
{
	nl_nest_end(nlh, nests->data);
	nl_nest_end(nlh, nests->info);
}

void link_add_bridge(struct rtnl *r, const struct link_add *add, bool vlan_filtering)
{
	struct nests nests;
	struct nlmsghdr *nlh = begin(r, add, "bridge", &nests);

	/* A kernel without CONFIG_BRIDGE_VLAN_FILTERING refuses to hear of it. */
	if (vlan_filtering)
		nl_put_u8(nlh, IFLA_BR_VLAN_FILTERING, 1);
	end(nlh, &nests);
}

void link_add_veth(struct rtnl *r, const struct link_add *add, const struct link_add *peer)
{
	struct nests nests;
	struct nlmsghdr *nlh = begin(r, add, "veth", &nests);
	struct nlattr *nest = nl_nest(nlh, VETH_INFO_PEER);

	nl_put_header(nlh, sizeof(struct ifinfomsg));
	put_common(nlh, peer);
	put_one_queue(nlh);
	nl_nest_end(nlh, nest);
	end(nlh, &nests);
	put_one_queue(nlh);
}

void link_add_macvlan(struct rtnl *r, const struct link_add *add, uint32_t mode)
{
	struct nests nests;
	struct nlmsghdr *nlh = begin(r, add, "macvlan", &nests);

	nl_put_u32(nlh, IFLA_MACVLAN_MODE, mode);
	end(nlh, &nests);
}

void link_add_ipvlan(struct rtnl *r, const struct link_add *add, uint16_t mode, uint16_t flags)
{
	struct nests nests;
	struct nlmsghdr *nlh = begin(r, add, "ipvlan", &nests);

	nl_put_u16(nlh, IFLA_IPVLAN_MODE, mode);
	/* Linux before 4.15 does not know it. */
	if (flags)
		nl_put_u16(nlh, IFLA_IPVLAN_FLAGS, flags);
	end(nlh, &nests);
}

void link_add_vlan(struct rtnl *r, const struct link_add *add, uint16_t vlan)
{
	struct nests nests;
	struct nlmsghdr *nlh = begin(r, add, "vlan", &nests);

	nl_put_u16(nlh, IFLA_VLAN_ID, vlan);
	end(nlh, &nests);
}

void link_add_plain(struct rtnl *r, const struct link_add *add, const char *kind)
{
	struct nests nests;

	end(begin(r, add, kind, &nests), &nests);
}

int link_mac_random(uint8_t ret_mac[LINK_MAC_SIZE], struct err *err)
{
	if (getrandom(ret_mac, LINK_MAC_SIZE, 0) != LINK_MAC_SIZE)
		return err_errno(err, "cannot get random bytes");
	ret_mac[0] = (uint8_t)((ret_mac[0] & ~1) | 2);
	return 0;
}
