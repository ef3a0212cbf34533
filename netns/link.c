/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include "lib/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool link_name_ok(const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return false;
	return true;
}

/* Statistics of virtual functions are no use here and make the answer large. */
static void put_filter(struct nlmsghdr *nlh)
{
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

static int read_link(struct rtnl *r, struct link *ret_link, struct err *err)
{
	const struct nlattr *attrs[IFLA_IFNAME + 1];
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *nlh;
	const struct ifinfomsg *info;
	int rc = rtnl_run(r, &replies, err);

	if (rc < 0)
		return rc;
	nlh = rtnl_next(&replies, NULL);
	if (!nlh)
		return err_set(err, EPROTO,
			       "netlink: RTM_GETLINK was acknowledged without an answer");
	info = mnl_nlmsg_get_payload(nlh);
	rtnl_attrs(nlh, sizeof(*info), attrs, ARRAY_SIZE(attrs));
	if (!attrs[IFLA_IFNAME] || !memchr(mnl_attr_get_str(attrs[IFLA_IFNAME]), 0, IFNAMSIZ))
		return err_set(err, EPROTO, "netlink: RTM_GETLINK was answered without a name");
	memset(ret_link, 0, sizeof(*ret_link));
	ret_link->index = info->ifi_index;
	ret_link->flags = info->ifi_flags;
	strcpy(ret_link->name, mnl_attr_get_str(attrs[IFLA_IFNAME]));
	return 0;
}

int link_find(struct rtnl *r, const char *name, struct link *ret_link, struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh;

	if (!link_name_ok(name))
		return err_set(err, EINVAL, "\"%s\" is not a name for a network interface", name);
	nlh = rtnl_request(r, RTM_GETLINK, 0, &info, sizeof(info), "%s", name);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	put_filter(nlh);
	return read_link(r, ret_link, err);
}

int link_find_index(struct rtnl *r, int index, struct link *ret_link, struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };

	put_filter(rtnl_request(r, RTM_GETLINK, 0, &info, sizeof(info), "number %d", index));
	return read_link(r, ret_link, err);
}

void link_up(struct rtnl *r, const struct link *link)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = link->index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};

	rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info), "%s up", link->name);
}

void link_move(struct rtnl *r, const struct link *link, int netns_fd, const char *new_name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info),
			     "%s to another network namespace as %s", link->name, new_name);

	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, new_name);
}
