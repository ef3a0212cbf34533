/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, volumes, secrets and configs of a Compose file. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

/* Long ago a map with the name. */
static int read_external(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	if (n->kind == YAML_MAP)
		return read_error(r, n, "write external: true, and name beside it");
	return read_bool(r, n, out, arg);
}

#define SUBNET(member) offsetof(struct compose_subnet, member)

static const struct read_key subnet_keys[] = {
	{ "aux_addresses", read_refuse, 0, "give the network an ip_range without them" },
	{ "gateway", read_string, SUBNET(gateway) },
	{ "ip_range", read_string, SUBNET(ip_range) },
	{ "subnet", read_string, SUBNET(subnet) },
};
static const struct read_table subnet_table = { subnet_keys, ARRAY_SIZE(subnet_keys),
						sizeof(struct compose_subnet) };
static const struct read_list_of subnet_list = { read_map, sizeof(struct compose_subnet),
						 &subnet_table };

static const char *const ipam_words[] = { "default", NULL };
static const struct read_words ipam_only = { ipam_words, "only default is possible" };

static const struct read_key ipam_keys[] = {
	{ "config", read_list, offsetof(struct compose_ipam, config), &subnet_list },
	{ "driver", read_one_of, 0, &ipam_only },
	{ "options", read_refuse, 0, "there are none here" },
};
static const struct read_table ipam_table = { ipam_keys, ARRAY_SIZE(ipam_keys),
					      sizeof(struct compose_ipam) };

static int read_driver(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const char *const words[] = { "bridge", "macvlan", "ipvlan", "default", NULL };
	static const struct read_words drivers = { words, "only bridge, macvlan and ipvlan" };

	(void)arg;
	*(char **)out = n->text;
	return read_one_of(r, n, NULL, &drivers);
}

static const char *const true_words[] = { "true", NULL };
static const struct read_words ipv4_only = { true_words, "IPv4 is always there" };

#define NETWORK(member) offsetof(struct compose_network, member)

static const struct read_key network_keys[] = {
	{ "attachable", read_ignore, 0 },
	{ "driver", read_driver, NETWORK(driver) },
	{ "driver_opts", read_pairs, NETWORK(driver_opts) },
	{ "enable_ipv4", read_one_of, 0, &ipv4_only },
	{ "enable_ipv6", read_false, 0, "write an IPv6 subnet under ipam" },
	{ "external", read_external, NETWORK(external) },
	{ "internal", read_bool, NETWORK(internal) },
	{ "ipam", read_map, NETWORK(ipam), &ipam_table },
	{ "labels", read_refuse, 0, "networks have no labels here" },
	{ "name", read_string, NETWORK(name) },
};

/* What the rest of a map would say is somebody else's to say. */
static int check_external(struct reader *r, const struct yaml_node *n)
{
	for (const struct yaml_node *m = n->first; m; m = m->next)
		if (strcmp(m->key, "external") != 0 && strcmp(m->key, "name") != 0 &&
		    strncmp(m->key, "x-", 2) != 0)
			return read_error(r, m, "\"%.40s\" does not go with external", m->key);
	return 0;
}

static int check_network(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_network *net = out;

	for_each (o, &net->driver_opts)
		if (strcmp(o->key, "parent") != 0 && strcmp(o->key, "mtu") != 0 &&
		    strcmp(o->key, "com.docker.network.driver.mtu") != 0 &&
		    strcmp(o->key, "com.docker.network.bridge.name") != 0)
			return read_error(r, yaml_get(n, "driver_opts"),
					  "tote does not know \"%.60s\": parent and mtu", o->key);
	return net->external ? check_external(r, n) : 0;
}

static const struct read_table network_table = { network_keys, ARRAY_SIZE(network_keys),
						 sizeof(struct compose_network), check_network };

int read_top_network(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_network *net = out;

	(void)arg;
	net->node = n;
	return yaml_is_null(n) ? 0 : read_map(r, n, out, &network_table);
}

static const char *const volume_words[] = { "local", NULL };
static const struct read_words volume_only = { volume_words, "volumes are in tote's store" };

static const struct read_key volume_keys[] = {
	{ "driver", read_one_of, 0, &volume_only },
	{ "driver_opts", read_refuse, 0, "mount it on the host, and name its path in the service" },
	{ "external", read_external, offsetof(struct compose_volume, external) },
	{ "labels", read_refuse, 0, "volumes have no labels here" },
	{ "name", read_string, offsetof(struct compose_volume, name) },
};

static int check_volume(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_volume *v = out;

	return v->external ? check_external(r, n) : 0;
}

static const struct read_table volume_table = { volume_keys, ARRAY_SIZE(volume_keys),
						sizeof(struct compose_volume), check_volume };

int read_top_volume(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_volume *v = out;

	(void)arg;
	v->node = n;
	return yaml_is_null(n) ? 0 : read_map(r, n, out, &volume_table);
}

#define CONTENT(member) offsetof(struct compose_content, member)
#define EXTERNAL "there is no store of secrets and configs: write file, environment or content"

static const struct read_key secret_keys[] = {
	{ "driver", read_refuse, 0, EXTERNAL },
	{ "driver_opts", read_refuse, 0, EXTERNAL },
	{ "environment", read_string, CONTENT(environment) },
	{ "external", read_false, 0, EXTERNAL },
	{ "file", read_string, CONTENT(file) },
	{ "labels", read_refuse, 0, "secrets have no labels here" },
	{ "name", read_string, CONTENT(name) },
	{ "template_driver", read_refuse, 0, "there are no templates here" },
};
static const struct read_key config_keys[] = {
	{ "content", read_string, CONTENT(content) },
	{ "environment", read_string, CONTENT(environment) },
	{ "external", read_false, 0, EXTERNAL },
	{ "file", read_string, CONTENT(file) },
	{ "labels", read_refuse, 0, "configs have no labels here" },
	{ "name", read_string, CONTENT(name) },
	{ "template_driver", read_refuse, 0, "there are no templates here" },
};

static int check_content(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_content *c = out;

	if (!!c->file + !!c->environment + !!c->content == 1)
		return 0;
	return read_error(r, n, "one of file, environment and content has to be there");
}

static const struct read_table secret_table = { secret_keys, ARRAY_SIZE(secret_keys),
						sizeof(struct compose_content), check_content };
static const struct read_table config_table = { config_keys, ARRAY_SIZE(config_keys),
						sizeof(struct compose_content), check_content };

static int read_content(struct reader *r, const struct yaml_node *n, struct compose_content *c,
			const struct read_table *table)
{
	c->node = n;
	return read_map(r, n, c, table);
}

int read_top_secret(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	return read_content(r, n, out, &secret_table);
}

int read_top_config(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	return read_content(r, n, out, &config_table);
}
