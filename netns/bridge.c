/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI's "bridge": a container's veth is a port of a bridge on the host, which may be the network's
 * gateway. The bridge stays when the last container leaves.
 */
#include "netns/bridge.h"

#include "lib/cleanup.h"
#include "netns/inside.h"
#include "netns/ipam.h"
#include "netns/pair.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>

#define CARRIER_MS 3000

static void report_link(struct attach *at, const struct link *link)
{
	char mac[LINK_MAC_TEXT_SIZE];

	cni_add_interface(&at->result, at->arena, link->name, link_mac_text(link->mac, mac), NULL)
		->mtu = link->mtu;
}

/* The host's interface in a VLAN comes last. */
static void report(struct attach *at, const struct link *bridge, const struct link *gateway,
		   const struct pair *pair)
{
	bool in_vlan = gateway->index != bridge->index;

	report_link(at, in_vlan ? bridge : gateway);
	pair_report(at, pair);
	inside_number(at);
	if (in_vlan)
		report_link(at, gateway);
}

static int configure(struct attach *at, const struct bridge_conf *conf, const struct pair *pair)
{
	bool has_ipam = inside_has_ipam(at);
	int rc = 0;

	if (has_ipam)
		rc = pair_settings(at, &pair->inside, conf->hairpin_mode || conf->promisc_mode);
	if (rc < 0)
		return rc;
	link_up(at->inside, &pair->inside);
	/* Leases see to it that nobody else has them. */
	inside_add_addresses(at, at->inside, &pair->inside, IFA_F_NODAD);
	inside_add_routes(at, at->inside, &pair->inside);
	return rtnl_run(at->inside, NULL, at->err);
}

static int connect_container(struct attach *at, const struct bridge_conf *conf, struct link *bridge)
{
	struct pair_wish wish = {
		.master = bridge,
		.mtu = conf->mtu,
		.hairpin = conf->hairpin_mode,
		.isolated = conf->port_isolation,
	};
	const struct link before = *bridge;
	struct link gateway;
	struct pair pair;
	int rc = 0;

	/* In front of all that has to wait for the namespace. */
	if (conf->ip_masq && at->result.ips.count)
		rc = pair_masquerade(at);
	if (rc >= 0)
		rc = pair_add(at, &wish, &pair);
	if (rc >= 0)
		rc = bridge_port_vlan(at, conf, &pair.host);
	if (rc >= 0)
		rc = bridge_gateways(at, conf, bridge, before.mac, &gateway);
	if (rc >= 0)
		rc = configure(at, conf, &pair);
	if (rc >= 0)
		rc = link_wait_running(at->host, &pair.host, CARRIER_MS, at->err);
	if (rc < 0)
		return rc;
	report(at, bridge, &gateway, &pair);
	return 0;
}

static int add(struct attach *at)
{
	struct bridge_conf conf;
	struct link bridge;
	int rc = bridge_conf_read(at, &conf);

	if (rc >= 0)
		rc = pair_check_free(at);
	if (rc >= 0)
		rc = pair_lease(at);
	if (rc < 0)
		return rc;
	rc = bridge_ensure(at, &conf, &bridge);
	if (rc >= 0)
		rc = connect_container(at, &conf, &bridge);
	if (rc < 0)
		return pair_undo_failed(at);
	pair_dns(at, &conf.dns);
	return 0;
}

static int check_bridge(struct attach *at, const struct bridge_conf *conf, struct link *ret_bridge)
{
	struct rtnl *host;
	int rc = attach_host(at, &host);

	if (rc >= 0)
		rc = link_find(host, conf->bridge, ret_bridge, at->err);
	if (rc == -ENODEV || (rc >= 0 && strcmp(ret_bridge->kind, "bridge") != 0))
		return err_set(at->err, ENOENT, "there is no bridge %s any more", conf->bridge);
	if (rc >= 0 && !(ret_bridge->flags & IFF_UP))
		return err_set(at->err, ENOENT, "bridge %s is down", conf->bridge);
	return rc;
}

static int check(struct attach *at)
{
	struct bridge_conf conf;
	struct link bridge = { 0 };
	struct pair pair;
	int rc = bridge_conf_read(at, &conf);

	if (rc >= 0)
		rc = check_bridge(at, &conf, &bridge);
	if (rc >= 0)
		rc = pair_check(at, bridge.index, &pair);
	if (rc >= 0 && conf.hairpin_mode && !pair.host.hairpin)
		return err_set(at->err, ENOENT, "port %s of bridge %s has hairpin off",
			       pair.host.name, conf.bridge);
	if (rc >= 0)
		rc = inside_check(at, &pair.inside);
	if (rc >= 0 && inside_has_ipam(at))
		rc = ipam_check(at);
	return rc;
}

const struct plugin plugin_bridge = {
	.type = "bridge",
	.add = add,
	.early = true,
	.del = pair_undo,
	.want = pair_want,
	.give_back = pair_give_back,
	.check = check,
	.status = pair_status,
	.gc = pair_gc,
};
