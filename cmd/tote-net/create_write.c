/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/create.h"

#include <string.h>

/* What Debian 12's plugins speak, too: the file is theirs to use as well. */
#define VERSION "1.0.0"

static void pair_ip(struct json_writer *w, const char *key, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	if (ip->family)
		json_pair_string(w, key, ip_text(ip, text));
}

static void put_range(const struct create_subnet *s, struct json_writer *w)
{
	char text[IP_TEXT_SIZE];

	json_begin_array(w);
	json_begin_object(w);
	json_pair_string(w, "subnet", ip_net_text(&s->net, text));
	pair_ip(w, "rangeStart", &s->start);
	pair_ip(w, "rangeEnd", &s->end);
	pair_ip(w, "gateway", &s->gateway);
	json_end_object(w);
	json_end_array(w);
}

static void put_route(const char *dst, const struct ip *gw, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "dst", dst);
	pair_ip(w, "gw", gw);
	json_end_object(w);
}

static bool has_family(const struct create_wish *wish, int family)
{
	for_each (subnet, &wish->subnets)
		if (subnet->net.ip.family == family)
			return true;
	return false;
}

static void put_routes(const struct create_wish *wish, struct json_writer *w)
{
	static const struct ip none;
	char text[IP_TEXT_SIZE];

	json_key(w, "routes");
	json_begin_array(w);
	if (!wish->internal && has_family(wish, AF_INET))
		put_route("0.0.0.0/0", &none, w);
	if (!wish->internal && has_family(wish, AF_INET6))
		put_route("::/0", &none, w);
	for_each (route, &wish->routes)
		put_route(ip_net_text(&route->dst, text), &route->gw, w);
	json_end_array(w);
}

/* Without a subnet the addresses are those that each container is given. */
static void put_ipam(const struct create_wish *wish, struct json_writer *w)
{
	json_key(w, "ipam");
	json_begin_object(w);
	json_pair_string(w, "type", wish->subnets.count ? "host-local" : "static");
	if (wish->subnets.count) {
		json_key(w, "ranges");
		json_begin_array(w);
		for_each (subnet, &wish->subnets)
			put_range(subnet, w);
		json_end_array(w);
	}
	put_routes(wish, w);
	json_end_object(w);
}

static void put_capabilities(const char *first, const char *second, struct json_writer *w)
{
	json_key(w, "capabilities");
	json_begin_object(w);
	json_pair_bool(w, first, true);
	if (second)
		json_pair_bool(w, second, true);
	json_end_object(w);
}

static void put_main_plugin(const struct create_wish *wish, struct json_writer *w)
{
	bool bridge = strcmp(wish->driver, "bridge") == 0, ptp = strcmp(wish->driver, "ptp") == 0;

	json_begin_object(w);
	json_pair_string(w, "type", wish->driver);
	if (bridge) {
		json_pair_string(w, "bridge", wish->bridge);
		json_pair_bool(w, "isGateway", true);
		json_pair_bool(w, "hairpinMode", true);
	}
	if (bridge || ptp)
		json_pair_bool(w, "ipMasq", !wish->internal);
	if (wish->parent) {
		json_pair_string(w, "master", wish->parent);
		json_pair_string(w, "mode", strcmp(wish->driver, "ipvlan") == 0 ? "l2" : "bridge");
	}
	if (wish->mtu)
		json_pair_u64(w, "mtu", wish->mtu);
	put_capabilities("ips", bridge || strcmp(wish->driver, "macvlan") == 0 ? "mac" : NULL, w);
	put_ipam(wish, w);
	if (wish->dns.count) {
		json_key(w, "dns");
		json_begin_object(w);
		json_pair_strv(w, "nameservers", &wish->dns);
		json_end_object(w);
	}
	json_end_object(w);
}

/* Ports and forwarding are for networks that lie behind the host. */
static void put_chained_plugins(struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "type", "portmap");
	put_capabilities("portMappings", NULL, w);
	json_end_object(w);
	json_begin_object(w);
	json_pair_string(w, "type", "firewall");
	json_end_object(w);
}

void create_write(const struct create_wish *wish, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, true);
	json_begin_object(&w);
	json_pair_string(&w, "cniVersion", VERSION);
	json_pair_string(&w, "name", wish->name);
	if (wish->own_bridge)
		json_pair_bool(&w, OWN_BRIDGE, true);
	json_key(&w, "plugins");
	json_begin_array(&w);
	put_main_plugin(wish, &w);
	if (!wish->parent && !wish->internal)
		put_chained_plugins(&w);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
}
