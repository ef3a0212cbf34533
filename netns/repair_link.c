/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/addr.h"
#include "netns/bridge.h"
#include "netns/repair_private.h"

#include <errno.h>
#include <string.h>

static void tell_bridge(const struct repairing *w, bool made, size_t addresses_before,
			size_t addresses_now, const char *bridge)
{
	if (made)
		repair_tell(w->rp, false, "bridge %s: made again", bridge);
	else if (addresses_now > addresses_before)
		repair_tell(w->rp, false, "bridge %s: has its addresses again", bridge);
}

/* Those of the containers' kinds: each bridge has a link-local one. */
static size_t count_addresses(struct attach *at, const char *bridge)
{
	struct addr_list list = { NULL, 0 };
	struct link link;
	struct err unused;
	size_t n = 0;

	if (link_find(at->host, bridge, &link, &unused) == 0)
		addr_list(at->host, &link, at->arena, &list, &unused);
	for_each (addr, &list)
		n += addr->scope == RT_SCOPE_UNIVERSE;
	return n;
}

static int ensure_bridge(struct repairing *w, struct bridge_conf *ret_conf, struct link *ret_bridge)
{
	struct attach *at = &w->at;
	struct cni_result result = at->result;
	size_t before, after;
	struct link gateway;
	struct rtnl *host;
	struct err unused;
	bool made;
	int r = bridge_conf_read(at, ret_conf);

	if (r == 0)
		r = attach_host(at, &host);
	if (r < 0)
		return r;
	before = count_addresses(at, ret_conf->bridge);
	made = link_find(host, ret_conf->bridge, ret_bridge, &unused) == -ENODEV;
	r = bridge_ensure(at, ret_conf, ret_bridge);
	/* As it was found. */
	if (r == 0 && !(ret_bridge->flags & IFF_UP))
		repair_tell(w->rp, false, "bridge %s: is up again", ret_conf->bridge);
	if (r == 0 && ret_conf->is_gateway && at->result.ips.count)
		r = bridge_gateways(at, ret_conf, ret_bridge, ret_bridge->mac, &gateway);
	/* What it would add to a result is in there already. */
	at->result = result;
	if (r < 0)
		return r;
	after = count_addresses(at, ret_conf->bridge);
	tell_bridge(w, made, before, after, ret_conf->bridge);
	return 0;
}

static int put_back(struct repairing *w, const struct bridge_conf *conf, const struct link *bridge,
		    const struct link *port)
{
	struct attach *at = &w->at;
	int r;

	link_set_master(at->host, port, bridge->index);
	link_up(at->host, port);
	r = rtnl_run(at->host, NULL, at->err);
	if (r == 0 && conf->hairpin_mode)
		link_set_hairpin(at->host, port, true);
	if (r == 0 && conf->port_isolation)
		link_set_isolated(at->host, port, true);
	if (r == 0)
		r = rtnl_run(at->host, NULL, at->err);
	if (r == 0)
		r = bridge_port_vlan(at, conf, port);
	if (r == 0)
		repair_tell(w->rp, false, "container %s: %s is in bridge %s again", at->container,
			    port->name, bridge->name);
	return r;
}

int repair_bridge(struct repairing *w, const struct json_value *plugin)
{
	struct bridge_conf conf;
	struct link bridge, port;
	char name[IFNAMSIZ];
	int r;

	repair_turn(w, plugin);
	r = ensure_bridge(w, &conf, &bridge);
	if (r < 0)
		return r == -ENODEV ? w->at.err->code = -EIO : r;
	attach_name(&w->at, "veth", name);
	r = link_find(w->at.host, name, &port, w->at.err);
	if (r == 0 && (port.master != bridge.index || !(port.flags & IFF_UP)))
		r = put_back(w, &conf, &bridge, &port);
	return r < 0 ? r : 1;
}

