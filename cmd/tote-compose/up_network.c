/* SPDX-License-Identifier: Apache-2.0 */
/* A network that is there already, against what the file says of it. */
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"
#include "netns/ip.h"

#include <errno.h>
#include <string.h>

/* What a network has of one kind, as texts that can be compared. */
struct traits {
	struct strv texts;
	struct arena *a;
};

static const char *text_of(const struct json_value *object, const char *key)
{
	const struct json_value *v =
		object && object->kind == JSON_OBJECT ? json_get(object, key) : NULL;

	return v && (v->kind == JSON_STRING || v->kind == JSON_NUMBER) ? v->text : NULL;
}

static const char *normal_net(const char *text, struct arena *a)
{
	char *out = arena_alloc(a, IP_TEXT_SIZE);
	struct ip_net net;

	if (ip_net_parse(text, &net) < 0)
		return text;
	net = ip_net_base(&net);
	return ip_net_text(&net, out);
}

static const char *normal_ip(const char *text, struct arena *a)
{
	char *out = arena_alloc(a, IP_TEXT_SIZE);
	struct ip ip;

	return ip_parse(text, &ip) < 0 ? text : ip_text(&ip, out);
}

/* "10.0.0.128/25" as its first and last address. */
static const char *normal_range(const char *text, struct arena *a)
{
	char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
	struct ip_net net;
	struct ip end;

	if (ip_net_parse(text, &net) < 0)
		return text;
	net = ip_net_base(&net);
	end = ip_net_last(&net);
	return arena_printf(a, "%s-%s", ip_text(&net.ip, first), ip_text(&end, last));
}

static const char *as_it_is(const char *text, struct arena *a)
{
	(void)a;
	return text;
}

static void subnet_of(const struct json_value *range, struct traits *t)
{
	strv_add(&t->texts, (char *)normal_net(text_of(range, "subnet"), t->a), t->a);
}

/* Where none is said it is the first address (host-local's README). */
static void gateway_of(const struct json_value *range, struct traits *t)
{
	const char *gateway = text_of(range, "gateway");
	char *out = arena_alloc(t->a, IP_TEXT_SIZE);
	struct ip_net net;

	if (!gateway && ip_net_parse(text_of(range, "subnet"), &net) == 0) {
		net = ip_net_base(&net);
		ip_next(&net.ip);
		gateway = ip_text(&net.ip, out);
	}
	if (gateway)
		strv_add(&t->texts, (char *)normal_ip(gateway, t->a), t->a);
}

static void span_of(const struct json_value *range, struct traits *t)
{
	const char *first = text_of(range, "rangeStart"), *last = text_of(range, "rangeEnd");

	if (first && last)
		strv_add(&t->texts,
			 arena_printf(t->a, "%s-%s", normal_ip(first, t->a), normal_ip(last, t->a)),
			 t->a);
}

/*
 * The options of `tote network create`, and where they are found again: a member of the plugin, or
 * something of each of its ranges.
 */
static const struct {
	const char *option, *what;
	const char *(*normal)(const char *text, struct arena *a);
	const char *member;
	void (*of_range)(const struct json_value *range, struct traits *t);
} kinds[] = {
	{ "--driver", "driver", as_it_is, "type", NULL },
	{ "--parent", "parent", as_it_is, "master", NULL },
	{ "--bridge", "bridge", as_it_is, "bridge", NULL },
	{ "--mtu", "MTU", as_it_is, "mtu", NULL },
	{ "--subnet", "subnet", normal_net, NULL, subnet_of },
	{ "--gateway", "gateway", normal_ip, NULL, gateway_of },
	{ "--ip-range", "range of addresses", normal_range, NULL, span_of },
};

/* "ranges" is a list of lists; a single range may stand in "ipam" itself. */
static void collect_ranges(const struct json_value *plugin,
			   void (*of_range)(const struct json_value *range, struct traits *t),
			   struct traits *t)
{
	const struct json_value *ipam = json_get(plugin, "ipam"), *ranges;

	if (!ipam || ipam->kind != JSON_OBJECT)
		return;
	if (text_of(ipam, "subnet"))
		of_range(ipam, t);
	ranges = json_get(ipam, "ranges");
	if (!ranges || ranges->kind != JSON_ARRAY)
		return;
	for (const struct json_value *set = ranges->first; set; set = set->next)
		for (const struct json_value *range = set->kind == JSON_ARRAY ? set->first : NULL;
		     range; range = range->next)
			if (text_of(range, "subnet"))
				of_range(range, t);
}

static bool has_way_out(const struct json_value *plugin)
{
	const struct json_value *ipam = json_get(plugin, "ipam"),
				*routes = ipam && ipam->kind == JSON_OBJECT
						  ? json_get(ipam, "routes")
						  : NULL;

	if (!routes || routes->kind != JSON_ARRAY)
		return false;
	for (const struct json_value *route = routes->first; route; route = route->next) {
		const char *dst = text_of(route, "dst");

		if (dst && (strcmp(dst, "0.0.0.0/0") == 0 || strcmp(dst, "::/0") == 0))
			return true;
	}
	return false;
}

static int differs(const struct needed_network *n, const char *has, const char *says,
		   struct err *err)
{
	return err_set(err, EEXIST,
		       "%s:%u: the network \"%s\" is there already, and has %s where the file says "
		       "%s: `tote network rm %s` when nothing uses it, and it is made anew",
		       n->node->file, n->node->line, n->name, has, says, n->name);
}

static int compare(const struct needed_network *n, const struct json_value *plugin, size_t kind,
		   const char *says, struct arena *a, struct err *err)
{
	struct traits t = { { NULL, 0 }, a };
	const char *has = kinds[kind].member ? text_of(plugin, kinds[kind].member) : NULL;
	char *all = arena_printf(a, "%s ", kinds[kind].what);

	if (has)
		strv_add(&t.texts, (char *)has, a);
	if (kinds[kind].of_range)
		collect_ranges(plugin, kinds[kind].of_range, &t);
	for_each (text, &t.texts) {
		if (strcmp(*text, kinds[kind].normal(says, a)) == 0)
			return 0;
		all = arena_printf(a, "%s%s%s", all, text == t.texts.items ? "" : ", ", *text);
	}
	return differs(n, t.texts.count ? all : arena_printf(a, "no %s", kinds[kind].what), says,
		       err);
}

int up_compare_network(const struct needed_network *n, const struct cni_network *found,
		       struct arena *a, struct err *err)
{
	const struct json_value *plugin = found->plugins->first;

	/* The last word is the name. */
	for (size_t i = 0; i + 1 < n->words.count; i++) {
		int r = 0;

		if (strcmp(n->words.items[i], "--internal") == 0) {
			if (has_way_out(plugin))
				return differs(n, "a way out", "internal", err);
			continue;
		}
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(kinds); k++)
			if (strcmp(n->words.items[i], kinds[k].option) == 0)
				r = compare(n, plugin, k, n->words.items[i + 1], a, err);
		if (r < 0)
			return r;
		i++; /* its value */
	}
	return 0;
}
