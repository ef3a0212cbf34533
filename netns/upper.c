/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/upper.h"

#include "lib/cleanup.h"
#include "netns/inside.h"
#include "netns/ipam.h"
#include "netns/link_delete.h"
#include "netns/ns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct json_field upper_fields[] = {
	{ "master", json_string, offsetof(struct upper, master) },
	{ "mode", json_string, offsetof(struct upper, mode) },
	{ "flag", json_string, offsetof(struct upper, flag) },
	{ "mtu", json_u32, offsetof(struct upper, mtu) },
	{ "linkInContainer", json_bool, offsetof(struct upper, link_in_container) },
};
static const struct json_table upper_table = { upper_fields, ARRAY_SIZE(upper_fields),
					       sizeof(struct upper), NULL };

static char *text_of(const struct json_value *object, const char *key)
{
	const struct json_value *v = object ? json_get(object, key) : NULL;

	return v && v->kind == JSON_STRING && *v->text ? v->text : NULL;
}

/* The later ones count only when the earlier ones are silent. */
static char *wanted_mac(const struct attach *at)
{
	const struct json_value *args = json_get(at->conf, "args");
	const struct json_value *cni = args ? json_get(args, "cni") : NULL;
	char *mac = text_of(at->runtime, "mac");

	if (!mac)
		mac = text_of(cni, "mac");
	if (!mac)
		mac = (char *)attach_arg(at, "MAC");
	return mac ? mac : text_of(at->conf, "mac");
}

int upper_read(struct attach *at, struct upper *ret_upper)
{
	int rc;

	memset(ret_upper, 0, sizeof(*ret_upper));
	rc = json_decode(at->conf, &upper_table, at->arena, ret_upper, at->err);
	if (rc < 0)
		return rc;
	if (ret_upper->master && !*ret_upper->master)
		ret_upper->master = NULL;
	ret_upper->mac_text = wanted_mac(at);
	ret_upper->has_mac = ret_upper->mac_text != NULL;
	if (ret_upper->has_mac && link_mac_parse(ret_upper->mac_text, ret_upper->mac) < 0)
		return err_set(at->err, EINVAL, "\"%s\" is not a hardware address",
			       ret_upper->mac_text);
	return 0;
}

/* The interface of a default route; 0 when the message is of none. */
static int default_route_link(const struct nlmsghdr *nlh)
{
	const struct rtmsg *msg = nl_payload(nlh);
	const struct nlattr *attrs[RTA_MULTIPATH + 1];
	const struct rtnexthop *hop;

	if (nlh->nlmsg_type != RTM_NEWROUTE || msg->rtm_dst_len || msg->rtm_type != RTN_UNICAST ||
	    msg->rtm_table != RT_TABLE_MAIN || (msg->rtm_flags & RTM_F_CLONED))
		return 0;
	rtnl_attrs(nlh, sizeof(*msg), attrs, ARRAY_SIZE(attrs));
	if (attrs[RTA_OIF])
		return (int)nl_u32(attrs[RTA_OIF]);
	if (!attrs[RTA_MULTIPATH] || nl_size(attrs[RTA_MULTIPATH]) < sizeof(*hop))
		return 0;
	hop = nl_data(attrs[RTA_MULTIPATH]);
	return hop->rtnh_ifindex;
}

static int find_default(struct rtnl *r, struct link *ret_link, struct err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rtmsg msg = { .rtm_family = families[i] };
		autobuf replies = BUF_INIT;
		int rc;

		rtnl_request(r, RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof(msg), "of all");
		rc = rtnl_run(r, &replies, err);
		if (rc < 0)
			return rc;
		for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));)
			if (default_route_link(nlh))
				return link_find_index(r, default_route_link(nlh), ret_link, err);
	}
	return err_set(err, ENODEV,
		       "no \"master\" is configured, and there is no default route to say which "
		       "interface it could be");
}

static int find_master(struct attach *at, struct rtnl *r, const struct upper *upper,
		       struct link *ret_link)
{
	const struct cni_result *before = &at->result;
	const char *name = upper->master;
	int rc;

	/* Behind another plugin that made one interface, it is that one. */
	if (!name && at->has_result && before->interfaces.count == 1)
		name = before->interfaces.items[0].name;
	if (!name)
		return find_default(r, ret_link, at->err);
	rc = link_find(r, name, ret_link, at->err);
	if (rc == -ENODEV)
		return err_set(at->err, ENODEV, "%s has no interface %s to be the \"master\"",
			       upper->link_in_container ? "the container" : "the host", name);
	return rc;
}

