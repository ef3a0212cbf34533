/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/create.h"

#include "lib/cleanup.h"
#include "netns/usermode.h"

#include <errno.h>
#include <string.h>

#define MTU_MIN 68 /* RFC 791 */
#define MTU_MIN_IPV6 1280
#define MTU_MAX 65535

static const struct {
	const char *name;
	bool on_parent;
} drivers[] = {
	{ "bridge", false },
	{ "macvlan", true },
	{ "ipvlan", true },
	{ "ptp", false },
};

static int check_name(const char *name, struct err *err)
{
	static const char *const words[] = { "none", "host", "default" };
	bool taken = usermode_name(name);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		taken |= strcmp(words[i], name) == 0;
	if (taken)
		return err_set(err, EINVAL,
			       "\"%s\" means something else to tote run --network: choose another "
			       "name",
			       name);
	if (!cni_name_ok(name))
		return err_set(err, EINVAL,
			       "\"%s\" is not a network's name: letters, digits, \"_\", \".\" and "
			       "\"-\", with a letter or digit in front",
			       name);
	return 0;
}

static int read_driver(const struct create_options *o, struct create_wish *wish, struct err *err)
{
	const char *name = o->driver ? o->driver : "bridge";
	bool on_parent = false;

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (strcmp(drivers[i].name, name) == 0) {
			wish->driver = drivers[i].name;
			on_parent = drivers[i].on_parent;
		}
	if (!wish->driver)
		return err_set(err, EINVAL,
			       "--driver: expected bridge, macvlan, ipvlan or ptp, found \"%s\"",
			       name);
	if (on_parent && !o->parent)
		return err_set(err, EINVAL,
			       "--parent is missing: the network interface that %s is to share",
			       name);
	if (!on_parent && o->parent)
		return err_set(err, EINVAL, "--parent is for macvlan and ipvlan, not for %s", name);
	if (strcmp(name, "bridge") != 0 && o->bridge)
		return err_set(err, EINVAL, "--bridge is for --driver bridge, not for %s", name);
	if (o->bridge && !link_name_ok(o->bridge))
		return err_set(err, EINVAL,
			       "--bridge: \"%s\" is not a name for a network interface", o->bridge);
	wish->parent = o->parent;
	wish->bridge = o->bridge;
	wish->internal = o->internal;
	return 0;
}

/* What no network of containers can have (RFC 6890, RFC 4291). */
static const struct {
	const char *net, *what;
} unusable[] = {
	{ "0.0.0.0/8", "\"this network\"" }, { "127.0.0.0/8", "loopback" },
	{ "169.254.0.0/16", "link-local" },  { "224.0.0.0/4", "multicast" },
	{ "255.255.255.0/24", "broadcast" }, { "::/127", "loopback" },
	{ "fe80::/10", "link-local" },	     { "ff00::/8", "multicast" },
};

static const char *why_unusable(const struct ip_net *net, const char *text)
{
	struct ip_net other;

	/* It is read as IPv4. */
	if (net->ip.family == AF_INET && strchr(text, ':'))
		return "IPv4 within IPv6";
	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++)
		if (ip_net_parse(unusable[i].net, &other) == 0 && ip_net_overlap(&other, net))
			return unusable[i].what;
	return NULL;
}

/* IPv6 has no broadcast address. */
static bool is_edge(const struct ip_net *net, const struct ip *ip)
{
	struct ip_net base = ip_net_base(net);
	struct ip last = ip_net_last(net);

	return ip_equal(&base.ip, ip) || (ip->family == AF_INET && ip_equal(&last, ip));
}

