/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/ipam_lease.h"
#include "netns/ipam_range.h"
#include "netns/ipam_types.h"
#include "netns/resolv.h"
#include "netns/route.h"

#include <errno.h>
#include <string.h>

static int load(struct attach *at, struct host_local *ret)
{
	return host_local_parse(ipam_conf(at), at->runtime, at->arena, ret, at->err);
}

/* The address among those asked for that is in a set; count says how many are. */
static const struct ip_net *asked_in(const struct ip_net_list *asked,
				     const struct ip_range_set *set, size_t *ret_count)
{
	const struct ip_net *found = NULL;

	*ret_count = 0;
	for_each (net, asked)
		if (ip_range_find(set, &net->ip)) {
			found = net;
			++*ret_count;
		}
	return found;
}

static int check_asked(struct attach *at, const struct host_local *h,
		       const struct ip_net_list *asked)
{
	char text[IP_TEXT_SIZE], other[IP_TEXT_SIZE];

	for_each (set, &h->sets) {
		const struct ip_net *last;
		size_t count;

		last = asked_in(asked, set, &count);
		for_each (net, asked)
			if (count > 1 && net != last && ip_range_find(set, &net->ip))
				return err_set(at->err, EINVAL,
					       "%s and %s are asked for, of which network %s can "
					       "give one only: they are in the same set of ranges",
					       ip_text(&net->ip, text), ip_text(&last->ip, other),
					       at->network);
	}
	for_each (net, asked) {
		bool found = false;

		for_each (set, &h->sets)
			found |= ip_range_find(set, &net->ip) != NULL;
		if (!found)
			return err_set(at->err, EINVAL,
				       "%s is asked for, which is in no range of network %s (%s)",
				       ip_text(&net->ip, text), at->network,
				       ip_range_text(&h->sets.items[0], at->arena));
	}
	return 0;
}

/* A range may have been laid over the LAN that the host is in, itself among others. */
static bool is_hosts(struct attach *at, const struct ip *ip)
{
	struct rtnl *host;

	return attach_host(at, &host) >= 0 && route_is_own(host, ip);
}

static bool keep_living(const struct lease *lease, const void *arg)
{
	(void)arg;
	return lease_alive(lease);
}

/* Free already, or a dead one's. */
static int claim_asked(const struct leases *l, struct attach *at, const struct ip_range *range,
		       const struct ip *ip)
{
	char text[IP_TEXT_SIZE];
	struct lease lease;
	int r;

	if (!ip_range_usable(range, ip))
		return err_set(at->err, EINVAL,
			       "%s is asked for, which is %s of network %s: choose another",
			       ip_text(ip, text),
			       ip_equal(ip, &range->gateway) ? "the gateway"
							     : "the first or last address",
			       at->network);
	if (is_hosts(at, ip))
		return err_set(at->err, EADDRINUSE,
			       "%s is asked for, which the host itself has: choose another",
			       ip_text(ip, text));
	if (!lease_exists(l, ip))
		return 0;
	r = lease_read(l, ip, &lease);
	if (r == 0 && lease_alive(&lease))
		return err_set(at->err, EADDRINUSE,
			       "%s on network %s is in use by container %s (%s)", ip_text(ip, text),
			       at->network, lease.container, lease.ifname);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return err_code(at->err, r, "read the lease %s in %s", ip_text(ip, text), l->path);
	return lease_drop(l, ip, at->err);
}

/* A free address; -ENOSPC when there is none, *ret_tried then is how many there are. */
static int find_free(const struct leases *l, struct attach *at, unsigned int number,
		     const struct ip_range_set *set, struct ip *ret_ip,
		     const struct ip_range **ret_range, unsigned long *ret_tried)
{
	struct ip_cursor cursor;
	struct ip last;

	*ret_tried = 0;
	ip_cursor_init(&cursor, set, lease_last(l, number, &last) ? &last : NULL);
	while (ip_cursor_next(&cursor, ret_ip, ret_range)) {
		if (!lease_exists(l, ret_ip) && !is_hosts(at, ret_ip))
			return 0;
		++*ret_tried;
	}
	return -ENOSPC;
}

static int find_any(const struct leases *l, struct attach *at, unsigned int number,
		    const struct ip_range_set *set, struct ip *ret_ip,
		    const struct ip_range **ret_range)
{
	unsigned long tried;
	int r = find_free(l, at, number, set, ret_ip, ret_range, &tried);

	if (r == 0)
		return 0;
	r = leases_sweep(l, at, keep_living, NULL);
	if (r < 0)
		return r;
	if (r > 0 && find_free(l, at, number, set, ret_ip, ret_range, &tried) == 0)
		return 0;
	return err_set(at->err, ENOSPC,
		       "network %s has no address left: all %lu of %s are in use; remove "
		       "containers, or give the network a larger range",
		       at->network, tried, ip_range_text(set, at->arena));
}

