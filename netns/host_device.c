/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI's "host-device": an interface of the host becomes a container's. Its name on the host is kept
 * with it as its alias from before it leaves until it is back, so that DEL finds it whatever the
 * container called it, and whether or not the container's namespace is still there: hardware returns
 * to the host by itself when its namespace ends, under the name it has by then.
 */
#include "netns/host_device.h"
#include "lib/cleanup.h"
#include "netns/inside.h"
#include "netns/ipam.h"
#include "netns/ns.h"
#include "netns/plugin.h"

#include <errno.h>
#include <string.h>

/* An interface that is lent, and its name on the host. */
struct lent {
	struct link link;
	char home[IFNAMSIZ];
};

/* Whether an interface is the one that the configuration speaks of, by what it was called. */
static bool is_wanted(const struct host_device *device, const struct lent *lent)
{
	if (device->name)
		return strcmp(lent->home, device->name) == 0;
	/* The container may have changed its address. */
	return !device->has_mac || !lent->link.has_mac ||
	       memcmp(device->mac, lent->link.mac, LINK_MAC_SIZE) == 0;
}

static bool read_lent(const struct nlmsghdr *nlh, struct lent *lent)
{
	const struct nlattr *attrs[IFLA_IFALIAS + 1];
	const struct nlattr *alias;

	memset(lent, 0, sizeof(*lent));
	if (!link_read(nlh, &lent->link))
		return false;
	rtnl_attrs(nlh, sizeof(struct ifinfomsg), attrs, ARRAY_SIZE(attrs));
	alias = attrs[IFLA_IFALIAS];
	if (!alias || nl_size(alias) > IFNAMSIZ)
		return false;
	memcpy(lent->home, nl_data(alias), nl_size(alias));
	return lent->home[IFNAMSIZ - 1] == '\0' && link_name_ok(lent->home);
}

/* What is lent and lies in the socket's namespace: 1, 0 when there is nothing, or -errno. The name it
 * was given is the best sign. */
static int find_lent(struct rtnl *r, const struct host_device *device, const char *ifname,
		     struct lent *ret_lent, struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	autobuf replies = BUF_INIT;
	struct lent lent;
	int found = 0;
	int rc;

	nl_put_u32(rtnl_request(r, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info), "of all"),
		   IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));) {
		if (!read_lent(nlh, &lent) || !is_wanted(device, &lent))
			continue;
		if (found && strcmp(lent.link.name, ifname) != 0)
			continue;
		*ret_lent = lent;
		found = 1;
	}
	return found;
}

static void set_alias(struct rtnl *r, const struct link *link, const char *alias)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };
	struct nlmsghdr *nlh =
		rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info), "alias of %s", link->name);

	nl_put(nlh, IFLA_IFALIAS, strlen(alias), alias);
}

static int lend(struct attach *at, const struct host_device *device, struct link *ret_link)
{
	struct rtnl *host, *inside;
	struct link link;
	int rc = attach_host(at, &host);

	if (rc >= 0)
		rc = attach_inside(at, &inside);
	if (rc >= 0)
		rc = host_device_find(host, device, at->arena, &link, at->err);
	if (rc < 0)
		return rc;
	if (link.flags & IFF_LOOPBACK)
		return err_set(at->err, EINVAL,
			       "a loopback interface cannot leave its network namespace");
	if (link_find(inside, at->ifname, ret_link, at->err) == 0)
		return err_set(at->err, EEXIST, "container %s has an interface %s already",
			       at->container, at->ifname);
	set_alias(host, &link, link.name);
	rc = rtnl_run(host, NULL, at->err);
	if (rc < 0)
		return rc;
	link_move(host, &link, at->netns_fd, at->ifname);
	rc = rtnl_run(host, NULL, at->err);
	if (rc < 0)
		return rc;
	return link_find(inside, at->ifname, ret_link, at->err);
}

static int add(struct attach *at)
{
	char mac[LINK_MAC_TEXT_SIZE];
	struct host_device device;
	struct link link;
	int rc = host_device_read(at, &device);

	if (rc >= 0 && inside_has_ipam(at))
		rc = ipam_add(at);
	if (rc >= 0)
		rc = lend(at, &device, &link);
	if (rc < 0)
		return rc;
	cni_add_interface(&at->result, at->arena, at->ifname,
			  link.has_mac ? link_mac_text(link.mac, mac) : NULL, at->netns_path);
	return inside_configure(at, &link);
}

/* Takes the mark off, and gives the name back to what came home by itself. */
static int tidy_host(struct attach *at, const struct host_device *device)
{
	struct rtnl *host;
	struct lent lent;
	int rc = attach_host(at, &host);

	if (rc >= 0)
		rc = find_lent(host, device, at->ifname, &lent, at->err);
	if (rc <= 0)
		return rc;
	if (strcmp(lent.link.name, lent.home) != 0) {
		/* Linux before 6.2 renames only what is down. */
		link_down(host, &lent.link);
		link_rename(host, &lent.link, lent.home);
	}
	set_alias(host, &lent.link, "");
	return rtnl_run(host, NULL, at->err);
}

static int give_back(struct attach *at, const struct host_device *device)
{
	autofd home = ns_open_own(at->err);
	struct rtnl *host, *inside;
	struct link taken;
	struct lent lent;
	int rc = home;

	if (rc >= 0)
		rc = attach_inside(at, &inside);
	if (rc >= 0)
		rc = attach_host(at, &host);
	if (rc >= 0)
		rc = find_lent(inside, device, at->ifname, &lent, at->err);
	if (rc <= 0)
		return rc;
	if (link_find(host, lent.home, &taken, at->err) == 0)
		return err_set(at->err, EEXIST,
			       "cannot give %s back as %s: the host has an interface "
			       "of that name; rename or remove it",
			       lent.link.name, lent.home);
	link_move(inside, &lent.link, home, lent.home);
	rc = rtnl_run(inside, NULL, at->err);
	return rc < 0 ? err_prefix(at->err, "cannot give %s back as %s", lent.link.name, lent.home)
		      : rc;
}

static int del(struct attach *at)
{
	struct host_device device;
	struct err first;
	int rc = host_device_read(at, &device);
	int given = 0;

	if (rc < 0)
		return rc;
	if (at->netns_fd >= 0)
		given = give_back(at, &device);
	if (given >= 0)
		given = tidy_host(at, &device);
	first = *at->err;
	rc = ipam_del(at);
	if (given < 0)
		*at->err = first;
	return given < 0 ? given : rc;
}

static int check(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = link_find(inside, at->ifname, &link, at->err);
	if (rc >= 0 && inside_has_ipam(at))
		rc = ipam_check(at);
	return rc < 0 ? rc : inside_check(at, &link);
}

const struct plugin plugin_host_device = {
	.type = "host-device",
	.add = add,
	.del = del,
	.check = check,
	.status = ipam_status,
	.gc = ipam_gc,
};
