/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/watch.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "netns/addr.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>

/* An administrator's `ip link` commands, a card's reset: things come in bursts. */
#define QUIET_MS 100
#define TABLE_MS 10000
/* Until the next try with an attachment that another process works on. */
#define BUSY_MS 1000
#define EVENT_BUFFER ((size_t)1 << 20)

int watch_open(struct watch *w, const struct repair *rp, struct err *err)
{
	static const unsigned int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					       RTNLGRP_IPV6_IFADDR };
	int r;

	w->rp = rp;
	w->events = rtnl_events_open(-1, groups, ARRAY_SIZE(groups), EVENT_BUFFER, err);
	if (w->events < 0)
		return w->events;
	w->host = calloc(1, sizeof(*w->host));
	r = w->host ? rtnl_open(w->host, -1, err) : err_code(err, ENOMEM, "watch");
	if (r < 0) {
		free(w->host);
		w->host = NULL;
		return r;
	}
	w->look_at = w->table_at = deadline_now_ms();
	return 0;
}

void watch_close(struct watch *w)
{
	cleanup_fd(&w->events);
	w->events = -1;
	if (w->host)
		rtnl_close(w->host);
	free(w->host);
	w->host = NULL;
}

int watch_fd(const struct watch *w)
{
	return w->events;
}

int watch_timeout(const struct watch *w)
{
	int64_t next = w->table_at, now = deadline_now_ms();

	if (w->look_at && w->look_at < next)
		next = w->look_at;
	return next <= now ? 0 : (int)(next - now);
}

/* Containers come and go all the time: a port that is put into its bridge is no loss. */
static bool may_be_loss(const struct nlmsghdr *nlh)
{
	struct link link;

	switch (nlh->nlmsg_type) {
	case RTM_DELLINK:
	case RTM_DELADDR:
		return true;
	case RTM_NEWLINK:
		return link_read(nlh, &link) && !link.master;
	default:
		return false;
	}
}

static int read_events(struct watch *w, struct err *err)
{
	autobuf messages = BUF_INIT;
	int r;

	while ((r = rtnl_events_read(w->events, 0, &messages, err)) > 0)
		for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&messages, nlh));)
			if (may_be_loss(nlh) && !w->look_at)
				w->look_at = deadline_now_ms() + QUIET_MS;
	if (r == -ENOBUFS) {
		w->look_at = deadline_now_ms() + QUIET_MS;
		r = 0;
	}
	return r;
}

static const struct link *by_name(const struct link_list *links, const char *name)
{
	for_each (link, links)
		if (strcmp(link->name, name) == 0)
			return link;
	return NULL;
}

static const char *text_of(const struct json_value *conf, const char *key)
{
	const struct json_value *v = json_get(conf, key);

	return v && v->kind == JSON_STRING && *v->text ? v->text : NULL;
}

static bool is_true(const struct json_value *conf, const char *key)
{
	const struct json_value *v = json_get(conf, key);

	return v && v->kind == JSON_BOOL && v->boolean;
}

/* Whether the bridge has the gateways of an attachment's addresses. */
static bool has_gateways(struct watch *w, const struct record *r, const struct link *bridge,
			 struct arena *a)
{
	struct addr_list list;
	struct err unused;

	if (addr_list(w->host, bridge, a, &list, &unused) < 0)
		return true;
	for_each (ip, &r->result.ips) {
		struct ip_net gateway = { ip->gateway, ip->address.prefix_len };

		if (gateway.ip.family && !addr_among(&list, &gateway))
			return false;
	}
	return true;
}

static bool bridge_lost(struct watch *w, const struct record *r, const struct json_value *conf,
			const struct link_list *links, struct arena *a)
{
	struct attach at = { .network = r->network.name,
			     .container = r->container,
			     .ifname = r->ifname };
	const char *name = text_of(conf, "bridge");
	const struct link *bridge = by_name(links, name ? name : "cni0"), *port;
	char port_name[IFNAMSIZ];

	attach_name(&at, "veth", port_name);
	port = by_name(links, port_name);
	if (!bridge || !port || port->master != bridge->index || !(bridge->flags & IFF_UP))
		return true;
	/* In a VLAN they are on another interface. */
	return (is_true(conf, "isGateway") || is_true(conf, "isDefaultGateway")) &&
	       !json_get(conf, "vlan") && !has_gateways(w, r, bridge, a);
}

/* Interfaces on a card go with it, and cannot come back before it does. */
static bool upper_lost(const struct record *r, const struct json_value *conf,
		       const struct link_list *links)
{
	const char *master = text_of(conf, "master");
	static struct rtnl inside;
	struct err unused;
	struct link link;
	autofd netns = -1;
	int rc;

	if ((master && !by_name(links, master)) || is_true(conf, "linkInContainer") ||
	    !r->netns_path)
		return false;
	netns = ns_open(r->netns_path, &unused);
	if (netns < 0 || rtnl_open(&inside, netns, &unused) < 0)
		return false;
	rc = link_find(&inside, r->ifname, &link, &unused);
	rtnl_close(&inside);
	return rc == -ENODEV;
}

static bool has_lost(struct watch *w, const struct record *r, const struct link_list *links,
		     struct arena *a)
{
	const struct json_value *conf = r->network.plugins->first;
	const char *type = text_of(conf, "type");

	if (!type)
		return false;
	if (strcmp(type, "bridge") == 0)
		return bridge_lost(w, r, conf, links, a);
	return (strcmp(type, "macvlan") == 0 || strcmp(type, "ipvlan") == 0) &&
	       upper_lost(r, conf, links);
}

static int look(struct watch *w, struct err *err)
{
	struct link_list links;
	struct records records;
	autoarena a = ARENA_INIT;
	bool all = w->all;
	int r = record_list(w->rp->run_fd, NULL, &a, &records, err);

	w->all = false;
	if (r == 0 && records.count)
		r = link_list(w->host, 0, NULL, &a, &links, err);
	if (r < 0)
		return r;
	for_each (record, &records)
		if (record->done && record_alive(record) &&
		    (all || has_lost(w, record, &links, &a))) {
			if (repair_attachment(w->rp, record) == -EAGAIN) {
				w->look_at = deadline_now_ms() + BUSY_MS;
				w->all = all;
			}
			/* One repair may be another's, too. */
			r = link_list(w->host, 0, NULL, &a, &links, err);
			if (r < 0)
				return r;
		}
	return 0;
}

int watch_step(struct watch *w, struct err *err)
{
	int64_t now;
	int r = read_events(w, err);

	now = deadline_now_ms();
	if (r == 0 && w->look_at && now >= w->look_at) {
		w->look_at = 0;
		r = look(w, err);
	}
	if (r == 0 && now >= w->table_at) {
		r = repair_table(w->rp, err);
		/* A kernel without nf_tables cannot lose it either. */
		if (r < 0)
			repair_tell(w->rp, true, "table inet tote: %s", err->msg);
		/* The table is whole again; what somebody worked on meanwhile may lack its rules. */
		if (r > 0) {
			w->look_at = deadline_now_ms() + BUSY_MS;
			w->all = true;
		}
		w->table_at = deadline_now_ms() + (r < 0 ? 60 * TABLE_MS : TABLE_MS);
		r = 0;
	}
	return r;
}
