/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/route.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint32_t table_of(const struct route_wish *wish)
{
	return wish->table.set ? wish->table.value : RT_TABLE_MAIN;
}

static struct rtmsg header(const struct route_wish *wish)
{
	uint32_t table = table_of(wish);
	struct rtmsg msg = {
		.rtm_family = wish->dst.ip.family,
		.rtm_dst_len = wish->dst.prefix_len,
		.rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_type = RTN_UNICAST,
		.rtm_scope = wish->gw.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_flags = wish->onlink ? RTNH_F_ONLINK : 0,
	};

	if (wish->scope.set)
		msg.rtm_scope = (uint8_t)wish->scope.value;
	/* IPv6 has no scopes of routes. */
	if (wish->dst.ip.family == AF_INET6)
		msg.rtm_scope = RT_SCOPE_UNIVERSE;
	return msg;
}

static const char *wish_text(const struct route_wish *wish, char *ret_text, size_t size)
{
	struct ip_net base = ip_net_base(&wish->dst);
	char to[IP_TEXT_SIZE], via[IP_TEXT_SIZE];

	snprintf(ret_text, size, "%s%s%s", base.prefix_len ? ip_net_text(&base, to) : "default",
		 wish->gw.family ? " via " : "", wish->gw.family ? ip_text(&wish->gw, via) : "");
	return ret_text;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, const struct ip *ip)
{
	if (ip->family)
		nl_put(nlh, type, ip_size(ip), ip->bytes);
}

static void put_metrics(struct nlmsghdr *nlh, const struct route_wish *wish)
{
	struct nlattr *nest;

	if (!wish->mtu.set && !wish->advmss.set)
		return;
	nest = nl_nest(nlh, RTA_METRICS);
	if (wish->mtu.set)
		nl_put_u32(nlh, RTAX_MTU, wish->mtu.value);
	if (wish->advmss.set)
		nl_put_u32(nlh, RTAX_ADVMSS, wish->advmss.value);
	nl_nest_end(nlh, nest);
}

/* An IPv6 gateway of an IPv4 route (RFC 8950) has an attribute of its own. */
static void put_gateway(struct nlmsghdr *nlh, const struct route_wish *wish)
{
	struct {
		struct rtvia via;
		uint8_t address[sizeof(struct in6_addr)];
	} __attribute__((packed)) via = { .via.rtvia_family = wish->gw.family };

	if (!wish->gw.family || wish->gw.family == wish->dst.ip.family) {
		put_ip(nlh, RTA_GATEWAY, &wish->gw);
		return;
	}
	memcpy(via.address, wish->gw.bytes, sizeof(via.address));
	nl_put(nlh, RTA_VIA, sizeof(via.via) + ip_size(&wish->gw), &via);
}

static void request(struct rtnl *r, uint16_t type, uint16_t flags, const struct rtmsg *msg,
		    const struct link *link, const struct route_wish *wish)
{
	struct ip_net base = ip_net_base(&wish->dst);
	char text[2 * IP_TEXT_SIZE + 8];
	struct nlmsghdr *nlh = rtnl_request(r, type, flags, msg, sizeof(*msg), "%s on %s",
					    wish_text(wish, text, sizeof(text)), link->name);

	if (base.prefix_len)
		put_ip(nlh, RTA_DST, &base.ip);
	put_gateway(nlh, wish);
	put_ip(nlh, RTA_PREFSRC, &wish->src);
	if (wish->table.set)
		nl_put_u32(nlh, RTA_TABLE, wish->table.value);
	if (wish->priority.set)
		nl_put_u32(nlh, RTA_PRIORITY, wish->priority.value);
	put_metrics(nlh, wish);
	nl_put_u32(nlh, RTA_OIF, (uint32_t)link->index);
}

void route_add(struct rtnl *r, const struct link *link, const struct route_wish *wish)
{
	struct rtmsg msg = header(wish);

	request(r, RTM_NEWROUTE, NLM_F_CREATE, &msg, link, wish);
}

void route_delete(struct rtnl *r, const struct link *link, const struct route_wish *wish)
{
	struct rtmsg msg = header(wish);

	/* Whoever made it. */
	msg.rtm_protocol = RTPROT_UNSPEC;
	msg.rtm_scope = RT_SCOPE_NOWHERE;
	request(r, RTM_DELROUTE, 0, &msg, link, wish);
}

static bool attr_is(const struct nlattr *attr, const struct ip *ip)
{
	return attr && nl_size(attr) == ip_size(ip) &&
	       memcmp(nl_data(attr), ip->bytes, ip_size(ip)) == 0;
}

static bool is_wished(const struct nlmsghdr *nlh, const struct link *link,
		      const struct route_wish *wish)
{
	const struct rtmsg *msg = nl_payload(nlh);
	const struct nlattr *attrs[RTA_MAX + 1];
	struct ip_net base = ip_net_base(&wish->dst);

	rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
	if (msg->rtm_family != base.ip.family || msg->rtm_dst_len != base.prefix_len ||
	    !attrs[RTA_OIF] || (int)nl_u32(attrs[RTA_OIF]) != link->index)
		return false;
	if ((attrs[RTA_TABLE] ? nl_u32(attrs[RTA_TABLE]) : msg->rtm_table) != table_of(wish))
		return false;
	if (base.prefix_len && !attr_is(attrs[RTA_DST], &base.ip))
		return false;
	if (wish->priority.set &&
	    (!attrs[RTA_PRIORITY] || nl_u32(attrs[RTA_PRIORITY]) != wish->priority.value))
		return false;
	return wish->gw.family != base.ip.family || attr_is(attrs[RTA_GATEWAY], &wish->gw);
}

int route_check(struct rtnl *r, const struct link *link, const struct route_wish *wish,
		struct err *err)
{
	struct rtmsg msg = { .rtm_family = wish->dst.ip.family };
	char text[2 * IP_TEXT_SIZE + 8];
	autobuf replies = BUF_INIT;
	int rc;

	nl_put_u32(
		rtnl_request(r, RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof(msg), "of %s", link->name),
		RTA_OIF, (uint32_t)link->index);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));)
		if (is_wished(nlh, link, wish))
			return 0;
	return err_set(err, ENOENT, "%s has no route %s", link->name,
		       wish_text(wish, text, sizeof(text)));
}