static void put_ipam(const struct repairing *w, struct json_writer *w_)
{
	char text[IP_TEXT_SIZE];

	json_begin_object(w_);
	json_pair_string(w_, "type", "static");
	json_key(w_, "addresses");
	json_begin_array(w_);
	for_each (ip, &w->r->result.ips) {
		json_begin_object(w_);
		json_pair_string(w_, "address", ip_net_text(&ip->address, text));
		if (ip->gateway.family)
			json_pair_string(w_, "gateway", ip_text(&ip->gateway, text));
		json_end_object(w_);
	}
	json_end_array(w_);
	json_key(w_, "routes");
	json_begin_array(w_);
	for_each (route, &w->r->result.routes)
		cni_route_write(route, true, w_);
	json_end_array(w_);
	json_end_object(w_);
}

static const char *mac_inside(const struct record *r)
{
	for_each (i, &r->result.interfaces)
		if (i->sandbox && *i->sandbox && strcmp(i->name, r->ifname) == 0)
			return i->mac;
	return NULL;
}

/* The plugin's configuration with the addresses that the container has, whatever "ipam" it is. */
static int fixed_conf(struct repairing *w, const struct json_value *plugin,
		      struct json_value **ret_conf)
{
	const char *mac = mac_inside(w->r);
	autobuf text = BUF_INIT;
	struct json_writer jw;

	json_writer_init(&jw, &text, false);
	json_begin_object(&jw);
	for (const struct json_value *v = plugin->first; v; v = v->next) {
		if (strcmp(v->key, "ipam") == 0 || strcmp(v->key, "runtimeConfig") == 0 ||
		    strcmp(v->key, "args") == 0)
			continue;
		json_key(&jw, v->key);
		json_put_value(&jw, v);
	}
	if (json_get(plugin, "ipam")) {
		json_key(&jw, "ipam");
		put_ipam(w, &jw);
	}
	json_key(&jw, "runtimeConfig");
	json_begin_object(&jw);
	/* ipvlan shares its parent's. */
	if (mac && strcmp(json_get(plugin, "type")->text, "ipvlan") != 0)
		json_pair_string(&jw, "mac", mac);
	json_end_object(&jw);
	json_end_object(&jw);
	json_writer_done(&jw);
	return json_parse(text.data, text.len, w->at.arena, ret_conf, w->at.err);
}

static int remake_main(struct repairing *w, const struct json_value *plugin)
{
	const struct cni_network *one;
	struct cni_interface *made;
	struct json_value *conf;
	size_t count;
	int r = fixed_conf(w, plugin, &conf);

	if (r < 0)
		return r;
	one = repair_turn(w, conf);
	/* IP= there would be added to them. */
	w->at.args = NULL;
	r = cni_del(&w->at, one);
	w->at.has_result = false;
	memset(&w->at.result, 0, sizeof(w->at.result));
	if (r == 0)
		r = cni_add(&w->at, one);
	made = w->at.result.interfaces.items;
	count = w->at.result.interfaces.count;
	w->at.args = w->r->args;
	w->at.result = w->r->result;
	w->at.has_result = true;
	/* New interfaces have new hardware addresses on the host. */
	if (r == 0) {
		w->at.result.interfaces.items = made;
		w->at.result.interfaces.count = count;
	}
	return r;
}

int repair_remake(struct repairing *w)
{
	const struct json_value *first = w->r->network.plugins->first;
	struct record now = *w->r;
	int r = remake_main(w, first);

	for (const struct json_value *p = first->next; p && r == 0; p = p->next) {
		const struct cni_network *one = repair_turn(w, p);

		r = cni_del(&w->at, one);
		if (r == 0)
			r = cni_add(&w->at, one);
	}
	if (r < 0)
		return r;
	now.result = w->at.result;
	r = record_save(w->rp->run_fd, &now, w->at.err);
	if (r == 0)
		repair_tell(w->rp, false, "container %s: %s on network %s is there again",
			    w->r->container, w->r->ifname, w->r->network.name);
	return r;
}
