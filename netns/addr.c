/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/addr.h"

#include "lib/cleanup.h"
#include "lib/types.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <string.h>

#define KEPT_FLAGS                                                                                 \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |            \
	 IFA_F_MCAUTOJOIN)

static size_t addr_size(uint8_t family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static bool copy_addr(const struct nlattr *attr, uint8_t family, uint8_t *ret_bytes)
{
	if (!attr || nl_size(attr) != addr_size(family))
		return false;
	memcpy(ret_bytes, nl_data(attr), addr_size(family));
	return true;
}

/*
 * An IPv6 address that has passed duplicate address detection goes on living on the same wire,
 * where a second detection would only keep the container's program from binding it for a second.
 */
static uint32_t flags_to_keep(uint32_t flags, uint8_t family)
{
	uint32_t kept = flags & KEPT_FLAGS;

	if (family == AF_INET6 && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		kept |= IFA_F_NODAD;
	return kept;
}

static bool read_addr(const struct nlmsghdr *nlh, const struct link *link, struct addr *ret_addr)
{
	const struct ifaddrmsg *msg = nl_payload(nlh);
	const struct nlattr *attrs[IFA_RT_PRIORITY + 1];
	struct addr addr = { .family = msg->ifa_family, .prefix_len = msg->ifa_prefixlen };
	uint32_t flags = msg->ifa_flags;

	rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
	if (attrs[IFA_FLAGS])
		flags = nl_u32(attrs[IFA_FLAGS]);
	if ((int)msg->ifa_index != link->index)
		return false;
	if (addr.family != AF_INET && addr.family != AF_INET6)
		return false;
	if (!copy_addr(attrs[IFA_ADDRESS], addr.family, addr.peer))
		return false;
	/* IPv6 has IFA_LOCAL only when there is a peer. */
	if (!copy_addr(attrs[IFA_LOCAL], addr.family, addr.local))
		memcpy(addr.local, addr.peer, sizeof(addr.local));
	addr.has_broadcast = copy_addr(attrs[IFA_BROADCAST], addr.family, addr.broadcast);
	if (attrs[IFA_RT_PRIORITY])
		addr.metric = nl_u32(attrs[IFA_RT_PRIORITY]);
	addr.scope = msg->ifa_scope;
	addr.flags = flags;
	*ret_addr = addr;
	return true;
}

int addr_list(struct rtnl *r, const struct link *link, struct arena *a, struct addr_list *ret_list,
	      struct err *err)
{
	struct ifaddrmsg msg = { .ifa_family = AF_UNSPEC, .ifa_index = (uint32_t)link->index };
	struct addr_list list = { 0 };
	autobuf replies = BUF_INIT;
	int rc;

	rtnl_request(r, RTM_GETADDR, NLM_F_DUMP, &msg, sizeof(msg), "of %s", link->name);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	list.items = arena_calloc(a, rtnl_count(&replies), sizeof(*list.items));
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));)
		if (read_addr(nlh, link, &list.items[list.count]))
			list.count++;
	*ret_list = list;
	return 0;
}

int addr_list_global(struct rtnl *r, const struct link *link, struct arena *a,
		     struct addr_list *ret_list, struct err *err)
{
	struct addr_list all, list;
	int rc = addr_list(r, link, a, &all, err);

	if (rc < 0)
		return rc;
	list = (struct addr_list){ .items = all.items };
	for_each (addr, &all) {
		struct addr kept = *addr;

		if (kept.scope != RT_SCOPE_UNIVERSE || !(kept.flags & IFA_F_PERMANENT))
			continue;
		kept.flags = flags_to_keep(kept.flags, kept.family);
		list.items[list.count++] = kept;
	}
	*ret_list = list;
	return 0;
}

const struct addr *addr_among(const struct addr_list *list, const struct ip_net *net)
{
	for_each (addr, list) {
		if (addr->family == net->ip.family && addr->prefix_len == net->prefix_len &&
		    memcmp(addr->local, net->ip.bytes, addr_size(addr->family)) == 0)
			return addr;
	}
	return NULL;
}

static struct nlmsghdr *request(struct rtnl *r, uint16_t type, uint16_t flags,
				const struct link *link, const struct ip_net *net)
{
	struct ifaddrmsg msg = {
		.ifa_family = net->ip.family,
		.ifa_prefixlen = net->prefix_len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)link->index,
	};
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *nlh;

	if (net->ip.family == AF_INET && net->ip.bytes[0] == IN_LOOPBACKNET)
		msg.ifa_scope = RT_SCOPE_HOST;
	nlh = rtnl_request(r, type, flags, &msg, sizeof(msg), "%s on %s", ip_net_text(net, text),
			   link->name);
	nl_put(nlh, IFA_LOCAL, ip_size(&net->ip), net->ip.bytes);
	nl_put(nlh, IFA_ADDRESS, ip_size(&net->ip), net->ip.bytes);
	return nlh;
}

void addr_add(struct rtnl *r, const struct link *link, const struct ip_net *net, uint32_t flags)
{
	struct nlmsghdr *nlh = request(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, net);

	/* Networks of one or two addresses have no broadcast address. */
	if (net->ip.family == AF_INET && net->prefix_len < 31) {
		struct ip last = ip_net_last(net);

		nl_put(nlh, IFA_BROADCAST, ip_size(&last), last.bytes);
	}
	if (flags)
		nl_put_u32(nlh, IFA_FLAGS, flags);
}

void addr_delete(struct rtnl *r, const struct link *link, const struct ip_net *net)
{
	request(r, RTM_DELADDR, 0, link, net);
}

static void put_back(struct rtnl *r, const struct link *link, const struct addr *addr)
{
	struct ifaddrmsg msg = {
		.ifa_family = addr->family,
		.ifa_prefixlen = addr->prefix_len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)link->index,
	};
	size_t size = addr_size(addr->family);
	char text[INET6_ADDRSTRLEN];
	struct nlmsghdr *nlh;

	inet_ntop(addr->family, addr->local, text, sizeof(text));
	nlh = rtnl_request(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &msg, sizeof(msg),
			   "%s/%u on %s", text, addr->prefix_len, link->name);
	nl_put(nlh, IFA_LOCAL, size, addr->local);
	nl_put(nlh, IFA_ADDRESS, size, addr->peer);
	if (addr->has_broadcast)
		nl_put(nlh, IFA_BROADCAST, size, addr->broadcast);
	if (addr->flags)
		nl_put_u32(nlh, IFA_FLAGS, addr->flags);
	if (addr->metric)
		nl_put_u32(nlh, IFA_RT_PRIORITY, addr->metric);
}

void addr_add_all(struct rtnl *r, const struct link *link, const struct addr_list *list)
{
	/* The kernel puts a new IPv4 address behind and a new IPv6 address in front of those there
	 * are. */
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].family == AF_INET)
			put_back(r, link, &list->items[i]);
	for (size_t i = list->count; i > 0; i--)
		if (list->items[i - 1].family == AF_INET6)
			put_back(r, link, &list->items[i - 1]);
}
