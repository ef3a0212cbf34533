/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port_flows.h"

#include "lib/cleanup.h"
#include "netns/port_wish.h"
#include "netns/rtnl.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

/* What has to be equal of those asked for (Linux 5.8; older ones tell of all): not in headers. */
#define FILTER_PROTOCOL (1 << 3)
#define FILTER_DESTINATION_PORT (1 << 5)

static bool is_udp(const struct nft_elem *e, uint8_t family)
{
	return port_is_one(e) && *port_service_of(e) == IPPROTO_UDP &&
	       (e->set->data[0] == NFT_TYPE_IP6) == (family == AF_INET6);
}

/* How many there are of a family, and the port of one. */
static size_t count_udp(const struct nft_elems *l, uint8_t family, uint16_t *ret_port)
{
	size_t count = 0;

	for (size_t i = 0; i < nft_elems_count(l); i++) {
		if (!is_udp(nft_elems_at(l, i), family))
			continue;
		*ret_port = port_number_of(nft_elems_at(l, i));
		count++;
	}
	return count;
}

/* port 0: any */
static int ask_flows(struct nft *n, uint8_t family, uint16_t port, struct buf *replies)
{
	struct nlmsghdr *nlh = nft_question_to(n, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET,
					       NLM_F_DUMP, family, "flows");
	struct nlattr *filter, *tuple, *proto;
	struct err ignored;

	tuple = nl_nest(nlh, CTA_TUPLE_ORIG);
	proto = nl_nest(nlh, CTA_TUPLE_PROTO);
	nl_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_UDP);
	if (port)
		nl_put_u16(nlh, CTA_PROTO_DST_PORT, htons(port));
	nl_nest_end(nlh, proto);
	nl_nest_end(nlh, tuple);
	filter = nl_nest(nlh, CTA_FILTER);
	nl_put_u32(nlh, CTA_FILTER_ORIG_FLAGS,
		   FILTER_PROTOCOL | (port ? FILTER_DESTINATION_PORT : 0));
	nl_put_u32(nlh, CTA_FILTER_REPLY_FLAGS, 0);
	nl_nest_end(nlh, filter);
	return nft_ask(n, replies, &ignored);
}

/* The port that the sender of a flow sends to; 0: it is not of UDP. */
static uint16_t port_of_flow(const struct nlattr *original)
{
	const struct nlattr *tuple[CTA_TUPLE_PROTO + 1];
	const struct nlattr *proto[CTA_PROTO_DST_PORT + 1];

	rtnl_nested(original, tuple, ARRAY_SIZE(tuple));
	rtnl_nested(tuple[CTA_TUPLE_PROTO], proto, ARRAY_SIZE(proto));
	return nl_u8(proto[CTA_PROTO_NUM]) == IPPROTO_UDP ? ntohs(nl_u16(proto[CTA_PROTO_DST_PORT]))
							  : 0;
}

static bool concerns(const struct nft_elems *l, uint8_t family, uint16_t port)
{
	for (size_t i = 0; port && i < nft_elems_count(l); i++)
		if (is_udp(nft_elems_at(l, i), family) &&
		    port_number_of(nft_elems_at(l, i)) == port)
			return true;
	return false;
}

static void copy_attr(struct nlmsghdr *nlh, const struct nlattr *attr)
{
	if (attr)
		nl_put(nlh, attr->nla_type, nl_size(attr), nl_data(attr));
}

static void end_flow(struct nft *n, uint8_t family, const struct nlattr *const *attrs)
{
	struct nlmsghdr *nlh = nft_question_to(n, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, 0,
					       family, "a flow");
	autobuf replies = BUF_INIT;
	struct err ignored;

	copy_attr(nlh, attrs[CTA_TUPLE_ORIG]);
	copy_attr(nlh, attrs[CTA_ZONE]);
	copy_attr(nlh, attrs[CTA_ID]);
	nft_ask(n, &replies, &ignored);
}

static void end_family(struct nft *n, const struct nft_elems *l, uint8_t family)
{
	const struct nlattr *attrs[CTA_ZONE + 1];
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *nlh = NULL;
	uint16_t port = 0;
	size_t count = count_udp(l, family, &port);

	if (!count || ask_flows(n, family, count == 1 ? port : 0, &replies) < 0)
		return;
	while ((nlh = rtnl_next(&replies, nlh))) {
		uint32_t status;

		nft_attrs(nlh, attrs, ARRAY_SIZE(attrs));
		status = nft_u32(attrs[CTA_STATUS]);
		/* What goes by to another machine's port of that number is answered. */
		if ((status & IPS_DST_NAT || !(status & IPS_SEEN_REPLY)) &&
		    nft_family(nlh) == family &&
		    concerns(l, family, port_of_flow(attrs[CTA_TUPLE_ORIG])))
			end_flow(n, family, attrs);
	}
}

void port_flows_end(struct nft *n, const struct nft_elems *l)
{
	end_family(n, l, AF_INET);
	end_family(n, l, AF_INET6);
}
