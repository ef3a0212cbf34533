/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/result.h"

#include "lib/cleanup.h"

#include <stdlib.h>
#include <string.h>

const char *const cni_versions[] = {
	"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", NULL,
};

bool cni_version_known(const char *version)
{
	for (const char *const *v = cni_versions; *v; v++)
		if (strcmp(*v, version) == 0)
			return true;
	return false;
}

int cni_version_compare(const char *a, const char *b)
{
	for (int part = 0; part < 3; part++) {
		char *end_a, *end_b;
		unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);

		if (x != y)
			return x < y ? -1 : 1;
		a = *end_a == '.' ? end_a + 1 : end_a;
		b = *end_b == '.' ? end_b + 1 : end_b;
	}
	return 0;
}

const char *cni_shown(const char *text, char ret_text[CNI_SHOWN_SIZE])
{
	size_t len = 0;

	for (; len < CNI_SHOWN_SIZE - 4 && text[len]; len++)
		ret_text[len] =
			(unsigned char)text[len] < 0x20 || text[len] == 0x7f ? '?' : text[len];
	strcpy(ret_text + len, text[len] ? "..." : "");
	return ret_text;
}

static int read_text(struct json_ctx *ctx, const struct json_value *v, const char **ret_text)
{
	char *text = NULL;
	int r = json_string(ctx, v, &text, NULL);

	if (r == 0)
		*ret_text = text;
	return r;
}

/* "" is none, as Go writes an address that was never set. */
static int read_ip(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	char shown[CNI_SHOWN_SIZE];
	const char *text = "";
	int r = read_text(ctx, v, &text);

	(void)arg;
	if (r < 0 || !*text)
		return r;
	if (ip_parse(text, out) < 0)
		return json_error(ctx, "\"%s\" is no IP address", cni_shown(text, shown));
	return 0;
}

static int read_ip_net(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	char shown[CNI_SHOWN_SIZE];
	const char *text = "";
	int r = read_text(ctx, v, &text);

	(void)arg;
	if (r < 0)
		return r;
	if (ip_net_parse(text, out) < 0)
		return json_error(ctx, "\"%s\" is no IP address with a prefix length",
				  cni_shown(text, shown));
	return 0;
}

static int check_same_family(struct json_ctx *ctx, const char *key, const struct ip *gateway,
			     const struct ip_net *net)
{
	char of[IP_TEXT_SIZE];

	if (!gateway->family || gateway->family == net->ip.family)
		return 0;
	json_push(ctx, key, 0);
	return json_error(ctx, "of another family than %s", ip_net_text(net, of));
}

static int check_route(struct json_ctx *ctx, void *out)
{
	const struct cni_route *route = out;

	return check_same_family(ctx, "gw", &route->gw, &route->dst);
}

static int check_ip(struct json_ctx *ctx, void *out)
{
	const struct cni_ip *ip = out;

	return check_same_family(ctx, "gateway", &ip->gateway, &ip->address);
}

static const struct json_field route_fields[] = {
	{ "dst", read_ip_net, offsetof(struct cni_route, dst), JSON_REQUIRED },
	{ "gw", read_ip, offsetof(struct cni_route, gw) },
	{ "mtu", json_opt_u32, offsetof(struct cni_route, mtu) },
	{ "advmss", json_opt_u32, offsetof(struct cni_route, advmss) },
	{ "priority", json_opt_u32, offsetof(struct cni_route, priority) },
	{ "table", json_opt_u32, offsetof(struct cni_route, table) },
	{ "scope", json_opt_u32, offsetof(struct cni_route, scope) },
};

static const struct json_table route_table = {
	route_fields,
	ARRAY_SIZE(route_fields),
	sizeof(struct cni_route),
	check_route,
};

const struct json_list_of cni_route_list = { json_object, sizeof(struct cni_route), &route_table };

static const struct json_field dns_fields[] = {
	{ "nameservers", json_strv, offsetof(struct cni_dns, nameservers) },
	{ "domain", json_string, offsetof(struct cni_dns, domain) },
	{ "search", json_strv, offsetof(struct cni_dns, search) },
	{ "options", json_strv, offsetof(struct cni_dns, options) },
};

const struct json_table cni_dns_table = { dns_fields, ARRAY_SIZE(dns_fields),
					  sizeof(struct cni_dns) };

static const struct json_field interface_fields[] = {
	{ "name", json_string, offsetof(struct cni_interface, name), JSON_REQUIRED },
	{ "mac", json_string, offsetof(struct cni_interface, mac) },
	{ "sandbox", json_string, offsetof(struct cni_interface, sandbox) },
	{ "mtu", json_u32, offsetof(struct cni_interface, mtu) },
	{ "socketPath", json_string, offsetof(struct cni_interface, socket_path) },
	{ "pciID", json_string, offsetof(struct cni_interface, pci_id) },
};

static const struct json_table interface_table = {
	interface_fields,
	ARRAY_SIZE(interface_fields),
	sizeof(struct cni_interface),
};