static int read_subnets(const struct create_options *o, struct arena *a, struct create_wish *wish,
			struct err *err)
{
	wish->subnets.items = arena_calloc(a, o->subnets.count + 1, sizeof(*wish->subnets.items));
	for (size_t i = 0; i < o->subnets.count; i++) {
		const char *text = o->subnets.items[i];
		struct create_subnet *subnet = &wish->subnets.items[i];
		char base_text[IP_TEXT_SIZE];
		const char *unusable_as;
		struct ip_net base;

		if (ip_net_parse(text, &subnet->net) < 0)
			return err_set(err, EINVAL,
				       "--subnet: \"%s\" is not a subnet such as 10.88.1.0/24",
				       text);
		base = ip_net_base(&subnet->net);
		if (!ip_equal(&base.ip, &subnet->net.ip))
			return err_set(err, EINVAL,
				       "--subnet: %s is an address within a subnet: did you mean "
				       "%s?",
				       text, ip_net_text(&base, base_text));
		unusable_as = why_unusable(&base, text);
		if (unusable_as)
			return err_set(err, EINVAL, "--subnet: %s is %s, not for containers", text,
				       unusable_as);
		if (subnet->net.prefix_len > ip_size(&base.ip) * 8 - 2)
			return err_set(err, EINVAL,
				       "--subnet: %s has no room for a gateway and a container",
				       text);
		for (size_t k = 0; k < i; k++)
			if (wish->subnets.items[k].net.ip.family == base.ip.family)
				return err_set(err, EINVAL,
					       "--subnet: %s and %s are both %s; a network has one "
					       "subnet of either kind",
					       o->subnets.items[k], text,
					       base.ip.family == AF_INET ? "IPv4" : "IPv6");
		wish->subnets.count++;
	}
	return 0;
}

static struct create_subnet *subnet_of(const struct create_wish *wish, const struct ip *ip)
{
	for_each (subnet, &wish->subnets)
		if (ip_net_has(&subnet->net, ip))
			return subnet;
	return NULL;
}

static int read_gateways(const struct create_options *o, struct create_wish *wish, struct err *err)
{
	for (size_t i = 0; i < o->gateways.count; i++) {
		struct create_subnet *subnet;
		char text[IP_TEXT_SIZE];
		struct ip ip;

		if (ip_parse(o->gateways.items[i], &ip) < 0)
			return err_set(err, EINVAL, "--gateway: \"%s\" is not an IP address",
				       o->gateways.items[i]);
		subnet = subnet_of(wish, &ip);
		if (!subnet)
			return err_set(err, EINVAL, "--gateway: %s is in no --subnet",
				       o->gateways.items[i]);
		if (is_edge(&subnet->net, &ip))
			return err_set(err, EINVAL,
				       "--gateway: %s is the first or last address of %s, which no "
				       "host can have",
				       o->gateways.items[i], ip_net_text(&subnet->net, text));
		subnet->gateway = ip;
	}
	return 0;
}

/* Three at most are not, so it does not have to go far. */
static bool has_usable(const struct create_subnet *subnet, const struct ip *first,
		       const struct ip *last)
{
	struct ip gateway = subnet->gateway, ip = *first;

	if (!gateway.family) {
		gateway = ip_net_base(&subnet->net).ip;
		ip_next(&gateway);
	}
	do {
		if (!is_edge(&subnet->net, &ip) && !ip_equal(&ip, &gateway))
			return true;
	} while (!ip_equal(&ip, last) && ip_next(&ip));
	return false;
}

static int read_ranges(const struct create_options *o, struct create_wish *wish, struct err *err)
{
	for (size_t i = 0; i < o->ranges.count; i++) {
		struct create_subnet *subnet;
		struct ip_net net;
		struct ip last;

		if (ip_net_parse(o->ranges.items[i], &net) < 0)
			return err_set(err, EINVAL,
				       "--ip-range: \"%s\" is not a part of a subnet such as "
				       "10.88.1.128/25",
				       o->ranges.items[i]);
		net = ip_net_base(&net);
		last = ip_net_last(&net);
		subnet = subnet_of(wish, &net.ip);
		if (!subnet || !ip_net_has(&subnet->net, &last))
			return err_set(err, EINVAL, "--ip-range: %s is within no --subnet",
				       o->ranges.items[i]);
		if (!has_usable(subnet, &net.ip, &last))
			return err_set(err, EINVAL,
				       "--ip-range: %s has no address for a container: the first, "
				       "the last and the gateway's are not given out",
				       o->ranges.items[i]);
		subnet->start = net.ip;
		subnet->end = last;
	}
	return 0;
}

