/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, names on them, published ports. */
#include "cmd/tote-compose/translate_private.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_NETWORK "default"

static struct compose_network *find_network(const struct translating *t, const char *name)
{
	for_each (n, &t->file->networks)
		if (strcmp(n->name_in_file, name) == 0)
			return n;
	return NULL;
}

static char *real_name(struct translating *t, const char *in_file, const struct compose_network *n)
{
	if (n && n->name)
		return n->name;
	if (n && n->external)
		return n->name_in_file;
	return arena_printf(t->a, "%s_%s", t->o->project, in_file);
}

static void add_option(struct translating *t, struct words *w, const char *option,
		       const char *value)
{
	words_add(t, w, option);
	words_add(t, w, value);
}

static int attach(struct translating *t, const struct compose_service *s,
		  const struct compose_attachment *at, struct words *w)
{
	struct compose_network *n = find_network(t, at->network);

	if (!n && strcmp(at->network, DEFAULT_NETWORK) != 0)
		return translate_error(t, at->node, s,
				       "networks: the file has no network \"%.60s\"", at->network);
	if (n)
		t->used_networks[n - t->file->networks.items] = true;
	else
		t->default_network = true;
	add_option(t, w, "--network", real_name(t, at->network, n));
	return 0;
}

static int priority_of(const struct compose_attachment *at)
{
	const char *text = at->priority ? at->priority : "0", *digits = text + (*text == '-');
	uint64_t value = 0;

	number_scan(&digits, &value);
	value = value > 1000000 ? 1000000 : value;
	return *text == '-' ? -(int)value : (int)value;
}

static bool has_address(const struct compose_attachment *at)
{
	return at->ipv4_address || at->ipv6_address || at->mac_address;
}

/* --ip and --mac-address are the first network's: one that has them goes there, if priority lets
 * it. */
static bool goes_before(const struct compose_attachment *a, const struct compose_attachment *b)
{
	if (priority_of(a) != priority_of(b))
		return priority_of(a) > priority_of(b);
	return has_address(a) && !has_address(b);
}

/* Stable, and short lists. */
static struct compose_attachment *sort_attachments(struct translating *t,
						   const struct compose_service *s)
{
	size_t count = s->networks.count;
	struct compose_attachment *list =
		arena_memdup(t->a, s->networks.items, count * sizeof(*list));

	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && goes_before(&list[k], &list[k - 1]); k--) {
			struct compose_attachment swap = list[k];

			list[k] = list[k - 1];
			list[k - 1] = swap;
		}
	return list;
}

static int add_addresses(struct translating *t, const struct compose_service *s,
			 const struct compose_attachment *list, struct words *w)
{
	const struct compose_attachment *first = &list[0];
	const char *mac = first->mac_address ? first->mac_address : s->mac_address;

	for (size_t i = 1; i < s->networks.count; i++)
		if (has_address(&list[i]))
			return translate_error(t, list[i].node, s,
					       "networks.%.60s: only the first network can have an "
					       "address of one's choice",
					       list[i].network);
	if (first->ipv4_address && first->ipv6_address)
		return translate_error(t, first->node, s,
				       "networks.%.60s: one of ipv4_address and ipv6_address",
				       first->network);
	if (has_address(first) && s->scale.value > 1)
		return translate_error(t, first->node, s,
				       "networks.%.60s: %u replicas cannot have one address",
				       first->network, s->scale.value);
	if (first->ipv4_address || first->ipv6_address)
		add_option(t, w, "--ip",
			   first->ipv4_address ? first->ipv4_address : first->ipv6_address);
	if (mac)
		add_option(t, w, "--mac-address", mac);
	return 0;
}

static void add_aliases(struct translating *t, const struct compose_service *s, struct words *w)
{
	struct words names = { 0 };

	words_add_once(t, &names, s->name);
	for_each (at, &s->networks)
		for_each (alias, &at->aliases)
			words_add_once(t, &names, *alias);
	for_each (name, &names.v)
		add_option(t, w, "--network-alias", *name);
}

static int add_networks(struct translating *t, const struct compose_service *s, struct words *w)
{
	struct compose_attachment *list;
	int r = 0;

	if (s->networks.count > 64)
		return translate_error(t, s->node, s, "more than 64 networks");
	list = sort_attachments(t, s);
	for (size_t i = 0; r == 0 && i < s->networks.count; i++)
		r = attach(t, s, &list[i], w);
	if (r == 0)
		r = add_addresses(t, s, list, w);
	if (r == 0)
		add_aliases(t, s, w);
	return r;
}

