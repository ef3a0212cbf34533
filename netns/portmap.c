/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin "portmap": ports of the host to a container, as the runtime asks for by runtimeConfig's
 * "portMappings". What its configuration says about iptables is read so:
 *
 *	snat, masqAll			whose address the container sees: enum port_source
 *	markMasqBit, externalSetMarkChain  without effect, since nothing is marked
 *	conditionsV4, conditionsV6	refused, since a match of iptables has no place in our maps
 */
#include "lib/cleanup.h"
#include "lib/file.h"
#include "netns/attach_ips.h"
#include "netns/link_towards.h"
#include "netns/ns.h"
#include "netns/plugin.h"
#include "netns/port.h"
#include "netns/port_wish.h"
#include "netns/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct mapping {
	int64_t host_port, container_port;
	char *protocol, *host_ip;
};

struct portmap_conf {
	struct opt_bool snat;
	bool masquerade_all;
	int backend;
	struct opt_u32 mark_bit;
	char *mark_chain;
	struct strv conditions4, conditions6;
};

static const struct json_enum_value backends[] = { { "iptables", 0 },
						   { "nftables", 0 },
						   { NULL, 0 } };

static int judge(struct json_ctx *ctx, void *out)
{
	const struct portmap_conf *c = out;

	if (c->conditions4.count || c->conditions6.count)
		return json_error(ctx,
				  "portmap: conditionsV4 and conditionsV6 are not supported; give "
				  "the port mapping a hostIP, or use the program \"portmap\" by "
				  "another name");
	if (c->mark_bit.set && c->mark_bit.value > 31)
		return json_error(ctx, "portmap: markMasqBit must be from 0 to 31");
	if (c->mark_bit.set && c->mark_chain)
		return json_error(
			ctx, "portmap: markMasqBit and externalSetMarkChain exclude each other");
	return 0;
}

static const struct json_field conf_fields[] = {
	{ "snat", json_opt_bool, offsetof(struct portmap_conf, snat) },
	{ "masqAll", json_bool, offsetof(struct portmap_conf, masquerade_all) },
	{ "backend", json_enum, offsetof(struct portmap_conf, backend), 0, backends },
	{ "markMasqBit", json_opt_u32, offsetof(struct portmap_conf, mark_bit) },
	{ "externalSetMarkChain", json_string, offsetof(struct portmap_conf, mark_chain) },
	{ "conditionsV4", json_strv, offsetof(struct portmap_conf, conditions4) },
	{ "conditionsV6", json_strv, offsetof(struct portmap_conf, conditions6) },
};

static const struct json_table conf_table = { conf_fields, ARRAY_SIZE(conf_fields),
					      sizeof(struct portmap_conf), judge };

/* containerd's names for these begin with a capital letter. */
static const struct json_field mapping_fields[] = {
	{ "hostPort", json_i64, offsetof(struct mapping, host_port),
	  JSON_REQUIRED | JSON_ANY_CASE },
	{ "containerPort", json_i64, offsetof(struct mapping, container_port),
	  JSON_REQUIRED | JSON_ANY_CASE },
	{ "protocol", json_string, offsetof(struct mapping, protocol), JSON_ANY_CASE },
	{ "hostIP", json_string, offsetof(struct mapping, host_ip), JSON_ANY_CASE },
};

static const struct json_table mapping_table = { mapping_fields, ARRAY_SIZE(mapping_fields),
						 sizeof(struct mapping), NULL };
static const struct json_list_of mapping_list = { json_object, sizeof(struct mapping),
						  &mapping_table };

struct runtime {
	LIST(struct mapping) mappings;
};

static const struct json_field runtime_fields[] = {
	{ "portMappings", json_list, offsetof(struct runtime, mappings), 0, &mapping_list },
};

static const struct json_table runtime_table = { runtime_fields, ARRAY_SIZE(runtime_fields),
						 sizeof(struct runtime), NULL };

static int read_protocol(const char *name, uint8_t *ret_protocol)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = { { "tcp", IPPROTO_TCP },
			  { "udp", IPPROTO_UDP },
			  { "sctp", IPPROTO_SCTP } };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strcasecmp(name && *name ? name : "tcp", protocols[i].name) != 0)
			continue;
		*ret_protocol = protocols[i].number;
		return 0;
	}
	return -EINVAL;
}

static int read_mapping(const struct mapping *m, struct port_map *ret_map, struct err *err)
{
	if (m->host_port < 1 || m->host_port > 65535)
		return err_set(err, EINVAL, "portMappings: %lld is no port of the host",
			       (long long)m->host_port);
	if (m->container_port < 1 || m->container_port > 65535)
		return err_set(err, EINVAL, "portMappings: %lld is no port of a container",
			       (long long)m->container_port);
	*ret_map = (struct port_map){ .host_port = (uint16_t)m->host_port,
				      .container_port = (uint16_t)m->container_port,
				      .count = 1 };
	if (read_protocol(m->protocol, &ret_map->protocol) < 0)
		return err_set(err, EINVAL,
			       "portMappings: protocol \"%s\" is not one of tcp, udp, sctp",
			       m->protocol);
	if (m->host_ip && *m->host_ip && ip_parse(m->host_ip, &ret_map->host_ip) < 0)
		return err_set(err, EINVAL, "portMappings: hostIP \"%s\" is not an IP address",
			       m->host_ip);
	return 0;
}

