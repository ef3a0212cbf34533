/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/create.h"

#include "lib/cleanup.h"
#include "netns/link.h"
#include "netns/subnet.h"

#include <errno.h>
#include <string.h>

#define BRIDGE_PREFIX "tote-"

/* The same every time, so that what a crash left is found; a hash where the name is too long. */
static const char *derive_bridge(const char *name, struct arena *a)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	if (strlen(BRIDGE_PREFIX) + strlen(name) < IFNAMSIZ && !strchr(name, '.'))
		return arena_printf(a, BRIDGE_PREFIX "%s", name);
	for (const char *p = name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return arena_printf(a, BRIDGE_PREFIX "%010llx", (unsigned long long)hash >> 24);
}

static const char *network_of_bridge(const struct cni_networks *networks, const char *bridge)
{
	for_each (network, networks)
		for (const struct json_value *p = network->plugins->first; p; p = p->next)
			if (strcmp(conf_text(p, "type"), "bridge") == 0 &&
			    strcmp(conf_text(p, "bridge"), bridge) == 0)
				return network->name;
	return NULL;
}

/* *ret_index: of a bridge that is there already and is to be used; 0: none. */
static int choose_bridge(struct rtnl *r, const struct cni_networks *networks, struct arena *a,
			 struct create_wish *wish, int *ret_index, struct err *err)
{
	bool given = wish->bridge;
	const char *bridge = given ? wish->bridge : derive_bridge(wish->name, a);
	const char *other = network_of_bridge(networks, bridge);
	struct link link;
	int rc = link_find(r, bridge, &link, err);

	if (rc < 0 && rc != -ENODEV)
		return rc;
	if (rc == 0 && strcmp(link.kind, "bridge") != 0)
		return err_set(err, EEXIST,
			       "%s exists and is no bridge (%s): give another name with --bridge",
			       bridge, link.kind[0] ? link.kind : "a network card");
	if (rc == 0 && !given)
		return err_set(
			err, EEXIST,
			"there is a bridge %s already, which network %s did not make: use it "
			"with --bridge %s, or give another name",
			bridge, wish->name, bridge);
	if (other && !given)
		return err_set(err, EEXIST,
			       "network %s has the bridge %s: give another name with --bridge",
			       other, bridge);
	wish->bridge = bridge;
	wish->own_bridge = rc == -ENODEV && !other;
	*ret_index = rc == 0 ? link.index : 0;
	return 0;
}

static int choose_parent(struct rtnl *r, struct arena *a, const struct create_wish *wish,
			 int *ret_index, struct err *err)
{
	struct link_list links;
	const char *names = "";
	struct link link;
	int rc = link_find(r, wish->parent, &link, err);

	if (rc == 0) {
		*ret_index = link.index;
		return 0;
	}
	if (rc != -ENODEV)
		return err_prefix(err, "--parent");
	rc = link_list(r, 0, NULL, a, &links, err);
	if (rc < 0)
		return rc;
	for_each (l, &links)
		if (!(l->flags & IFF_LOOPBACK))
			names = arena_printf(a, "%s%s%s", names, *names ? ", " : "", l->name);
	return err_set(err, ENODEV, "--parent: the host has no network interface %s; it has: %s",
		       wish->parent, names);
}

/* shared: index of an interface whose subnet the network joins; 0: none. */
static int check_subnets(const struct subnet_uses *uses, const struct create_wish *wish, int shared,
			 struct err *err)
{
	for_each (subnet, &wish->subnets) {
		const struct subnet_use *use = subnet_taken(uses, &subnet->net, shared);
		char text[IP_TEXT_SIZE];

		if (use)
			return err_set(err, EEXIST,
				       "the subnet %s of network %s overlaps with %s: choose "
				       "another with --subnet",
				       ip_net_text(&subnet->net, text), wish->name, use->what);
	}
	return 0;
}

static int choose_subnets(struct rtnl *r, const struct cni_networks *networks, struct arena *a,
			  struct create_wish *wish, int shared, struct err *err)
{
	struct subnet_uses uses = { NULL, 0 };
	int rc = subnet_add_host(r, a, &uses, err);

	if (rc < 0)
		return rc;
	subnet_add_networks(networks, a, &uses);
	if (wish->subnets.count || wish->parent)
		return check_subnets(&uses, wish, shared, err);
	rc = subnet_choose(&uses, &wish->subnets.items[0].net, err);
	wish->subnets.count = rc == 0;
	return rc;
}

int create_choose(const struct cni_networks *networks, struct arena *a, struct create_wish *wish,
		  struct err *err)
{
	static struct rtnl host;
	int shared = 0, rc = rtnl_open(&host, -1, err);

	if (rc < 0)
		return rc;
	if (strcmp(wish->driver, "bridge") == 0)
		rc = choose_bridge(&host, networks, a, wish, &shared, err);
	else if (wish->parent)
		rc = choose_parent(&host, a, wish, &shared, err);
	if (rc == 0)
		rc = choose_subnets(&host, networks, a, wish, shared, err);
	rtnl_close(&host);
	return rc;
}
