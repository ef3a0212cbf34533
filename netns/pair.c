/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/pair.h"

#include "lib/cleanup.h"
#include "netns/link_add.h"
#include "netns/link_delete.h"
#include "netns/ns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pair_check_free(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int rc;

	/* One that is still being made has none. */
	if (at->await_netns)
		return 0;
	rc = attach_inside(at, &inside);
	if (rc < 0)
		return rc;
	rc = link_find(inside, at->ifname, &link, at->err);
	if (rc < 0)
		return rc == -ENODEV ? 0 : rc;
	at->name_taken = true;
	return err_set(at->err, EEXIST, "container %s has an interface %s already", at->container,
		       at->ifname);
}

static const char *string_of(const struct json_value *object, const char *key)
{
	const struct json_value *v =
		object && object->kind == JSON_OBJECT ? json_get(object, key) : NULL;

	return v && v->kind == JSON_STRING && *v->text ? v->text : NULL;
}

static const struct json_value *member(const struct json_value *object, const char *key)
{
	return object && object->kind == JSON_OBJECT ? json_get(object, key) : NULL;
}

/* 1, 0 when nobody asks for one, or -EINVAL. */
static int wanted_mac(const struct attach *at, uint8_t ret_mac[LINK_MAC_SIZE])
{
	const char *text = string_of(at->runtime, "mac");

	if (!text)
		text = string_of(member(member(at->conf, "args"), "cni"), "mac");
	if (!text)
		text = attach_arg(at, "MAC");
	if (!text)
		return 0;
	if (link_mac_parse(text, ret_mac) < 0)
		return err_set(at->err, EINVAL, "\"%s\" is not an interface's hardware address",
			       text);
	return 1;
}

/* Both ends and what the host's is to be as a port, in one go; ret_link is the host's. */
static int make(struct attach *at, const struct pair_wish *wish, const uint8_t *mac,
		struct link *ret_link)
{
	char name[IFNAMSIZ];
	struct link_add host = {
		.name = name,
		.netns_fd = -1,
		.master = wish->master ? wish->master->index : 0,
		.mtu = wish->mtu,
		.no_queue = true,
	};
	struct link_add inside = {
		.name = at->ifname,
		.netns_fd = at->netns_fd,
		.mtu = wish->mtu,
		.mac = mac,
		.no_queue = true,
	};
	struct link port = { .name = "" };
	autobuf replies = BUF_INIT;
	int rc;

	attach_name(at, "veth", name);
	strcpy(port.name, name);
	link_add_veth(at->host, &host, &inside);
	if (wish->hairpin)
		link_set_hairpin(at->host, &port, true);
	if (wish->isolated)
		link_set_isolated(at->host, &port, true);
	link_ask(at->host, name);
	if (wish->master)
		link_ask_index(at->host, wish->master->index);
	/* The kernel looks at a new interface's carrier when it is asked about it. Without one it stops what is
	 * up, and waits for all readers: so it comes up after the question. */
	link_up(at->host, &port);
	rc = rtnl_run(at->host, &replies, at->err);
	if (rc < 0)
		return link_add_explain("veth", at->err);
	if (!link_answer(&replies, name, ret_link) ||
	    (wish->master && !link_answer(&replies, wish->master->name, wish->master)))
		return err_set(at->err, EPROTO, "netlink: RTM_GETLINK %s has no answer", name);
	return 0;
}

/* 1, 0 when there is none, or -errno. */
static int delete_end(struct attach *at, struct rtnl *r, const char *name)
{
	struct link link;
	int rc = link_find(r, name, &link, at->err);

	if (rc < 0)
		return rc == -ENODEV ? 0 : rc;
	if (strcmp(link.kind, "veth") != 0)
		return 0;
	if (at->later && r == at->host) {
		buf_add(at->later, &link.index, sizeof(link.index));
		return 1;
	}
	rc = link_delete_found(r, &link, at->err);
	return rc < 0 ? rc : 1;
}

static int delete_host_end(struct attach *at)
{
	struct rtnl *host;
	char name[IFNAMSIZ];
	int rc = attach_host(at, &host);

	attach_name(at, "veth", name);
	return rc < 0 ? rc : delete_end(at, host, name);
}

int pair_add(struct attach *at, const struct pair_wish *wish, struct pair *ret_pair)
{
	uint8_t mac[LINK_MAC_SIZE];
	struct rtnl *host, *inside;
	int has_mac = wanted_mac(at, mac);
	int rc = has_mac < 0 ? has_mac : attach_host(at, &host);

	if (rc >= 0)
		rc = attach_inside(at, &inside);
	if (rc < 0)
		return rc;
	rc = make(at, wish, has_mac ? mac : NULL, &ret_pair->host);
	/* The container had no such interface a moment ago. */
	if (rc == -EEXIST) {
		rc = delete_host_end(at);
		if (rc >= 0)
			rc = make(at, wish, has_mac ? mac : NULL, &ret_pair->host);
	}
	if (rc >= 0)
		rc = link_find(inside, at->ifname, &ret_pair->inside, at->err);
	return rc;
}

static int switch_off(const struct attach *at, const char *ifname, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "net/ipv6/conf/%s/%s", ifname, what);
	return ns_sysctl(-1, name, "0", at->err);
}

