/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/result.h"

#include <string.h>

static void put_ip(struct json_writer *w, const char *key, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	if (ip->family)
		json_pair_string(w, key, ip_text(ip, text));
}

static void put_ip_net(struct json_writer *w, const char *key, const struct ip_net *net)
{
	char text[IP_TEXT_SIZE];

	json_pair_string(w, key, ip_net_text(net, text));
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
	if (text && *text)
		json_pair_string(w, key, text);
}

static void put_u32(struct json_writer *w, const char *key, const struct opt_u32 *n)
{
	if (n->set)
		json_pair_u64(w, key, n->value);
}

static void put_strv(struct json_writer *w, const char *key, const struct strv *v)
{
	if (v->count)
		json_pair_strv(w, key, v);
}

void cni_route_write(const struct cni_route *route, bool latest, struct json_writer *w)
{
	json_begin_object(w);
	put_ip_net(w, "dst", &route->dst);
	put_ip(w, "gw", &route->gw);
	if (latest) {
		put_u32(w, "mtu", &route->mtu);
		put_u32(w, "advmss", &route->advmss);
		put_u32(w, "priority", &route->priority);
		put_u32(w, "table", &route->table);
		put_u32(w, "scope", &route->scope);
	}
	json_end_object(w);
}

/* Those of one family (0: of any). */
static void put_routes(struct json_writer *w, const struct cni_result *result, uint8_t family,
		       bool latest)
{
	bool begun = false;

	for_each (route, &result->routes) {
		if (family && route->dst.ip.family != family)
			continue;
		if (!begun) {
			json_key(w, "routes");
			json_begin_array(w);
			begun = true;
		}
		cni_route_write(route, latest, w);
	}
	if (begun)
		json_end_array(w);
}

static void put_interfaces(struct json_writer *w, const struct cni_result *result, bool latest)
{
	if (!result->interfaces.count)
		return;
	json_key(w, "interfaces");
	json_begin_array(w);
	for_each (interface, &result->interfaces) {
		json_begin_object(w);
		json_pair_string(w, "name", interface->name);
		put_text(w, "mac", interface->mac);
		if (latest && interface->mtu)
			json_pair_u64(w, "mtu", interface->mtu);
		put_text(w, "sandbox", interface->sandbox);
		if (latest) {
			put_text(w, "socketPath", interface->socket_path);
			put_text(w, "pciID", interface->pci_id);
		}
		json_end_object(w);
	}
	json_end_array(w);
}

/* "version" was a duty until 1.0.0 dropped it. */
static void put_ips(struct json_writer *w, const struct cni_result *result, bool with_version)
{
	if (!result->ips.count)
		return;
	json_key(w, "ips");
	json_begin_array(w);
	for_each (ip, &result->ips) {
		json_begin_object(w);
		if (with_version)
			json_pair_string(w, "version",
					 ip->address.ip.family == AF_INET ? "4" : "6");
		put_u32(w, "interface", &ip->interface);
		put_ip_net(w, "address", &ip->address);
		put_ip(w, "gateway", &ip->gateway);
		json_end_object(w);
	}
	json_end_array(w);
}

/* The form has room for the first address of a family only. */
static void put_old_ip(struct json_writer *w, const char *key, const struct cni_result *result,
		       uint8_t family)
{
	for_each (ip, &result->ips) {
		if (ip->address.ip.family != family)
			continue;
		json_key(w, key);
		json_begin_object(w);
		put_ip_net(w, "ip", &ip->address);
		put_ip(w, "gateway", &ip->gateway);
		put_routes(w, result, family, false);
		json_end_object(w);
		return;
	}
}

static void put_dns(struct json_writer *w, const struct cni_dns *dns)
{
	json_key(w, "dns");
	json_begin_object(w);
	put_strv(w, "nameservers", &dns->nameservers);
	put_text(w, "domain", dns->domain);
	put_strv(w, "search", &dns->search);
	put_strv(w, "options", &dns->options);
	json_end_object(w);
}

void cni_result_write(const struct cni_result *result, const char *version, struct json_writer *w)
{
	bool latest = cni_version_compare(version, "1.1.0") >= 0;

	json_begin_object(w);
	json_pair_string(w, "cniVersion", version);
	if (cni_version_compare(version, "0.3.0") < 0) {
		put_old_ip(w, "ip4", result, AF_INET);
		put_old_ip(w, "ip6", result, AF_INET6);
	} else {
		put_interfaces(w, result, latest);
		put_ips(w, result, cni_version_compare(version, "1.0.0") < 0);
		put_routes(w, result, 0, latest);
	}
	put_dns(w, &result->dns);
	json_end_object(w);
}

/* The list with room for one more, zeroed. Lists are short, so each append copies. */
static void *grow(struct arena *a, const void *items, size_t count, size_t size)
{
	char *bigger = arena_calloc(a, count + 1, size);

	if (count)
		memcpy(bigger, items, count * size);
	return bigger;
}

struct cni_interface *cni_add_interface(struct cni_result *r, struct arena *a, const char *name,
					const char *mac, const char *sandbox)
{
	struct cni_interface *added;

	r->interfaces.items = grow(a, r->interfaces.items, r->interfaces.count, sizeof(*added));
	added = &r->interfaces.items[r->interfaces.count++];
	added->name = arena_strdup(a, name);
	added->mac = mac ? arena_strdup(a, mac) : NULL;
	added->sandbox = sandbox ? arena_strdup(a, sandbox) : NULL;
	return added;
}

struct cni_ip *cni_add_ip(struct cni_result *r, struct arena *a, const struct ip_net *address)
{
	struct cni_ip *added;

	r->ips.items = grow(a, r->ips.items, r->ips.count, sizeof(*added));
	added = &r->ips.items[r->ips.count++];
	added->address = *address;
	return added;
}

struct cni_route *cni_add_route(struct cni_result *r, struct arena *a, const struct ip_net *dst)
{
	struct cni_route *added;

	r->routes.items = grow(a, r->routes.items, r->routes.count, sizeof(*added));
	added = &r->routes.items[r->routes.count++];
	added->dst = *dst;
	return added;
}
