/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI's "ptp": a veth between the host and a container, no bridge. Everything the container sends goes
 * to the host, which has the gateway's address on its end and a route to the container's address.
 */
#include "lib/cleanup.h"
#include "netns/addr.h"
#include "netns/inside.h"
#include "netns/ipam.h"
#include "netns/ns.h"
#include "netns/pair.h"
#include "netns/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>

#define CARRIER_MS 3000

struct ptp_conf {
	bool ip_masq;
	uint32_t mtu; /* bytes; 0: the kernel's choice */
	struct cni_dns dns;
};

static const struct json_field fields[] = {
	{ "ipMasq", json_bool, offsetof(struct ptp_conf, ip_masq) },
	{ "mtu", json_u32, offsetof(struct ptp_conf, mtu) },
	{ "dns", json_object, offsetof(struct ptp_conf, dns), 0, &cni_dns_table },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct ptp_conf),
					 NULL };

static struct ip_net alone(const struct ip *ip)
{
	return (struct ip_net){ *ip, (uint8_t)(ip_size(ip) * 8) };
}

static int check_gateways(struct attach *at)
{
	char text[IP_TEXT_SIZE];

	for_each (ip, &at->result.ips)
		if (!ip->gateway.family)
			return err_set(at->err, EINVAL,
				       "ipam gave %s without a gateway, which the host would be",
				       ip_net_text(&ip->address, text));
	return 0;
}

static int set_host_end(struct attach *at, const struct link *host_end, const char *what)
{
	char setting[64];

	snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/%s", host_end->name, what);
	return ns_sysctl(-1, setting, "0", at->err);
}

/*
 * What the container says must not become the host's default route. And nobody else has the host's end's
 * random address, but until that is known by asking the kernel forwards nothing to the container.
 */
static int forward_ipv6(struct attach *at, const struct link *host_end)
{
	int rc = ns_sysctl(-1, "net/ipv6/conf/all/forwarding", "1", at->err);

	if (rc >= 0)
		rc = set_host_end(at, host_end, "accept_ra");
	return rc < 0 ? rc : set_host_end(at, host_end, "accept_dad");
}

static int forward(struct attach *at, const struct link *host_end)
{
	bool v4 = false, v6 = false;
	int rc = 0;

	for_each (ip, &at->result.ips) {
		v4 |= ip->address.ip.family == AF_INET;
		v6 |= ip->address.ip.family == AF_INET6;
	}
	if (v4)
		rc = ns_sysctl(-1, "net/ipv4/ip_forward", "1", at->err);
	if (rc >= 0 && v6)
		return forward_ipv6(at, host_end);
	if (rc >= 0)
		rc = set_host_end(at, host_end, "accept_ra");
	return rc == -ENOENT ? 0 : rc;
}

static void queue_host(struct attach *at, const struct link *host_end)
{
	for_each (ip, &at->result.ips) {
		struct ip_net gateway = alone(&ip->gateway);
		struct route_wish route = { .dst = alone(&ip->address.ip) };

		route.scope = (struct opt_u32){ true, RT_SCOPE_HOST };
		addr_add(at->host, host_end, &gateway,
			 gateway.ip.family == AF_INET6 ? IFA_F_NODAD : 0);
		route_add(at->host, host_end, &route);
	}
}

/* Neighbours of its network are not on the container's link, only the host is. */
static void queue_network(struct attach *at, const struct link *link, const struct cni_ip *ip)
{
	struct route_wish to_host = { .dst = alone(&ip->gateway), .src = ip->address.ip };
	struct route_wish network = { .dst = ip->address };

	if (ip->address.prefix_len < ip_size(&ip->address.ip) * 8)
		route_delete(at->inside, link, &network);
	route_add(at->inside, link, &to_host);
	network.gw = ip->gateway;
	network.src = ip->address.ip;
	if (ip->address.prefix_len < ip_size(&ip->address.ip) * 8)
		route_add(at->inside, link, &network);
}

static int configure(struct attach *at, const struct ptp_conf *conf, const struct pair *pair)
{
	int rc = forward(at, &pair->host);

	if (rc >= 0)
		rc = pair_settings(at, &pair->inside, false);
	if (rc < 0)
		return rc;
	queue_host(at, &pair->host);
	rc = rtnl_run(at->host, NULL, at->err);
	if (rc < 0)
		return rc;
	link_up(at->inside, &pair->inside);
	inside_add_addresses(at, at->inside, &pair->inside, IFA_F_NODAD);
	for_each (ip, &at->result.ips)
		queue_network(at, &pair->inside, ip);
	inside_add_routes(at, at->inside, &pair->inside);
	rc = rtnl_run(at->inside, NULL, at->err);
	if (rc >= 0 && conf->ip_masq)
		rc = pair_masquerade(at);
	return rc < 0 ? rc : link_wait_running(at->host, &pair->host, CARRIER_MS, at->err);
}

static int add(struct attach *at)
{
	struct ptp_conf conf = { 0 };
	struct pair_wish wish = { 0 };
	struct pair pair;
	int rc = json_decode(at->conf, &table, at->arena, &conf, at->err);

	if (rc >= 0 && !inside_has_ipam(at))
		rc = err_set(at->err, EINVAL, "ptp needs an \"ipam\" that gives addresses");
	if (rc >= 0)
		rc = pair_check_free(at);
	if (rc >= 0)
		rc = pair_lease(at);
	if (rc < 0)
		return rc;
	wish.mtu = conf.mtu;
	rc = check_gateways(at);
	if (rc >= 0)
		rc = pair_add(at, &wish, &pair);
	if (rc >= 0)
		rc = configure(at, &conf, &pair);
	if (rc < 0)
		return pair_undo_failed(at);
	pair_report(at, &pair);
	inside_number(at);
	pair_dns(at, &conf.dns);
	return 0;
}

static int check_host(struct attach *at, const struct link *host_end)
{
	struct addr_list list;
	int rc = addr_list(at->host, host_end, at->arena, &list, at->err);

	for_each (ip, &at->result.ips) {
		struct route_wish route = { .dst = alone(&ip->address.ip) };
		struct ip_net gateway = alone(&ip->gateway);
		char text[IP_TEXT_SIZE];

		if (rc >= 0 && ip->gateway.family && !addr_among(&list, &gateway))
			return err_set(at->err, ENOENT, "%s has no address %s", host_end->name,
				       ip_net_text(&gateway, text));
		if (rc >= 0)
			rc = route_check(at->host, host_end, &route, at->err);
	}
	return rc;
}

static int check(struct attach *at)
{
	struct pair pair;
	int rc = pair_check(at, 0, &pair);

	if (rc >= 0 && at->has_result)
		rc = check_host(at, &pair.host);
	if (rc >= 0)
		rc = inside_check(at, &pair.inside);
	return rc < 0 ? rc : ipam_check(at);
}

const struct plugin plugin_ptp = {
	.type = "ptp",
	.add = add,
	.del = pair_undo,
	.want = pair_want,
	.give_back = pair_give_back,
	.check = check,
	.status = pair_status,
	.gc = pair_gc,
};
