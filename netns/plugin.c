/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/plugin.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct plugin *const plugins[] = {
	&plugin_bridge, &plugin_portmap, &plugin_firewall,  &plugin_tuning, &plugin_loopback,
	&plugin_ptp,	&plugin_macvlan, &plugin_bandwidth, &plugin_ipvlan, &plugin_host_device,
};

const struct plugin *plugin_find(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++)
		if (strcmp(plugins[i]->type, type) == 0)
			return plugins[i];
	return NULL;
}

static int open_socket(struct rtnl **sock, int netns_fd, struct err *err)
{
	int rc;

	if (*sock)
		return 0;
	*sock = malloc(sizeof(**sock));
	if (!*sock)
		return err_code(err, ENOMEM, "cannot open a netlink socket");
	rc = rtnl_open(*sock, netns_fd, err);
	if (rc < 0) {
		free(*sock);
		*sock = NULL;
	}
	return rc;
}

int attach_host(struct attach *at, struct rtnl **ret)
{
	int rc = open_socket(&at->host, -1, at->err);

	if (rc >= 0)
		*ret = at->host;
	return rc;
}

int attach_netns(struct attach *at)
{
	int rc = at->await_netns ? at->await_netns(at) : 0;

	if (rc == 0)
		at->await_netns = NULL;
	return rc;
}

int attach_inside(struct attach *at, struct rtnl **ret)
{
	int rc = attach_netns(at);

	if (rc < 0)
		return rc;
	if (at->netns_fd < 0)
		return err_set(at->err, ENOENT, "the network namespace of container %s is gone",
			       at->container);
	rc = open_socket(&at->inside, at->netns_fd, at->err);
	if (rc >= 0)
		*ret = at->inside;
	return rc;
}

static void close_socket(struct rtnl **sock)
{
	if (*sock)
		rtnl_close(*sock);
	free(*sock);
	*sock = NULL;
}

void attach_close(struct attach *at)
{
	close_socket(&at->host);
	close_socket(&at->inside);
}

struct hash {
	uint64_t a, b;
};

/* Two lanes of FNV-1a, the second with other constants. */
static void hash_add(struct hash *h, const char *text)
{
	for (const char *c = text;; c++) {
		h->a = (h->a ^ (uint8_t)*c) * 0x100000001b3;
		h->b = (h->b ^ (uint8_t)*c) * 0x9e3779b97f4a7c15;
		h->b ^= h->b >> 29;
		if (!*c)
			return;
	}
}

static uint64_t hash_mix(uint64_t v)
{
	v = (v ^ (v >> 33)) * 0xff51afd7ed558ccd;
	v = (v ^ (v >> 33)) * 0xc4ceb9fe1a85ec53;
	return v ^ (v >> 33);
}

/* Never to be changed: a newer tote has to find what an older one made. */
void attach_key(const struct attach *at, char ret_key[ATTACH_KEY_SIZE])
{
	struct hash h = { .a = 0xcbf29ce484222325, .b = 0x2545f4914f6cdd1d };

	hash_add(&h, at->network);
	hash_add(&h, at->container);
	hash_add(&h, at->ifname);
	snprintf(ret_key, ATTACH_KEY_SIZE, "%016llx%08llx", (unsigned long long)hash_mix(h.a),
		 (unsigned long long)hash_mix(h.b) & 0xffffffff);
}

/* What the key begins with, so that a person finds one by the other. */
void attach_name(const struct attach *at, const char *prefix, char ret_name[IFNAMSIZ])
{
	char key[ATTACH_KEY_SIZE];

	attach_key(at, key);
	snprintf(ret_name, IFNAMSIZ, "%s%.11s", prefix, key);
}

const char *attach_arg(const struct attach *at, const char *name)
{
	size_t len = strlen(name);

	for (const char *arg = at->args; arg && *arg;) {
		size_t size = strcspn(arg, ";");

		if (size > len && strncmp(arg, name, len) == 0 && arg[len] == '=')
			return arena_strndup(at->arena, arg + len + 1, size - len - 1);
		arg += size;
		arg += *arg == ';';
	}
	return NULL;
}
