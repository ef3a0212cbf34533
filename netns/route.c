/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/route.h"

#include "lib/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What makes a route and holds in another namespace too. */
static const uint16_t kept_attrs[] = {
	RTA_DST, RTA_SRC, RTA_GATEWAY, RTA_VIA, RTA_PREFSRC, RTA_PRIORITY, RTA_METRICS, RTA_PREF,
};

static void put_text(const struct nlattr *dst, const struct nlattr *gateway, struct route *route)
{
	char to[INET6_ADDRSTRLEN] = "default";
	char via[INET6_ADDRSTRLEN];
	int n;

	if (dst)
		inet_ntop(route->msg.rtm_family, nl_data(dst), to, sizeof(to));
	n = snprintf(route->text, sizeof(route->text), "%s", to);
	if (dst)
		n += snprintf(route->text + n, sizeof(route->text) - (size_t)n, "/%u",
			      route->msg.rtm_dst_len);
	if (gateway && inet_ntop(route->msg.rtm_family, nl_data(gateway), via, sizeof(via)))
		snprintf(route->text + n, sizeof(route->text) - (size_t)n, " via %s", via);
}

static bool is_own(const struct rtmsg *msg, const struct nlattr *const *attrs, uint8_t family,
		   int index)
{
	uint32_t table = attrs[RTA_TABLE] ? nl_u32(attrs[RTA_TABLE]) : msg->rtm_table;

	/* Without IPv6 the kernel answers a question for its routes with all the others. */
	return msg->rtm_family == family && msg->rtm_type == RTN_UNICAST &&
	       table == RT_TABLE_MAIN && attrs[RTA_OIF] && (int)nl_u32(attrs[RTA_OIF]) == index &&
	       !attrs[RTA_ENCAP] && msg->rtm_protocol != RTPROT_KERNEL &&
	       msg->rtm_protocol != RTPROT_REDIRECT && msg->rtm_protocol != RTPROT_RA &&
	       !(msg->rtm_flags & RTM_F_CLONED);
}

static int read_route(const struct rtmsg *msg, const struct nlattr *const *attrs,
		      struct route *route, struct err *err)
{
	route->msg = *msg;
	route->msg.rtm_table = RT_TABLE_MAIN;
	route->msg.rtm_flags = msg->rtm_flags & RTNH_F_ONLINK;
	route->has_gateway = attrs[RTA_GATEWAY] || attrs[RTA_VIA];
	put_text(attrs[RTA_DST], attrs[RTA_GATEWAY], route);
	for (size_t i = 0; i < ARRAY_SIZE(kept_attrs); i++) {
		const struct nlattr *attr = attrs[kept_attrs[i]];
		size_t len = attr ? NLMSG_ALIGN(attr->nla_len) : 0;

		if (!attr)
			continue;
		if (route->attrs_len + len > sizeof(route->attrs))
			return err_set(err, E2BIG, "route %s has more attributes than expected",
				       route->text);
		memcpy(route->attrs + route->attrs_len, attr, attr->nla_len);
		route->attrs_len += len;
	}
	return 0;
}

static int dump_family(struct rtnl *r, const struct link *link, uint8_t family,
		       struct buf *ret_replies, struct err *err)
{
	struct rtmsg msg = { .rtm_family = family };
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof(msg), "of %s", link->name);

	/* Not by table as well: asking for a main table that has no route yet is an error. */
	nl_put_u32(nlh, RTA_OIF, (uint32_t)link->index);
	return rtnl_run(r, ret_replies, err);
}

static int list_family(struct rtnl *r, const struct link *link, uint8_t family, struct arena *a,
		       struct route_list *list, struct err *err)
{
	const struct nlattr *attrs[RTA_MAX + 1];
	autobuf replies = BUF_INIT;
	struct route *items;
	int rc = dump_family(r, link, family, &replies, err);

	if (rc < 0)
		return rc;
	items = arena_calloc(a, list->count + rtnl_count(&replies), sizeof(*items));
	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	list->items = items;
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));) {
		const struct rtmsg *msg = nl_payload(nlh);

		rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
		if (!is_own(msg, attrs, family, link->index))
			continue;
		rc = read_route(msg, attrs, &list->items[list->count], err);
		if (rc < 0)
			return rc;
		list->count++;
	}
	return 0;
}

int route_list_own(struct rtnl *r, const struct link *link, struct arena *a,
		   struct route_list *ret_list, struct err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct route_list list = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int rc = list_family(r, link, families[i], a, &list, err);

		if (rc < 0)
			return rc;
	}
	*ret_list = list;
	return 0;
}

static void put_back(struct rtnl *r, const struct link *link, const struct route *route)
{
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route->msg,
			     sizeof(route->msg), "%s on %s", route->text, link->name);

	memcpy(nl_put_header(nlh, route->attrs_len), route->attrs, route->attrs_len);
	nl_put_u32(nlh, RTA_OIF, (uint32_t)link->index);
}

void route_add_all(struct rtnl *r, const struct link *link, const struct route_list *list)
{
	for (int gateway = 0; gateway <= 1; gateway++)
		for (size_t i = 0; i < list->count; i++)
			if (list->items[i].has_gateway == gateway)
				put_back(r, link, &list->items[i]);
}

bool route_is_own(struct rtnl *r, const struct ip *ip)
{
	struct rtmsg msg = {
		.rtm_family = ip->family,
		.rtm_dst_len = (uint8_t)(ip_size(ip) * 8),
		.rtm_flags = RTM_F_FIB_MATCH, /* not what 127.0.0.0/8 and its like have in it */
	};
	autobuf replies = BUF_INIT;
	const struct rtmsg *route;
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *nlh;
	struct err unused;

	nlh = rtnl_request(r, RTM_GETROUTE, 0, &msg, sizeof(msg), "to %s", ip_text(ip, text));
	nl_put(nlh, RTA_DST, ip_size(ip), ip->bytes);
	if (rtnl_run(r, &replies, &unused) < 0 || !replies.len)
		return false;
	route = nl_payload(rtnl_next(&replies, NULL));
	return route->rtm_type == RTN_LOCAL && route->rtm_dst_len == msg.rtm_dst_len;
}
