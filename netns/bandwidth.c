/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI's "bandwidth": what reaches a container (ingress) is limited on the host's end of its veth, where
 * it leaves. What it sends (egress) arrives there, and arriving traffic cannot wait: it takes a
 * detour through an "ifb" interface, where it leaves as well. The veth's end takes its part along.
 */
#include "lib/cleanup.h"
#include "netns/link_add.h"
#include "netns/link_delete.h"
#include "netns/plugin.h"
#include "netns/qdisc.h"

#include <errno.h>
#include <string.h>

#define LATENCY_US 25000 /* how long a packet may wait, beyond the burst */

/* Bits, and bits a second; 0: no limit. */
struct limits {
	uint64_t ingress_rate, ingress_burst, egress_rate, egress_burst;
};

/* containerd's names for these begin with a capital letter. */
static const struct json_field limit_fields[] = {
	{ "ingressRate", json_u64, offsetof(struct limits, ingress_rate), JSON_ANY_CASE },
	{ "ingressBurst", json_u64, offsetof(struct limits, ingress_burst), JSON_ANY_CASE },
	{ "egressRate", json_u64, offsetof(struct limits, egress_rate), JSON_ANY_CASE },
	{ "egressBurst", json_u64, offsetof(struct limits, egress_burst), JSON_ANY_CASE },
};
static const struct json_table limits_table = { limit_fields, ARRAY_SIZE(limit_fields),
						sizeof(struct limits), NULL };

static int check_pair(const char *way, uint64_t rate, uint64_t burst, struct err *err)
{
	if (!rate != !burst)
		return err_set(err, EINVAL, "%sRate and %sBurst are set together or not", way, way);
	if (rate && (rate < 8 || burst < 8))
		return err_set(err, EINVAL, "%sRate and %sBurst are bits, 8 at least", way, way);
	if (burst / 8 > UINT32_MAX)
		return err_set(err, EINVAL, "%sBurst is %llu bits, the most is %llu", way,
			       (unsigned long long)burst, UINT32_MAX * 8ULL);
	return 0;
}

/* The limits are the interface's, whomever it speaks with. */
static int check_subnets(struct attach *at)
{
	static const char *const keys[] = { "shapedSubnets", "unshapedSubnets" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct json_value *v = json_get(at->conf, keys[i]);

		if (v && v->count)
			return err_set(at->err, EOPNOTSUPP,
				       "%s is not supported: limits are for all that passes",
				       keys[i]);
	}
	return 0;
}

/* The configuration's own limits, or those that the runtime offers when it has none. */
static int read_limits(struct attach *at, struct limits *ret_limits)
{
	const struct json_value *from = at->conf;
	const struct json_value *offered = at->runtime ? json_get(at->runtime, "bandwidth") : NULL;
	struct limits limits = { 0 };
	bool own = false;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(limit_fields); i++)
		own |= json_get(at->conf, limit_fields[i].key) != NULL;
	if (!own && offered && offered->kind == JSON_OBJECT)
		from = offered;
	rc = json_decode(from, &limits_table, at->arena, &limits, at->err);
	if (rc >= 0)
		rc = check_pair("ingress", limits.ingress_rate, limits.ingress_burst, at->err);
	if (rc >= 0)
		rc = check_pair("egress", limits.egress_rate, limits.egress_burst, at->err);
	*ret_limits = limits;
	return rc;
}

/* The host's end of the container's interface. */
static int find_host_end(struct attach *at, struct link *ret_link)
{
	struct rtnl *inside, *host;
	struct link link;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = attach_host(at, &host);
	if (rc >= 0)
		rc = link_find(inside, at->ifname, &link, at->err);
	if (rc < 0)
		return rc;
	if (strcmp(link.kind, "veth") != 0 || !link.other)
		return err_set(at->err, EINVAL,
			       "%s of container %s has no end on the host that could be "
			       "limited; use it behind bridge or ptp",
			       at->ifname, at->container);
	return link_find_index(host, link.other, ret_link, at->err);
}