/* One address of a set, for the attachment. */
static int lease_one(const struct leases *l, struct attach *at, unsigned int number,
		     const struct ip_range_set *set, const struct ip_net_list *asked)
{
	const struct ip_range *range;
	const struct ip_net *wanted;
	struct ip_net address;
	size_t count;
	struct ip ip;
	int r;

	wanted = asked_in(asked, set, &count);
	if (wanted) {
		ip = wanted->ip;
		range = ip_range_find(set, &ip);
		r = claim_asked(l, at, range, &ip);
	} else {
		r = find_any(l, at, number, set, &ip, &range);
	}
	if (r == 0)
		r = lease_take(l, at, number, &ip);
	if (r < 0)
		return r;
	if (!wanted)
		lease_set_last(l, number, &ip);
	address = (struct ip_net){ ip, range->subnet.prefix_len };
	cni_add_ip(&at->result, at->arena, &address)->gateway = range->gateway;
	return 0;
}

/* The first failure is what is told, not one of undoing. */
static void give_back(const struct leases *l, struct attach *at, unsigned int from, unsigned int to)
{
	struct err failed = *at->err;

	if (to > from)
		lease_free(l, at, from);
	*at->err = failed;
}

static int add_addresses(struct attach *at, const struct host_local *h)
{
	size_t before = at->result.ips.count;
	struct ip_net_list asked;
	autoleases l = LEASES_INIT;
	unsigned int done = 0;
	int r = ipam_requested(at, IPAM_RUNTIME | IPAM_CONF_ARGS | IPAM_CNI_ARGS, false, &asked);

	if (r == 0)
		r = check_asked(at, h, &asked);
	if (r == 0)
		r = leases_open(at, h->data_dir, true, &l);
	for (; r == 0 && done < h->sets.count; done += r == 0)
		r = lease_one(&l, at, done, &h->sets.items[done], &asked);
	if (r < 0 && done) {
		give_back(&l, at, 0, done);
		at->result.ips.count = before;
	}
	return r;
}

static int add(struct attach *at)
{
	struct cni_dns dns = { 0 };
	struct host_local h;
	int r = load(at, &h);

	if (r == 0 && h.resolv_conf && *h.resolv_conf)
		r = resolv_read(h.resolv_conf, at->arena, &dns, at->err);
	if (r == 0)
		r = add_addresses(at, &h);
	if (r < 0)
		return r;
	for_each (route, &h.routes)
		*cni_add_route(&at->result, at->arena, &route->dst) = *route;
	if (h.resolv_conf && *h.resolv_conf)
		at->result.dns = dns;
	return 0;
}

/* What can be deleted does not depend on the rest of the configuration being right. */
static const char *data_dir(const struct attach *at)
{
	const struct json_value *conf = ipam_conf(at), *dir = json_get(conf, "dataDir");

	return dir && dir->kind == JSON_STRING && dir->text[0] == '/' ? dir->text : NULL;
}

static int del(struct attach *at)
{
	autoleases l = LEASES_INIT;
	int r = leases_open(at, data_dir(at), false, &l);

	if (r == 0)
		r = lease_free(&l, at, 0);
	return r == -ENOENT ? 0 : r;
}

static int check(struct attach *at)
{
	autoleases l = LEASES_INIT;
	int r = leases_open(at, data_dir(at), false, &l);
	struct ip ip;

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && lease_own(&l, at, 0, &ip) == 0)
		return 0;
	return err_set(at->err, ENOENT, "container %s has no address for %s on network %s",
		       at->container, at->ifname, at->network);
}

static int status(struct attach *at)
{
	const struct ip_range *range;
	autoleases l = LEASES_INIT;
	struct host_local h;
	struct ip ip;
	int r = load(at, &h);

	if (r == 0)
		r = leases_open(at, h.data_dir, true, &l);
	for (unsigned int i = 0; r == 0 && i < h.sets.count; i++)
		r = find_any(&l, at, i, &h.sets.items[i], &ip, &range);
	return r;
}

struct valid_list {
	const struct cni_valid *items;
	size_t count;
};

static bool keep_valid(const struct lease *lease, const void *arg)
{
	const struct valid_list *valid = arg;

	for_each (v, valid)
		if (strcmp(v->container, lease->container) == 0 &&
		    strcmp(v->ifname, lease->ifname) == 0)
			return true;
	return false;
}

static int gc(struct attach *at, const struct cni_valid *valid, size_t count)
{
	struct valid_list list = { valid, count };
	autoleases l = LEASES_INIT;
	int r = leases_open(at, data_dir(at), false, &l);

	if (r == 0)
		r = leases_sweep(&l, at, keep_valid, &list);
	return r == -ENOENT || r > 0 ? 0 : r;
}

const struct plugin ipam_host_local = { "host-local", add, del, check, status, gc };