static const struct json_list_of interface_list = {
	json_object,
	sizeof(struct cni_interface),
	&interface_table,
};

static const struct json_field ip_fields[] = {
	{ "interface", json_opt_u32, offsetof(struct cni_ip, interface) },
	{ "address", read_ip_net, offsetof(struct cni_ip, address), JSON_REQUIRED },
	{ "gateway", read_ip, offsetof(struct cni_ip, gateway) },
};

static const struct json_table ip_table = { ip_fields, ARRAY_SIZE(ip_fields), sizeof(struct cni_ip),
					    check_ip };
static const struct json_list_of ip_list = { json_object, sizeof(struct cni_ip), &ip_table };

/* Plugins go from an address to its interface by this number. */
static int check_result(struct json_ctx *ctx, void *out)
{
	const struct cni_result *result = out;

	for (size_t i = 0; i < result->ips.count; i++) {
		const struct opt_u32 *index = &result->ips.items[i].interface;

		if (!index->set || index->value < result->interfaces.count)
			continue;
		json_push(ctx, "ips", 0);
		json_push(ctx, NULL, i);
		json_push(ctx, "interface", 0);
		return json_error(ctx, "%u, but there are %zu interfaces", index->value,
				  result->interfaces.count);
	}
	return 0;
}

static const struct json_field result_fields[] = {
	{ "interfaces", json_list, offsetof(struct cni_result, interfaces), 0, &interface_list },
	{ "ips", json_list, offsetof(struct cni_result, ips), 0, &ip_list },
	{ "routes", json_list, offsetof(struct cni_result, routes), 0, &cni_route_list },
	{ "dns", json_object, offsetof(struct cni_result, dns), 0, &cni_dns_table },
};

static const struct json_table result_table = {
	result_fields,
	ARRAY_SIZE(result_fields),
	sizeof(struct cni_result),
	check_result,
};

/* 0.1.0 and 0.2.0: one address of each family, which has the routes. */
struct old_ip {
	struct ip_net address;
	struct ip gateway;
	LIST(struct cni_route) routes;
};

struct old_result {
	struct old_ip *ip4, *ip6;
	struct cni_dns dns;
};

static const struct json_field old_ip_fields[] = {
	{ "ip", read_ip_net, offsetof(struct old_ip, address), JSON_REQUIRED },
	{ "gateway", read_ip, offsetof(struct old_ip, gateway) },
	{ "routes", json_list, offsetof(struct old_ip, routes), 0, &cni_route_list },
};

static int check_old_ip(struct json_ctx *ctx, void *out)
{
	const struct old_ip *ip = out;

	return check_same_family(ctx, "gateway", &ip->gateway, &ip->address);
}

static const struct json_table old_ip_table = {
	old_ip_fields,
	ARRAY_SIZE(old_ip_fields),
	sizeof(struct old_ip),
	check_old_ip,
};

static const struct json_field old_result_fields[] = {
	{ "ip4", json_object_ptr, offsetof(struct old_result, ip4), 0, &old_ip_table },
	{ "ip6", json_object_ptr, offsetof(struct old_result, ip6), 0, &old_ip_table },
	{ "dns", json_object, offsetof(struct old_result, dns), 0, &cni_dns_table },
};

static const struct json_table old_result_table = {
	old_result_fields,
	ARRAY_SIZE(old_result_fields),
	sizeof(struct old_result),
};

static void take_old_ip(struct cni_result *result, const struct old_ip *old, struct arena *a)
{
	if (!old)
		return;
	cni_add_ip(result, a, &old->address)->gateway = old->gateway;
	for_each (route, &old->routes)
		*cni_add_route(result, a, &route->dst) = *route;
}

static int parse_old(const struct json_value *v, struct arena *a, struct cni_result *ret_result,
		     struct err *err)
{
	struct cni_result result = { .dns.domain = NULL };
	struct old_result old = { NULL, NULL };
	int r = json_decode(v, &old_result_table, a, &old, err);

	if (r < 0)
		return r;
	take_old_ip(&result, old.ip4, a);
	take_old_ip(&result, old.ip6, a);
	result.dns = old.dns;
	*ret_result = result;
	return 0;
}

static bool is_old(const char *version)
{
	return cni_version_compare(version, "0.3.0") < 0;
}

int cni_result_parse(const struct json_value *v, const char *version, struct arena *a,
		     struct cni_result *ret_result, struct err *err)
{
	const struct json_value *own = json_get(v, "cniVersion");
	struct cni_result result = { .dns.domain = NULL };
	char shown[CNI_SHOWN_SIZE];
	int r;

	if (own && own->kind == JSON_STRING && *own->text)
		version = own->text;
	if (!cni_version_known(version))
		return err_set(err, EPROTONOSUPPORT, "cniVersion: results of %s are unknown",
			       cni_shown(version, shown));
	if (is_old(version))
		return parse_old(v, a, ret_result, err);
	r = json_decode(v, &result_table, a, &result, err);
	if (r == 0)
		*ret_result = result;
	return r;
}