static int read_wish(struct attach *at, const char *key, struct port_wish *ret_wish)
{
	struct portmap_conf conf = { 0 };
	struct runtime runtime = { 0 };
	struct ip_nets ips = attach_ips(at);
	int rc;

	rc = json_decode(at->conf, &conf_table, at->arena, &conf, at->err);
	if (rc == 0 && at->runtime)
		rc = json_decode(at->runtime, &runtime_table, at->arena, &runtime, at->err);
	if (rc < 0)
		return rc;
	*ret_wish = (struct port_wish){ .owner = key,
					.addresses = ips.items,
					.address_count = ips.count };
	if (conf.snat.set && !conf.snat.value)
		ret_wish->source = PORT_SOURCE_KEPT;
	else if (conf.masquerade_all)
		ret_wish->source = PORT_SOURCE_HOST;
	ret_wish->ports.items =
		arena_calloc(at->arena, runtime.mappings.count, sizeof(*ret_wish->ports.items));
	for_each (m, &runtime.mappings) {
		rc = read_mapping(m, &ret_wish->ports.items[ret_wish->ports.count++], at->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_on(const char *path)
{
	char value[8];

	return file_peek(AT_FDCWD, path, value, sizeof(value)) > 0 && strcmp(value, "1") == 0;
}

/*
 * With br_netfilter, a packet whose destination was rewritten goes back into the bridge as if it had
 * never left it, and to the port it came from only when that is allowed (br_nf_pre_routing_finish()).
 * Without it nothing like that is needed, and hairpin mode would hand a container its own broadcasts.
 */
static int allow_itself(struct attach *at, struct rtnl *host, const struct link *bridge, bool check)
{
	struct link port;

	if (!is_on("/proc/sys/net/bridge/bridge-nf-call-iptables") &&
	    !is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables"))
		return 0;
	for_each (i, &at->result.interfaces) {
		if ((i->sandbox && *i->sandbox) || link_find(host, i->name, &port, at->err) < 0 ||
		    port.master != bridge->index || port.hairpin)
			continue;
		if (check)
			return err_set(at->err, ENOENT, "port %s of bridge %s has hairpin off",
				       port.name, bridge->name);
		link_set_hairpin(host, &port, true);
	}
	return rtnl_run(host, NULL, at->err);
}

/*
 * Connections from 127.0.0.1 leave by the interface behind which the container is, which the kernel
 * forbids by default (Documentation/networking/ip-sysctl, route_localnet). The table drops what others
 * could do with that.
 */
static int allow_localhost(struct attach *at, const struct link *link, bool check)
{
	char name[sizeof("net/ipv4/conf//route_localnet") + IFNAMSIZ], now[8];
	int rc;

	snprintf(name, sizeof(name), "net/ipv4/conf/%s/route_localnet", link->name);
	if (!check)
		return ns_sysctl(-1, name, "1", at->err);
	rc = ns_sysctl_read(-1, name, now, sizeof(now), at->err);
	return rc < 0 || strcmp(now, "1") == 0
		       ? rc
		       : err_set(at->err, ENOENT, "%s is %s, not 1", name, now);
}

/* Towards the container: makes it passable, or checks that it is. */
static int prepare_way(struct attach *at, const struct port_wish *w, bool check)
{
	bool v4 = false;
	struct link link;
	struct rtnl *host;
	int rc;

	for (size_t i = 0; i < w->address_count; i++)
		v4 |= w->addresses[i].ip.family == AF_INET;
	rc = attach_host(at, &host);
	if (rc == 0)
		rc = link_find_towards(host, &w->addresses[0].ip, &link, at->err);
	if (rc == 0)
		rc = allow_itself(at, host, &link, check);
	return rc < 0 || !v4 ? rc : allow_localhost(at, &link, check);
}

/* Asked only when a port is taken. */
static const char *container_of_key(void *arg, const char *key)
{
	const struct attach *at = arg;
	const struct record *holder;
	struct records records;
	struct err unused;

	if (record_list(at->run_fd, NULL, at->arena, &records, &unused) < 0)
		return NULL;
	holder = record_of_key(&records, key);
	return holder ? holder->container : NULL;
}

static int portmap_add(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	if (rc < 0 || !wish.ports.count)
		return rc;
	if (!wish.address_count)
		return err_set(
			at->err, EINVAL,
			"portmap: there is no address to publish ports of; it has to stand behind "
			"the plugin that makes the interface");
	if (wish.source != PORT_SOURCE_KEPT)
		rc = prepare_way(at, &wish, false);
	wish.container_of = container_of_key;
	wish.container_arg = at;
	return rc < 0 ? rc : port_add(&wish, at->err);
}

static int portmap_del(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];

	/* Most have none: a socket and six questions less, 0.15 ms. */
	if (at->rules_gone)
		return 0;
	if (at->runtime_known && !(at->runtime && json_get(at->runtime, "portMappings")))
		return 0;
	attach_key(at, key);
	return port_remove(key, at->err);
}

static int want(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	if (rc == 0)
		port_want(&at->rules->ports, &wish);
	return rc;
}

static int portmap_check(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish;
	int rc;

	attach_key(at, key);
	rc = read_wish(at, key, &wish);
	if (rc < 0 || !wish.ports.count)
		return rc;
	if (wish.source != PORT_SOURCE_KEPT && wish.address_count)
		rc = prepare_way(at, &wish, true);
	return rc < 0 ? rc : port_check(&wish, at->err);
}

const struct plugin plugin_portmap = {
	.type = "portmap",
	.add = portmap_add,
	.del = portmap_del,
	.want = want,
	.check = portmap_check,
};
