/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin "firewall": admits what a container sends and receives through the host's firewall. Which
 * "backend" that is makes no difference here, and there is no chain for iptablesAdminChainName: who
 * wants to forbid more drops it in a chain of his own, which nothing can undo.
 */
#include "netns/firewall.h"

#include "lib/cleanup.h"
#include "netns/attach_ips.h"
#include "netns/plugin.h"
#include "netns/port.h"

#include <errno.h>

struct firewall_conf {
	int backend;
	int ingress;
};

static const struct json_enum_value backends[] = {
	{ "iptables", 0 }, { "firewalld", 0 }, { "nftables", 0 }, { "", 0 }, { NULL, 0 }
};

static const struct json_enum_value policies[] = {
	{ "open", false }, { "same-bridge", true }, { "", false }, { NULL, 0 }
};

static const struct json_field conf_fields[] = {
	{ "backend", json_enum, offsetof(struct firewall_conf, backend), 0, backends },
	{ "ingressPolicy", json_enum, offsetof(struct firewall_conf, ingress), 0, policies },
};

static const struct json_table conf_table = { conf_fields, ARRAY_SIZE(conf_fields),
					      sizeof(struct firewall_conf), NULL };

static int read_wish(struct attach *at, const char *key, struct firewall_wish *ret_wish)
{
	struct firewall_conf conf = { 0 };
	struct ip_nets ips = attach_ips(at);
	int rc = json_decode(at->conf, &conf_table, at->arena, &conf, at->err);

	*ret_wish = (struct firewall_wish){ .owner = key,
					    .addresses = ips.items,
					    .address_count = ips.count,
					    .same_bridge = conf.ingress };
	return rc;
}

static int plugin_add(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct firewall_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	return rc < 0 ? rc : firewall_add(&wish, at->err);
}

/* Mostly the last in its list, and thus the first to be deleted. One change for all is faster by 0.3 ms. */
static int plugin_del(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	int rc;

	attach_key(at, key);
	if (at->single)
		return firewall_remove(key, at->err);
	rc = port_forget(key, at->err);
	at->rules_gone = rc >= 0;
	return rc;
}

static int want(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct firewall_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	if (rc == 0)
		firewall_want(&at->rules->admitted, &wish);
	return rc;
}

static int plugin_check(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct firewall_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	return rc < 0 ? rc : firewall_check(&wish, at->err);
}

const struct plugin plugin_firewall = {
	.type = "firewall",
	.add = plugin_add,
	.del = plugin_del,
	.want = want,
	.check = plugin_check,
};