static void set_limit(struct rtnl *r, const struct link *link, uint64_t rate, uint64_t burst)
{
	struct qdisc_tbf tbf = { .rate = rate / 8, .burst = (uint32_t)(burst / 8) };
	uint64_t waiting = tbf.rate / 1000000 * LATENCY_US +
			   tbf.rate % 1000000 * LATENCY_US / 1000000 + tbf.burst;

	tbf.limit = waiting < UINT32_MAX ? (uint32_t)waiting : UINT32_MAX;
	qdisc_set_tbf(r, link, &tbf);
}

/* Everything up to the new interface is in one round trip, all that needs its index in another. */
static int limit_egress(struct attach *at, const struct link *end, const struct limits *limits)
{
	struct rtnl *host = at->host;
	char name[IFNAMSIZ], mac[LINK_MAC_TEXT_SIZE];
	struct link_add add = { .name = name, .netns_fd = -1, .mtu = end->mtu, .up = true };
	struct link ifb;
	int rc;

	attach_name(at, "ifb", name);
	link_add_plain(host, &add, "ifb");
	qdisc_add_ingress(host, end);
	rc = link_find(host, name, &ifb, at->err);
	if (rc < 0)
		return link_add_explain("ifb", at->err);
	set_limit(host, &ifb, limits->egress_rate, limits->egress_burst);
	qdisc_redirect(host, end, &ifb);
	rc = rtnl_run(host, NULL, at->err);
	if (rc < 0)
		return rc;
	cni_add_interface(&at->result, at->arena, name,
			  ifb.has_mac ? link_mac_text(ifb.mac, mac) : NULL, NULL);
	return 0;
}

static int add(struct attach *at)
{
	struct limits limits;
	struct link end;
	int rc = read_limits(at, &limits);

	if (rc >= 0)
		rc = check_subnets(at);
	if (rc < 0 || (!limits.ingress_rate && !limits.egress_rate))
		return rc;
	rc = find_host_end(at, &end);
	if (rc < 0)
		return rc;
	if (limits.ingress_rate)
		set_limit(at->host, &end, limits.ingress_rate, limits.ingress_burst);
	if (limits.egress_rate)
		return limit_egress(at, &end, &limits);
	return rtnl_run(at->host, NULL, at->err);
}

static int del(struct attach *at)
{
	struct rtnl *host;
	char name[IFNAMSIZ];
	int rc = attach_host(at, &host);

	if (rc < 0)
		return rc;
	attach_name(at, "ifb", name);
	return link_delete(host, name, at->err);
}

static int check_rate(struct attach *at, const struct link *link, uint64_t rate)
{
	uint64_t now;
	int rc = qdisc_rate(at->host, link, &now, at->err);

	if (rc >= 0 && now != rate / 8)
		return err_set(at->err, ENOENT, "%s lets %llu bytes a second pass, not %llu",
			       link->name, (unsigned long long)now, (unsigned long long)rate / 8);
	return rc;
}

static int check(struct attach *at)
{
	char name[IFNAMSIZ];
	struct limits limits;
	struct link end, ifb;
	int rc = read_limits(at, &limits);

	if (rc < 0 || (!limits.ingress_rate && !limits.egress_rate))
		return rc;
	rc = find_host_end(at, &end);
	if (rc >= 0 && limits.ingress_rate)
		rc = check_rate(at, &end, limits.ingress_rate);
	if (rc < 0 || !limits.egress_rate)
		return rc;
	attach_name(at, "ifb", name);
	rc = link_find(at->host, name, &ifb, at->err);
	return rc < 0 ? rc : check_rate(at, &ifb, limits.egress_rate);
}

const struct plugin plugin_bandwidth = {
	.type = "bandwidth", .add = add, .del = del, .check = check
};