static void add_ports(struct translating *t, const struct compose_service *s, struct words *w)
{
	for_each (p, &s->ports) {
		bool brackets = p->host_ip && strchr(p->host_ip, ':');
		char host_end[8] = "", last[8] = "";

		if (p->host_end != p->host) {
			snprintf(host_end, sizeof(host_end), "-%u", p->host_end);
			snprintf(last, sizeof(last), "-%u", p->last);
		}
		add_option(t, w, "--publish",
			   arena_printf(t->a, "%s%s%s%s%u%s:%u%s%s%s", brackets ? "[" : "",
					p->host_ip ? p->host_ip : "", brackets ? "]" : "",
					p->host_ip ? ":" : "", p->host, host_end, p->first, last,
					p->protocol ? "/" : "", p->protocol ? p->protocol : ""));
	}
}

/* An ordinary user cannot make networks. */
static int without_root(struct translating *t, const struct compose_service *s)
{
	if (s->networks.count)
		return translate_error(t, s->node, s,
				       "networks need root: leave them out, or write network_mode");
	words_add_once(t, &t->warnings,
		       "networks need root: services do not find each other by name");
	return 0;
}

int translate_attachments(struct translating *t, const struct compose_service *s, struct words *w)
{
	struct compose_network *n = find_network(t, DEFAULT_NETWORK);
	int r = 0;

	add_ports(t, s, w);
	if (s->network_mode && strcmp(s->network_mode, DEFAULT_NETWORK) != 0) {
		add_option(t, w, "--network", s->network_mode);
		if (strcmp(s->network_mode, "bridge") == 0)
			add_aliases(t, s, w);
	} else if (t->o->rootless) {
		r = without_root(t, s);
	} else if (s->networks.count) {
		r = add_networks(t, s, w);
	} else {
		t->default_network |= !n;
		if (n)
			t->used_networks[n - t->file->networks.items] = true;
		add_option(t, w, "--network", real_name(t, DEFAULT_NETWORK, n));
		if (s->mac_address)
			add_option(t, w, "--mac-address", s->mac_address);
		add_aliases(t, s, w);
	}
	return r;
}

/* What `tote network create` is told. */
static void add_wishes(struct translating *t, const struct compose_network *n, struct words *w)
{
	static const struct {
		const char *key, *option;
	} options[] = {
		{ "parent", "--parent" },
		{ "mtu", "--mtu" },
		{ "com.docker.network.driver.mtu", "--mtu" },
		{ "com.docker.network.bridge.name", "--bridge" },
	};

	if (n->driver && strcmp(n->driver, "default") != 0)
		add_option(t, w, "--driver", n->driver);
	for_each (c, &n->ipam.config) {
		if (c->subnet)
			add_option(t, w, "--subnet", c->subnet);
		if (c->gateway)
			add_option(t, w, "--gateway", c->gateway);
		if (c->ip_range)
			add_option(t, w, "--ip-range", c->ip_range);
	}
	for_each (o, &n->driver_opts)
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (strcmp(options[i].key, o->key) == 0 && o->value)
				add_option(t, w, options[i].option, o->value);
	if (n->internal)
		words_add(t, w, "--internal");
}

static void need(struct translating *t, const char *in_file, const struct compose_network *n)
{
	struct needed_network *needed = &t->ret->networks.items[t->ret->networks.count++];
	struct words w = { 0 };

	needed->node = n ? n->node : t->root;
	needed->name = real_name(t, in_file, n);
	needed->external = n && n->external;
	if (n)
		add_wishes(t, n, &w);
	words_add(t, &w, needed->name);
	needed->words = w.v;
}

int translate_networks(struct translating *t)
{
	t->ret->networks.items =
		arena_calloc(t->a, t->file->networks.count + 1, sizeof(*t->ret->networks.items));
	if (t->default_network)
		need(t, DEFAULT_NETWORK, NULL);
	for_each (n, &t->file->networks)
		if (t->used_networks[n - t->file->networks.items])
			need(t, n->name_in_file, n);
	return 0;
}
