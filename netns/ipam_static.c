/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/ipam_types.h"

#include <errno.h>
#include <string.h>

struct static_address {
	struct ip_net address;
	struct ip gateway;
};

struct static_conf {
	LIST(struct static_address) addresses;
	LIST(struct cni_route) routes;
	struct cni_dns dns;
};

static int read_address(struct json_ctx *ctx, const struct json_value *v, void *out,
			const void *arg)
{
	char *text;
	int r = json_string(ctx, v, &text, arg);

	if (r == 0 && ip_net_parse(text, out) < 0)
		return json_error(
			ctx, "\"%s\" is not an address with a prefix, such as 10.88.0.5/24", text);
	return r;
}

static int read_gateway(struct json_ctx *ctx, const struct json_value *v, void *out,
			const void *arg)
{
	char *text;
	int r = json_string(ctx, v, &text, arg);

	if (r == 0 && *text && ip_parse(text, out) < 0)
		return json_error(ctx, "\"%s\" is not an IP address", text);
	return r;
}

static int check_address(struct json_ctx *ctx, void *out)
{
	const struct static_address *a = out;
	char ip[IP_TEXT_SIZE], net[IP_TEXT_SIZE];

	if (a->gateway.family && a->gateway.family != a->address.ip.family)
		return json_error(ctx, "the gateway %s and the address %s are of different kinds",
				  ip_text(&a->gateway, ip), ip_net_text(&a->address, net));
	return 0;
}

static const struct json_field address_fields[] = {
	{ "address", read_address, offsetof(struct static_address, address), JSON_REQUIRED },
	{ "gateway", read_gateway, offsetof(struct static_address, gateway) },
};
static const struct json_table address_table = { address_fields, ARRAY_SIZE(address_fields),
						 sizeof(struct static_address), check_address };
static const struct json_list_of address_list = { json_object, sizeof(struct static_address),
						  &address_table };
static const struct json_field fields[] = {
	{ "addresses", json_list, offsetof(struct static_conf, addresses), 0, &address_list },
	{ "routes", json_list, offsetof(struct static_conf, routes), 0, &cni_route_list },
	{ "dns", json_object, offsetof(struct static_conf, dns), 0, &cni_dns_table },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct static_conf) };

static int load(struct attach *at, struct static_conf *ret)
{
	int r = json_decode(ipam_conf(at), &table, at->arena, ret, at->err);

	return r < 0 ? err_prefix(at->err, "ipam") : 0;
}

/* GATEWAY of CNI_ARGS is that of the addresses in IP= of its family. */
static int parse_gateway(struct attach *at, struct ip *ret)
{
	const char *text = attach_arg(at, "GATEWAY");

	memset(ret, 0, sizeof(*ret));
	if (text && *text && ip_parse(text, ret) < 0)
		return err_set(at->err, EINVAL, "CNI_ARGS: GATEWAY=%s is not an IP address", text);
	return 0;
}

static void add_ip(struct attach *at, const struct ip_net *address, const struct ip *gateway)
{
	struct cni_ip *ip = cni_add_ip(&at->result, at->arena, address);

	if (gateway->family == address->ip.family)
		ip->gateway = *gateway;
}

/* Instead of the configured ones. */
static int asked_instead(struct attach *at, struct ip_net_list *ret)
{
	int r = ipam_requested(at, IPAM_RUNTIME, true, ret);

	return r < 0 || ret->count ? r : ipam_requested(at, IPAM_CONF_ARGS, true, ret);
}

static int add_addresses(struct attach *at, const struct static_conf *conf)
{
	struct ip_net_list asked;
	struct ip gateway = { 0 };
	int r = asked_instead(at, &asked);

	if (r == 0 && !asked.count) {
		for_each (a, &conf->addresses)
			add_ip(at, &a->address, &a->gateway);
		r = ipam_requested(at, IPAM_CNI_ARGS, true, &asked);
		if (r == 0)
			r = parse_gateway(at, &gateway);
	}
	if (r < 0)
		return r;
	for_each (address, &asked)
		add_ip(at, address, &gateway);
	return 0;
}

static int add(struct attach *at)
{
	struct static_conf conf = { 0 };
	int r = load(at, &conf);

	if (r == 0)
		r = add_addresses(at, &conf);
	if (r < 0)
		return r;
	for_each (route, &conf.routes)
		*cni_add_route(&at->result, at->arena, &route->dst) = *route;
	at->result.dns = conf.dns;
	return 0;
}

static int del(struct attach *at)
{
	(void)at;
	return 0;
}

static int check(struct attach *at)
{
	(void)at;
	return 0;
}

static int status(struct attach *at)
{
	struct static_conf conf = { 0 };

	return load(at, &conf);
}

const struct plugin ipam_static = { "static", add, del, check, status, NULL };