static int ipv6_settings(const struct attach *at, bool echoes)
{
	int home = ns_enter(at->netns_fd, at->err);
	int rc;

	if (home < 0)
		return home;
	rc = switch_off(at, "lo", "disable_ipv6");
	if (rc >= 0)
		rc = switch_off(at, at->ifname, "disable_ipv6");
	if (rc >= 0 && echoes)
		rc = switch_off(at, at->ifname, "accept_dad");
	ns_leave(home);
	return rc == -ENOENT
		       ? err_set(at->err, EAFNOSUPPORT,
				 "the kernel has no IPv6, which network %s wants", at->network)
		       : rc;
}

int pair_settings(struct attach *at, const struct link *inside, bool echoes)
{
	bool has_ipv6 = false;
	int rc;

	for_each (ip, &at->result.ips)
		has_ipv6 |= ip->address.ip.family == AF_INET6;
	rc = has_ipv6 ? ipv6_settings(at, echoes) : 0;
	/* Neighbours learn at once who has the address now. */
	if (rc >= 0)
		link_set_arp_notify(at->inside, inside);
	return rc < 0 ? rc : 0;
}

static void report(struct attach *at, const struct link *link, const char *sandbox)
{
	char mac[LINK_MAC_TEXT_SIZE];

	cni_add_interface(&at->result, at->arena, link->name, link_mac_text(link->mac, mac),
			  sandbox)
		->mtu = link->mtu;
}

void pair_report(struct attach *at, const struct pair *pair)
{
	report(at, &pair->host, NULL);
	report(at, &pair->inside, at->netns_path);
}

/* What has the container's end's name, but no result speaks of, is not ours to take. */
static bool is_of_result(const struct attach *at)
{
	if (!at->has_result)
		return false;
	for_each (interface, &at->result.interfaces)
		if (interface->sandbox && *interface->sandbox &&
		    strcmp(interface->name, at->ifname) == 0)
			return true;
	return false;
}

int pair_delete(struct attach *at)
{
	struct rtnl *inside;
	int rc = delete_host_end(at);

	if (rc == 0 && at->netns_fd >= 0 && is_of_result(at)) {
		rc = attach_inside(at, &inside);
		if (rc >= 0)
			rc = delete_end(at, inside, at->ifname);
	}
	return rc < 0 ? rc : 0;
}

static int check_mac(const struct attach *at, const struct link *link, bool in_sandbox)
{
	char mac[LINK_MAC_TEXT_SIZE];

	for_each (interface, &at->result.interfaces) {
		bool sandboxed = interface->sandbox && *interface->sandbox;

		if (strcmp(interface->name, link->name) == 0 && sandboxed == in_sandbox &&
		    interface->mac && *interface->mac &&
		    strcasecmp(interface->mac, link_mac_text(link->mac, mac)) != 0)
			return err_set(at->err, ENOENT,
				       "%s has the hardware address %s, it was given %s",
				       link->name, mac, interface->mac);
	}
	return 0;
}

/* The host's end goes by the name that the result has for it: the pair may be another plugin's. */
static int find_host_end(struct attach *at, const struct pair *pair, struct link *ret_link)
{
	struct rtnl *host;
	int rc = attach_host(at, &host);

	if (rc >= 0)
		rc = link_find_index(host, pair->inside.other, ret_link, at->err);
	if (rc == -ENODEV || (rc >= 0 && strcmp(ret_link->kind, "veth") != 0))
		return err_set(at->err, ENOENT, "the host's end of %s of container %s is gone",
			       at->ifname, at->container);
	return rc;
}

/* What another's plugin made it masquerades as well, and not by our table. */
static bool is_ours(const struct attach *at, const struct link *host_end)
{
	char name[IFNAMSIZ];

	attach_name(at, "veth", name);
	return strcmp(host_end->name, name) == 0;
}

int pair_check(struct attach *at, int master, struct pair *ret_pair)
{
	struct rtnl *inside;
	int rc = attach_inside(at, &inside);

	if (rc < 0)
		return rc;
	rc = link_find(inside, at->ifname, &ret_pair->inside, at->err);
	if (rc == -ENODEV || (rc >= 0 && strcmp(ret_pair->inside.kind, "veth") != 0))
		return err_set(at->err, ENOENT, "container %s has no veth %s", at->container,
			       at->ifname);
	if (rc >= 0)
		rc = find_host_end(at, ret_pair, &ret_pair->host);
	if (rc < 0)
		return rc;
	if (!(ret_pair->host.flags & IFF_UP))
		return err_set(at->err, ENOENT, "%s, the host's end of %s of container %s, is down",
			       ret_pair->host.name, at->ifname, at->container);
	if (master && ret_pair->host.master != master)
		return err_set(at->err, ENOENT,
			       "%s, the host's end of %s of container %s, is not in its bridge",
			       ret_pair->host.name, at->ifname, at->container);
	rc = check_mac(at, &ret_pair->host, false);
	if (rc >= 0)
		rc = check_mac(at, &ret_pair->inside, true);
	return rc < 0 || !is_ours(at, &ret_pair->host) ? rc : pair_check_masquerade(at);
}
