/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link.h"

#include "lib/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

bool link_name_ok(const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (strchr("/:%", *name) || isspace((unsigned char)*name))
			return false;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int link_mac_parse(const char *text, uint8_t ret_mac[LINK_MAC_SIZE])
{
	static const uint8_t nobody[LINK_MAC_SIZE];
	uint8_t mac[LINK_MAC_SIZE];

	for (int i = 0; i < LINK_MAC_SIZE; i++, text += 2) {
		int high, low;

		if (i && *text != ':' && *text != '-')
			return -EINVAL;
		text += i > 0;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	if (*text || mac[0] & 1 || memcmp(mac, nobody, sizeof(mac)) == 0)
		return -EINVAL;
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

const char *link_mac_text(const uint8_t mac[LINK_MAC_SIZE], char text[LINK_MAC_TEXT_SIZE])
{
	snprintf(text, LINK_MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

/* Statistics are no use here and make the answer large. */
static void put_filter(struct nlmsghdr *nlh)
{
	nl_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

static uint32_t u32_or(const struct nlattr *attr, uint32_t none)
{
	return attr ? nl_u32(attr) : none;
}

/* By the ends the kernel gives attributes, as a name need not have one of its own. */
static bool copy_name(const struct nlattr *attr, char *ret_name, size_t size)
{
	size_t len = attr ? nl_size(attr) : 0;

	if (!len || len > size || !memchr(nl_data(attr), 0, len))
		return false;
	strcpy(ret_name, nl_data(attr));
	return true;
}

static void read_info(const struct nlattr *info, struct link *link)
{
	const struct nlattr *attrs[IFLA_INFO_SLAVE_DATA + 1];
	const struct nlattr *bridge[IFLA_BR_VLAN_FILTERING + 1];
	const struct nlattr *port[IFLA_BRPORT_MODE + 1];
	char master[LINK_KIND_SIZE] = "";

	rtnl_nested(info, attrs, ARRAY_SIZE(attrs));
	copy_name(attrs[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	copy_name(attrs[IFLA_INFO_SLAVE_KIND], master, sizeof(master));
	if (strcmp(link->kind, "bridge") == 0) {
		rtnl_nested(attrs[IFLA_INFO_DATA], bridge, ARRAY_SIZE(bridge));
		link->vlan_filtering =
			bridge[IFLA_BR_VLAN_FILTERING] && nl_u8(bridge[IFLA_BR_VLAN_FILTERING]);
	}
	if (strcmp(master, "bridge") == 0) {
		rtnl_nested(attrs[IFLA_INFO_SLAVE_DATA], port, ARRAY_SIZE(port));
		link->has_hairpin = port[IFLA_BRPORT_MODE];
		link->hairpin = link->has_hairpin && nl_u8(port[IFLA_BRPORT_MODE]);
	}
}

bool link_read(const struct nlmsghdr *nlh, struct link *ret_link)
{
	const struct nlattr *attrs[IFLA_LINK_NETNSID + 1];
	const struct ifinfomsg *info = nl_payload(nlh);
	const struct nlattr *mac;

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    nl_payload_size(nlh) < sizeof(*info))
		return false;
	rtnl_attrs(nlh, sizeof(*info), attrs, ARRAY_SIZE(attrs));
	memset(ret_link, 0, sizeof(*ret_link));
	if (!copy_name(attrs[IFLA_IFNAME], ret_link->name, sizeof(ret_link->name)))
		return false;
	ret_link->index = info->ifi_index;
	ret_link->flags = info->ifi_flags;
	ret_link->master = (int)u32_or(attrs[IFLA_MASTER], 0);
	ret_link->other = (int)u32_or(attrs[IFLA_LINK], 0);
	ret_link->other_nsid = (int)u32_or(attrs[IFLA_LINK_NETNSID], (uint32_t)-1);
	ret_link->mtu = u32_or(attrs[IFLA_MTU], 0);
	if (attrs[IFLA_OPERSTATE])
		ret_link->operstate = nl_u8(attrs[IFLA_OPERSTATE]);
	mac = attrs[IFLA_ADDRESS];
	ret_link->has_mac = mac && nl_size(mac) == LINK_MAC_SIZE;
	if (ret_link->has_mac)
		memcpy(ret_link->mac, nl_data(mac), LINK_MAC_SIZE);
	read_info(attrs[IFLA_LINKINFO], ret_link);
	return true;
}

static int read_one(struct rtnl *r, struct link *ret_link, struct err *err)
{
	autobuf replies = BUF_INIT;
	const struct nlmsghdr *nlh;
	int rc = rtnl_run(r, &replies, err);

	if (rc < 0)
		return rc;
	nlh = rtnl_next(&replies, NULL);
	if (!nlh)
		return err_set(err, EPROTO,
			       "netlink: RTM_GETLINK was acknowledged without an answer");
	if (!link_read(nlh, ret_link))
		return err_set(err, EPROTO, "netlink: RTM_GETLINK was answered without a name");
	return 0;
}

void link_ask(struct rtnl *r, const char *name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh = rtnl_request(r, RTM_GETLINK, 0, &info, sizeof(info), "%s", name);

	nl_put_text(nlh, IFLA_IFNAME, name);
	put_filter(nlh);
}

void link_ask_index(struct rtnl *r, int index)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };

	put_filter(rtnl_request(r, RTM_GETLINK, 0, &info, sizeof(info), "number %d", index));
}

bool link_answer(const struct buf *replies, const char *name, struct link *ret_link)
{
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(replies, nlh));) {
		struct link link;

		if (link_read(nlh, &link) && strcmp(link.name, name) == 0) {
			*ret_link = link;
			return true;
		}
	}
	return false;
}

int link_find(struct rtnl *r, const char *name, struct link *ret_link, struct err *err)
{
	if (!link_name_ok(name))
		return err_set(err, EINVAL, "\"%s\" is not a name for a network interface", name);
	link_ask(r, name);
	return read_one(r, ret_link, err);
}

int link_find_index(struct rtnl *r, int index, struct link *ret_link, struct err *err)
{
	link_ask_index(r, index);
	return read_one(r, ret_link, err);
}

/* Linux before 4.20 takes no notice of the filters. */
static bool is_wanted(const struct link *link, int master, const char *kind)
{
	return (!master || link->master == master) && (!kind || strcmp(link->kind, kind) == 0);
}

int link_list(struct rtnl *r, int master, const char *kind, struct arena *a,
	      struct link_list *ret_list, struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct link_list list = { 0 };
	autobuf replies = BUF_INIT;
	struct nlmsghdr *nlh;
	int rc;

	nlh = rtnl_request(r, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info), "of all interfaces");
	put_filter(nlh);
	if (master)
		nl_put_u32(nlh, IFLA_MASTER, (uint32_t)master);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	list.items = arena_calloc(a, rtnl_count(&replies), sizeof(*list.items));
	for (const struct nlmsghdr *reply = NULL; (reply = rtnl_next(&replies, reply));)
		if (link_read(reply, &list.items[list.count]) &&
		    is_wanted(&list.items[list.count], master, kind))
			list.count++;
	*ret_list = list;
	return 0;
}

int link_wait_running(struct rtnl *r, const struct link *link, int timeout_ms, struct err *err)
{
	int64_t limit = (int64_t)timeout_ms * 1000;
	struct link now;

	for (long us = 0, step = 50; us <= limit; us += step, step += step < 10000 ? step : 0) {
		struct timespec pause = { .tv_nsec = step * 1000 };
		int rc = link_find_index(r, link->index, &now, err);

		if (rc < 0)
			return rc;
		if (now.operstate == IF_OPER_UP)
			return 0;
		nanosleep(&pause, NULL);
	}
	return err_set(err, ETIMEDOUT, "%s is up, but has no carrier", link->name);
}
