/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ipam_range.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

static int read_ip(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	char *text;
	int r = json_string(ctx, v, &text, arg);

	if (r < 0 || !*text)
		return r;
	if (ip_parse(text, out) < 0)
		return json_error(ctx, "\"%s\" is not an IP address", text);
	return 0;
}

static int read_subnet(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	char *text, base_text[IP_TEXT_SIZE];
	struct ip_net net, base;
	int r = json_string(ctx, v, &text, arg);

	if (r < 0 || !*text)
		return r;
	if (ip_net_parse(text, &net) < 0)
		return json_error(ctx, "\"%s\" is not a subnet such as 10.88.0.0/24", text);
	base = ip_net_base(&net);
	if (!ip_equal(&base.ip, &net.ip))
		return json_error(ctx, "%s is an address within a subnet, which is %s", text,
				  ip_net_text(&base, base_text));
	if (net.prefix_len > ip_size(&net.ip) * 8 - 2)
		return json_error(ctx, "%s has no room for a gateway and a container", text);
	*(struct ip_net *)out = net;
	return 0;
}

static int complete(struct json_ctx *ctx, struct ip_range *range)
{
	char ip[IP_TEXT_SIZE], net[IP_TEXT_SIZE];
	struct ip second = range->subnet.ip;

	ip_next(&second);
	if (!range->gateway.family)
		range->gateway = second;
	if (!range->start.family)
		range->start = second;
	if (!range->end.family) {
		range->end = ip_net_last(&range->subnet);
		if (range->end.family == AF_INET)
			ip_previous(&range->end);
	}
	ip_net_text(&range->subnet, net);
	if (!ip_net_has(&range->subnet, &range->start))
		return json_error(ctx, "rangeStart %s is not in the subnet %s",
				  ip_text(&range->start, ip), net);
	if (!ip_net_has(&range->subnet, &range->end))
		return json_error(ctx, "rangeEnd %s is not in the subnet %s",
				  ip_text(&range->end, ip), net);
	if (ip_compare(&range->start, &range->end) > 0)
		return json_error(ctx, "rangeStart %s is behind the range's end",
				  ip_text(&range->start, ip));
	return 0;
}

static int check_range(struct json_ctx *ctx, void *out)
{
	struct ip_range *range = out;

	if (!range->subnet.ip.family)
		return json_error(ctx, "a range without a subnet");
	return complete(ctx, range);
}

/* containerd's names for these begin with a capital letter. */
#define RANGE_FIELD(key, read, struct_name, member)                                                \
	{                                                                                          \
		key, read, offsetof(struct struct_name, member), JSON_ANY_CASE                     \
	}
#define RANGE_FIELDS(struct_name, prefix)                                                          \
	RANGE_FIELD("subnet", read_subnet, struct_name, prefix subnet),                            \
		RANGE_FIELD("rangeStart", read_ip, struct_name, prefix start),                     \
		RANGE_FIELD("rangeEnd", read_ip, struct_name, prefix end),                         \
		RANGE_FIELD("gateway", read_ip, struct_name, prefix gateway)

static const struct json_field range_fields[] = { RANGE_FIELDS(ip_range, ) };
static const struct json_table range_table = { range_fields, ARRAY_SIZE(range_fields),
					       sizeof(struct ip_range), check_range };
static const struct json_list_of ranges = { json_object, sizeof(struct ip_range), &range_table };
static const struct json_list_of sets = { json_list, sizeof(struct ip_range_set), &ranges };

static int check_whole(struct json_ctx *ctx, void *out)
{
	struct host_local *h = out;

	return h->single.subnet.ip.family ? complete(ctx, &h->single) : 0;
}

static const struct json_field fields[] = {
	RANGE_FIELDS(host_local, single.),
	{ "ranges", json_list, offsetof(struct host_local, sets), 0, &sets },
	{ "routes", json_list, offsetof(struct host_local, routes), 0, &cni_route_list },
	{ "resolvConf", json_string, offsetof(struct host_local, resolv_conf) },
	{ "dataDir", json_string, offsetof(struct host_local, data_dir) },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct host_local),
					 check_whole };

/* What runtimeConfig has, for a list that stands in no object. */
struct runtime_ranges {
	struct ip_range_sets sets;
};
static const struct json_field runtime_fields[] = {
	{ "ipRanges", json_list, offsetof(struct runtime_ranges, sets), 0, &sets },
};
static const struct json_table runtime_table = { runtime_fields, ARRAY_SIZE(runtime_fields),
						 sizeof(struct runtime_ranges) };

static bool overlap(const struct ip_range *a, const struct ip_range *b)
{
	return a->start.family == b->start.family && ip_compare(&a->start, &b->end) <= 0 &&
	       ip_compare(&b->start, &a->end) <= 0;
}

static int check_pair(const struct ip_range *a, const struct ip_range *b, bool same_set,
		      struct err *err)
{
	char texts[4][IP_TEXT_SIZE];

