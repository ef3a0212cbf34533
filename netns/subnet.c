/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/subnet.h"

#include "lib/cleanup.h"
#include "netns/ipam_range.h"
#include "netns/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Podman's own network has all of the first /16. */
#define CHOICE "10.88.0.0/24"
#define CHOICES (8 * 256)

static void append(struct subnet_uses *uses, struct arena *a, const struct ip_net *net,
		   const char *what, int ifindex)
{
	struct subnet_use *items = arena_calloc(a, uses->count + 1, sizeof(*items));

	if (uses->count)
		memcpy(items, uses->items, uses->count * sizeof(*items));
	items[uses->count++] = (struct subnet_use){ ip_net_base(net), what, ifindex };
	uses->items = items;
}

static const char *name_of(const struct link_list *links, int index)
{
	for_each (link, links)
		if (link->index == index)
			return link->name;
	return "?";
}

static bool take_net(const struct nlattr *attr, uint8_t family, uint8_t prefix_len,
		     struct ip_net *ret)
{
	size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	if ((family != AF_INET && family != AF_INET6) || !attr || nl_size(attr) != size)
		return false;
	*ret = (struct ip_net){ .ip.family = family, .prefix_len = prefix_len };
	memcpy(ret->ip.bytes, nl_data(attr), size);
	return true;
}

/* Link-local and multicast addresses are everywhere, and nobody's network. */
static bool is_common(const struct ip_net *net)
{
	const uint8_t *b = net->ip.bytes;

	if (net->ip.family == AF_INET)
		return b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254);
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || net->prefix_len == 128;
}

static void take_route(const struct nlmsghdr *nlh, const struct link_list *links, struct arena *a,
		       struct subnet_uses *uses)
{
	const struct rtmsg *msg = nl_payload(nlh);
	const struct nlattr *attrs[RTA_TABLE + 1];
	char text[IP_TEXT_SIZE];
	struct ip_net net;
	uint32_t table;
	int oif;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return;
	rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
	table = attrs[RTA_TABLE] ? nl_u32(attrs[RTA_TABLE]) : msg->rtm_table;
	oif = attrs[RTA_OIF] ? (int)nl_u32(attrs[RTA_OIF]) : -1;
	if (table != RT_TABLE_MAIN || msg->rtm_type == RTN_LOCAL ||
	    msg->rtm_type == RTN_BROADCAST || msg->rtm_flags & RTM_F_CLONED || !msg->rtm_dst_len ||
	    !take_net(attrs[RTA_DST], msg->rtm_family, msg->rtm_dst_len, &net) || is_common(&net))
		return;
	append(uses, a, &net,
	       arena_printf(a, "the host's route to %s by %s", ip_net_text(&net, text),
			    oif < 0 ? "several interfaces" : name_of(links, oif)),
	       oif);
}

static void take_address(const struct nlmsghdr *nlh, const struct link_list *links, struct arena *a,
			 struct subnet_uses *uses)
{
	const struct ifaddrmsg *msg = nl_payload(nlh);
	const struct nlattr *attrs[IFA_LOCAL + 1];
	char text[IP_TEXT_SIZE];
	struct ip_net net;

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return;
	rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
	if (!take_net(attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS], msg->ifa_family,
		      msg->ifa_prefixlen, &net) ||
	    is_common(&net))
		return;
	append(uses, a, &net,
	       arena_printf(a, "the host's address %s on %s", ip_net_text(&net, text),
			    name_of(links, (int)msg->ifa_index)),
	       (int)msg->ifa_index);
}

int subnet_add_host(struct rtnl *r, struct arena *a, struct subnet_uses *uses, struct err *err)
{
	struct ifaddrmsg any_address = { .ifa_family = AF_UNSPEC };
	struct rtmsg any_route = { .rtm_family = AF_UNSPEC };
	autobuf addresses = BUF_INIT, routes = BUF_INIT;
	struct link_list links;
	int rc = link_list(r, 0, NULL, a, &links, err);

	if (rc < 0)
		return rc;
	rtnl_request(r, RTM_GETADDR, NLM_F_DUMP, &any_address, sizeof(any_address), "of the host");
	rc = rtnl_run(r, &addresses, err);
	if (rc < 0)
		return rc;
	rtnl_request(r, RTM_GETROUTE, NLM_F_DUMP, &any_route, sizeof(any_route), "of the host");
	rc = rtnl_run(r, &routes, err);
	if (rc < 0)
		return rc;
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&addresses, nlh));)
		take_address(nlh, &links, a, uses);
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&routes, nlh));)
		take_route(nlh, &links, a, uses);
	return 0;
}

static void add_plugin(const char *network, const struct json_value *plugin, struct arena *a,
		       struct subnet_uses *uses)
{
	const struct json_value *ipam = json_get(plugin, "ipam");
	const char *what = arena_printf(a, "network %s", network);
	struct host_local h;
	struct err unused;

	if (!ipam || ipam->kind != JSON_OBJECT || host_local_parse(ipam, NULL, a, &h, &unused) < 0)
		return;
	for_each (set, &h.sets)
		for_each (range, set)
			append(uses, a, &range->subnet, what, 0);
}

void subnet_add_networks(const struct cni_networks *networks, struct arena *a,
			 struct subnet_uses *uses)
{
	for_each (network, networks)
		for (const struct json_value *p = network->plugins->first; p; p = p->next)
			add_plugin(network->name, p, a, uses);
}

const struct subnet_use *subnet_taken(const struct subnet_uses *uses, const struct ip_net *net,
				      int except)
{
	for_each (use, uses)
		if (ip_net_overlap(&use->net, net) && !(except && use->ifindex == except))
			return use;
	return NULL;
}

int subnet_choose(const struct subnet_uses *uses, struct ip_net *ret, struct err *err)
{
	struct ip_net net;
	uint8_t first;

	ip_net_parse(CHOICE, &net);
	first = net.ip.bytes[1];
	for (unsigned int i = 0; i < CHOICES; i++) {
		net.ip.bytes[1] = (uint8_t)(first + i / 256);
		net.ip.bytes[2] = (uint8_t)i;
		if (!subnet_taken(uses, &net, 0)) {
			*ret = net;
			return 0;
		}
	}
	return err_set(err, ENOSPC,
		       "all of 10.88.0.0 to 10.95.255.255 is in use: give a subnet with --subnet");
}
