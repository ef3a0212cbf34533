/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link_towards.h"

#include "lib/cleanup.h"

#include <errno.h>

int link_find_towards(struct rtnl *r, const struct ip *ip, struct link *ret_link, struct err *err)
{
	struct rtmsg msg = { .rtm_family = ip->family, .rtm_dst_len = (uint8_t)(ip_size(ip) * 8) };
	const struct nlattr *attrs[RTA_OIF + 1];
	autobuf replies = BUF_INIT;
	char text[IP_TEXT_SIZE];
	struct nlmsghdr *nlh;
	int rc;

	nlh = rtnl_request(r, RTM_GETROUTE, 0, &msg, sizeof(msg), "to %s", ip_text(ip, text));
	nl_put(nlh, RTA_DST, ip_size(ip), ip->bytes);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	if (!replies.len)
		return err_set(err, ENETUNREACH, "there is no route to %s", text);
	rtnl_attrs(rtnl_next(&replies, NULL), sizeof(struct rtmsg), attrs, ARRAY_SIZE(attrs));
	if (!nl_u32(attrs[RTA_OIF]))
		return err_set(err, ENETUNREACH, "no interface leads to %s", text);
	return link_find_index(r, (int)nl_u32(attrs[RTA_OIF]), ret_link, err);
}