/* The socket where the master is. */
static int open_master(struct attach *at, const struct upper *upper, struct rtnl **ret_sock)
{
	return upper->link_in_container ? attach_inside(at, ret_sock) : attach_host(at, ret_sock);
}

static int make(struct attach *at, const struct upper *upper, const char *kind, upper_queue *queue,
		struct link *ret_link)
{
	struct link_add add = { .name = at->ifname,
				.netns_fd = upper->link_in_container ? -1 : at->netns_fd,
				.mtu = upper->mtu,
				.mac = upper->has_mac ? upper->mac : NULL };
	struct rtnl *r, *inside;
	struct link master;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = open_master(at, upper, &r);
	if (rc >= 0)
		rc = find_master(at, r, upper, &master);
	if (rc < 0)
		return rc;
	if (upper->mtu > master.mtu)
		return err_set(at->err, EINVAL, "the mtu can be at most that of %s, %u",
			       master.name, master.mtu);
	add.lower = master.index;
	queue(r, &add, upper);
	rc = rtnl_run(r, NULL, at->err);
	if (rc == -EEXIST) {
		at->name_taken = true;
		return err_set(at->err, EEXIST, "container %s has an interface %s already",
			       at->container, at->ifname);
	}
	if (rc < 0)
		return link_add_explain(kind, at->err);
	return link_find(inside, at->ifname, ret_link, at->err);
}

/* Neighbours learn who has the address from now on. */
static int announce(struct attach *at)
{
	char setting[64];
	int rc;

	snprintf(setting, sizeof(setting), "net/ipv4/conf/%s/arp_notify", at->ifname);
	rc = ns_sysctl(at->netns_fd, setting, "1", at->err);
	return rc == -ENOENT ? 0 : rc;
}

int upper_add(struct attach *at, const struct upper *upper, const char *kind, upper_queue *queue)
{
	char mac[LINK_MAC_TEXT_SIZE];
	bool ipam = inside_has_ipam(at);
	struct link link;
	int rc = ipam ? ipam_add(at) : 0;

	if (rc >= 0 && ipam && !at->result.ips.count)
		rc = err_set(at->err, EINVAL, "ipam gave no address");
	if (rc >= 0)
		rc = make(at, upper, kind, queue, &link);
	if (rc >= 0 && ipam)
		rc = announce(at);
	if (rc < 0)
		return rc;
	cni_add_interface(&at->result, at->arena, at->ifname,
			  link.has_mac ? link_mac_text(link.mac, mac) : NULL, at->netns_path);
	return inside_configure(at, &link);
}

/* A namespace's path may be another's by now: only what we would have made goes. */
static int remove_link(struct attach *at, const char *kind)
{
	struct rtnl *inside;
	struct link link;
	int rc;

	if (at->netns_fd < 0 || at->name_taken)
		return 0;
	rc = attach_inside(at, &inside);
	if (rc >= 0)
		rc = link_find(inside, at->ifname, &link, at->err);
	if (rc == -ENODEV || (rc >= 0 && strcmp(link.kind, kind) != 0))
		return 0;
	return rc < 0 ? rc : link_delete(inside, at->ifname, at->err);
}

int upper_del(struct attach *at, const char *kind)
{
	struct err first;
	int removed = remove_link(at, kind);
	int rc;

	first = *at->err;
	rc = inside_has_ipam(at) ? ipam_del(at) : 0;
	if (removed < 0)
		*at->err = first;
	return removed < 0 ? removed : rc;
}

int upper_check(struct attach *at, const char *kind)
{
	struct rtnl *inside;
	struct link link;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = link_find(inside, at->ifname, &link, at->err);
	if (rc >= 0 && strcmp(link.kind, kind) != 0)
		rc = err_set(at->err, ENOENT, "%s of container %s is no %s", at->ifname,
			     at->container, kind);
	if (rc >= 0 && inside_has_ipam(at))
		rc = ipam_check(at);
	return rc < 0 ? rc : inside_check(at, &link);
}

int upper_status(struct attach *at)
{
	struct upper upper;
	struct link master;
	struct rtnl *r;
	int rc = upper_read(at, &upper);

	if (rc >= 0 && !upper.link_in_container) {
		rc = attach_host(at, &r);
		if (rc >= 0)
			rc = find_master(at, r, &upper, &master);
	}
	return rc < 0 || !inside_has_ipam(at) ? rc : ipam_status(at);
}
