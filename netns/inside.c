/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/inside.h"

#include "lib/cleanup.h"
#include "netns/addr.h"
#include "netns/ns.h"
#include "netns/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define UNIQUE_LIMIT_MS 10000
#define UNIQUE_STEP_MS 10

bool inside_has_ipam(const struct attach *at)
{
	const struct json_value *ipam = json_get(at->conf, "ipam");
	const struct json_value *type = ipam ? json_get(ipam, "type") : NULL;

	return type && type->kind == JSON_STRING && *type->text;
}

/* Gateways that only say what a family's default is when the route does not. */
static struct ip gateway_of(const struct attach *at, const struct cni_route *route)
{
	struct ip none = { 0 };

	if (route->gw.family)
		return route->gw;
	for_each (ip, &at->result.ips)
		if (ip->gateway.family == route->dst.ip.family)
			return ip->gateway;
	return none;
}

static struct route_wish wish_of(const struct attach *at, const struct cni_route *route)
{
	return (struct route_wish){
		.dst = route->dst,
		.gw = gateway_of(at, route),
		.table = route->table,
		.priority = route->priority,
		.mtu = route->mtu,
		.advmss = route->advmss,
		.scope = route->scope,
	};
}

static bool has_ipv6(const struct attach *at)
{
	for_each (ip, &at->result.ips)
		if (ip->address.ip.family == AF_INET6)
			return true;
	return false;
}

/* 1 while one of ours is not known to be unique, 0 when all are, or -errno. */
static int await_unique(struct attach *at, const struct link *link)
{
	struct addr_list list;
	int rc = addr_list(at->inside, link, at->arena, &list, at->err);

	if (rc < 0)
		return rc;
	for_each (ip, &at->result.ips) {
		const struct addr *addr = addr_among(&list, &ip->address);
		char text[IP_TEXT_SIZE];

		if (ip->address.ip.family != AF_INET6 || !addr)
			continue;
		if (addr->flags & IFA_F_DADFAILED)
			return err_set(at->err, EADDRNOTAVAIL,
				       "somebody else on the link of %s has the address %s",
				       at->ifname, ip_text(&ip->address.ip, text));
		if (addr->flags & IFA_F_TENTATIVE)
			return 1;
	}
	return 0;
}

/* A program that starts at once must be able to bind its address. */
static int wait_unique(struct attach *at, const struct link *link)
{
	static const struct timespec step = { .tv_nsec = UNIQUE_STEP_MS * 1000000L };
	int rc = 1;

	for (int ms = 0; rc > 0 && ms < UNIQUE_LIMIT_MS; ms += UNIQUE_STEP_MS) {
		if (ms)
			nanosleep(&step, NULL);
		rc = await_unique(at, link);
	}
	return rc < 0 ? rc : 0;
}

void inside_add_addresses(struct attach *at, struct rtnl *r, const struct link *link,
			  uint32_t ipv6_flags)
{
	for_each (ip, &at->result.ips)
		addr_add(r, link, &ip->address, ip->address.ip.family == AF_INET6 ? ipv6_flags : 0);
}

/* The one who asks for a default route and gets one from IPAM as well means the same. */
static bool is_repeated(const struct attach *at, const struct cni_route *route)
{
	struct ip gw = gateway_of(at, route);

	for (const struct cni_route *other = at->result.routes.items; other < route; other++) {
		struct ip other_gw = gateway_of(at, other);

		if (other->dst.prefix_len == route->dst.prefix_len &&
		    ip_equal(&other->dst.ip, &route->dst.ip) && ip_equal(&other_gw, &gw) &&
		    other->table.set == route->table.set &&
		    other->table.value == route->table.value &&
		    other->priority.set == route->priority.set &&
		    other->priority.value == route->priority.value)
			return true;
	}
	return false;
}

void inside_add_routes(struct attach *at, struct rtnl *r, const struct link *link)
{
	for_each (route, &at->result.routes) {
		struct route_wish wish = wish_of(at, route);

		if (!is_repeated(at, route))
			route_add(r, link, &wish);
	}
}

void inside_number(struct attach *at)
{
	for_each (ip, &at->result.ips)
		ip->interface = (struct opt_u32){ true, (uint32_t)at->result.interfaces.count - 1 };
}

int inside_configure(struct attach *at, const struct link *link)
{
	char setting[64];
	struct rtnl *r;
	int rc = attach_inside(at, &r);

	if (rc < 0)
		return rc;
	if (has_ipv6(at)) {
		snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/disable_ipv6", at->ifname);
		rc = ns_sysctl(at->netns_fd, setting, "0", at->err);
		if (rc < 0)
			return rc;
	}
	link_up(r, link);
	inside_add_addresses(at, r, link, 0);
	inside_add_routes(at, r, link);
	inside_number(at);
	rc = rtnl_run(r, NULL, at->err);
	return rc < 0 || !has_ipv6(at) ? rc : wait_unique(at, link);
}

static int check_addresses(struct attach *at, const struct link *link)
{
	char text[IP_TEXT_SIZE];
	struct addr_list list;
	int rc = addr_list(at->inside, link, at->arena, &list, at->err);

	if (rc < 0)
		return rc;
	for_each (ip, &at->result.ips) {
		if (ip->interface.set && ip->interface.value < at->result.interfaces.count &&
		    strcmp(at->result.interfaces.items[ip->interface.value].name, at->ifname) != 0)
			continue;
		if (!addr_among(&list, &ip->address))
			return err_set(at->err, ENOENT, "%s of container %s has no address %s",
				       at->ifname, at->container, ip_net_text(&ip->address, text));
	}
	return 0;
}

int inside_check(struct attach *at, const struct link *link)
{
	struct rtnl *r;
	int rc = attach_inside(at, &r);

	if (rc < 0)
		return rc;
	if (!(link->flags & IFF_UP))
		return err_set(at->err, ENOENT, "%s of container %s is down", at->ifname,
			       at->container);
	if (!at->has_result)
		return 0;
	rc = check_addresses(at, link);
	for_each (route, &at->result.routes) {
		struct route_wish wish = wish_of(at, route);

		if (rc >= 0)
			rc = route_check(r, link, &wish, at->err);
	}
	return rc;
}