static int read_route(const char *text, struct arena *a, struct cni_route *ret, struct err *err)
{
	char *dst = arena_strdup(a, text), *gw = strchr(dst, '=');

	if (gw)
		*gw++ = '\0';
	if (ip_net_parse(dst, &ret->dst) < 0)
		return err_set(err, EINVAL,
			       "--route: \"%s\" is not a destination such as 10.0.0.0/8", dst);
	ret->dst = ip_net_base(&ret->dst);
	if (gw && ip_parse(gw, &ret->gw) < 0)
		return err_set(err, EINVAL, "--route %s: \"%s\" is not an IP address", text, gw);
	if (gw && ret->gw.family != ret->dst.ip.family)
		return err_set(err, EINVAL, "--route %s: IPv4 and IPv6 do not mix", text);
	return 0;
}

/* Link-local ones of IPv6 are on every link. Behind a --parent without --subnet nothing is known. */
static bool is_reachable(const struct create_wish *wish, const struct ip *gw)
{
	return (gw->family == AF_INET6 && gw->bytes[0] == 0xfe && (gw->bytes[1] & 0xc0) == 0x80) ||
	       (wish->parent && !wish->subnets.count) || subnet_of(wish, gw);
}

static int read_routes(const struct create_options *o, struct arena *a, struct create_wish *wish,
		       struct err *err)
{
	int r = 0;

	wish->routes.items = arena_calloc(a, o->routes.count, sizeof(*wish->routes.items));
	for (size_t i = 0; i < o->routes.count && r == 0; i++) {
		struct cni_route *route = &wish->routes.items[wish->routes.count++];

		r = read_route(o->routes.items[i], a, route, err);
		if (r == 0 && route->gw.family && !is_reachable(wish, &route->gw))
			r = err_set(err, EINVAL,
				    "--route %s: the gateway is in no --subnet, and cannot be "
				    "reached",
				    o->routes.items[i]);
	}
	return r;
}

static int read_dns(const struct create_options *o, struct create_wish *wish, struct err *err)
{
	struct ip ip;

	for (size_t i = 0; i < o->dns.count; i++)
		if (ip_parse(o->dns.items[i], &ip) < 0)
			return err_set(err, EINVAL, "--dns: \"%s\" is not an IP address",
				       o->dns.items[i]);
	wish->dns = (struct strv){ (char **)o->dns.items, o->dns.count };
	return 0;
}

static int read_mtu(const struct create_options *o, struct create_wish *wish, struct err *err)
{
	unsigned int min = MTU_MIN;

	for_each (subnet, &wish->subnets)
		if (subnet->net.ip.family == AF_INET6)
			min = MTU_MIN_IPV6;
	if (o->mtu && (o->mtu < min || o->mtu > MTU_MAX))
		return err_set(err, EINVAL, "--mtu: expected %u to %d bytes, found %u", min,
			       MTU_MAX, o->mtu);
	wish->mtu = o->mtu;
	return 0;
}

int create_read(const char *name, const struct create_options *o, struct arena *a,
		struct create_wish *ret, struct err *err)
{
	struct create_wish wish = { .name = name };
	int r = check_name(name, err);

	if (r == 0)
		r = read_driver(o, &wish, err);
	if (r == 0)
		r = read_subnets(o, a, &wish, err);
	if (r == 0)
		r = read_gateways(o, &wish, err);
	if (r == 0)
		r = read_ranges(o, &wish, err);
	if (r == 0)
		r = read_routes(o, a, &wish, err);
	if (r == 0)
		r = read_dns(o, &wish, err);
	if (r == 0)
		r = read_mtu(o, &wish, err);
	if (r == 0)
		*ret = wish;
	return r;
}