	if (same_set && a->start.family != b->start.family)
		return err_set(err, EINVAL,
			       "ipam: %s and %s are in the same set of ranges: IPv4 and IPv6 need "
			       "a set each",
			       ip_net_text(&a->subnet, texts[0]),
			       ip_net_text(&b->subnet, texts[1]));
	if (overlap(a, b))
		return err_set(err, EINVAL, "ipam: the ranges %s-%s and %s-%s overlap",
			       ip_text(&a->start, texts[0]), ip_text(&a->end, texts[1]),
			       ip_text(&b->start, texts[2]), ip_text(&b->end, texts[3]));
	return 0;
}

/* Every range with every other one, once. */
static int check_all(const struct ip_range_sets *all, struct err *err)
{
	int r = 0;

	for_each (set, all)
		for_each (a, set)
			for_each (other, all)
				for_each (b, other)
					if (r == 0 && (other > set || (other == set && b > a)))
						r = check_pair(a, b, set == other, err);
	return r;
}

static void add_sets(struct ip_range_sets *to, const struct ip_range_sets *from)
{
	for_each (set, from)
		if (set->count)
			to->items[to->count++] = *set;
}

int host_local_parse(const struct json_value *ipam, const struct json_value *runtime,
		     struct arena *a, struct host_local *ret, struct err *err)
{
	struct runtime_ranges more = { 0 };
	struct host_local h = { 0 };
	struct ip_range_sets own;
	char shown[CNI_SHOWN_SIZE];
	int r = json_decode(ipam, &table, a, &h, err);

	if (r < 0)
		return err_prefix(err, "ipam"), r;
	/* The next one may run in another directory. */
	if (h.data_dir && *h.data_dir && *h.data_dir != '/')
		return err_set(err, EINVAL, "ipam.dataDir: \"%s\" is not an absolute path",
			       cni_shown(h.data_dir, shown));
	if (runtime && json_decode(runtime, &runtime_table, a, &more, err) < 0)
		return err_prefix(err, "runtimeConfig");
	own = h.sets;
	h.sets.items = arena_calloc(a, own.count + more.sets.count + 1, sizeof(*own.items));
	h.sets.count = 0;
	add_sets(&h.sets, &more.sets);
	if (h.single.subnet.ip.family)
		h.sets.items[h.sets.count++] =
			(struct ip_range_set){ arena_memdup(a, &h.single, sizeof(h.single)), 1 };
	add_sets(&h.sets, &own);
	if (!h.sets.count)
		return err_set(err, EINVAL, "ipam: no range of addresses: \"ranges\" is missing");
	r = check_all(&h.sets, err);
	if (r == 0)
		*ret = h;
	return r;
}

bool ip_range_usable(const struct ip_range *range, const struct ip *ip)
{
	struct ip last = ip_net_last(&range->subnet);

	return !ip_equal(ip, &range->gateway) && !ip_equal(ip, &range->subnet.ip) &&
	       (ip->family != AF_INET || !ip_equal(ip, &last));
}

const struct ip_range *ip_range_find(const struct ip_range_set *set, const struct ip *ip)
{
	for_each (range, set)
		if (range->start.family == ip->family && ip_compare(&range->start, ip) <= 0 &&
		    ip_compare(ip, &range->end) <= 0)
			return range;
	return NULL;
}

const char *ip_range_text(const struct ip_range_set *set, struct arena *a)
{
	char start[IP_TEXT_SIZE], end[IP_TEXT_SIZE];
	const char *text = "";

	for_each (range, set)
		text = arena_printf(a, "%s%s%s-%s", text, *text ? ", " : "",
				    ip_text(&range->start, start), ip_text(&range->end, end));
	return text;
}

void ip_cursor_init(struct ip_cursor *c, const struct ip_range_set *set, const struct ip *last)
{
	const struct ip_range *range = last ? ip_range_find(set, last) : NULL;

	*c = (struct ip_cursor){ .set = set };
	c->range = range ? (size_t)(range - set->items) : set->count - 1;
	c->ip = range ? *last : set->items[c->range].end;
	c->first_range = c->range;
	c->first = c->ip;
}

bool ip_cursor_next(struct ip_cursor *c, struct ip *ret_ip, const struct ip_range **ret_range)
{
	while (!c->done) {
		const struct ip_range *range = &c->set->items[c->range];

		if (ip_equal(&c->ip, &range->end) || !ip_next(&c->ip)) {
			c->range = (c->range + 1) % c->set->count;
			range = &c->set->items[c->range];
			c->ip = range->start;
		}
		c->done = c->range == c->first_range && ip_equal(&c->ip, &c->first);
		if (!ip_range_usable(range, &c->ip))
			continue;
		*ret_ip = c->ip;
		*ret_range = range;
		return true;
	}
	return false;
}
