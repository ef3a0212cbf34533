/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "netns/ipam_lease.h"
#include "netns/link_delete.h"
#include "netns/port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 5000

struct rm_options {
	struct place_options place;
	bool force;
};

static const struct option items[] = {
	PLACE_OPTIONS,
	{ "force", 'f', OPT_FLAG, offsetof(struct rm_options, force), NULL,
	  "detach containers first; a network that is not there, or built in, is no error" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int detach(const struct place *p, const struct record *r, struct arena *a, struct err *err)
{
	struct attach at = place_attach(p, r->container, r->ifname, a, err);
	int rc = cni_del(&at, NULL);

	attach_close(&at);
	return rc;
}

/* Who is dead is no user. */
static int release(const struct place *p, const char *name, bool force, struct arena *a,
		   struct err *err)
{
	struct records records;
	int r = record_list(p->run_fd, NULL, a, &records, err);

	if (r < 0)
		return r;
	for_each (record, &records)
		if (strcmp(record->network.name, name) == 0 && !force && record_alive(record))
			return err_set(err, EBUSY,
				       "network %s is in use by container %s (%s): delete that, or "
				       "use --force",
				       name, record->container, record->ifname);
	/* It may be on this one. */
	for_each (broken, &records.broken)
		if (!force)
			return err_set(err, EBUSY,
				       "network %s may be in use by container %s: %s; use --force",
				       name, broken->container, broken->why);
	warn_broken(&records);
	for_each (record, &records)
		if (r == 0 && strcmp(record->network.name, name) == 0)
			r = detach(p, record, a, err);
	return r;
}

static const char *own_bridge(const struct cni_network *network)
{
	const struct json_value *plugin = network->plugins->first;

	return conf_true(network->whole, OWN_BRIDGE) ? conf_text(plugin, "bridge") : "";
}

/* `tote delete` answers before the host's ends of veths are gone, which a child takes away (leave_answer()):
 * these are waited for. */
static bool has_ports(struct rtnl *r, const struct link *bridge, struct arena *a)
{
	static const struct timespec a_moment = { .tv_nsec = 10000000 };
	int64_t end = deadline_now_ms() + PATIENCE_MS;
	struct err unused;

	for (;;) {
		struct link_list ports = { NULL, 0 }, veths = { NULL, 0 };

		link_list(r, bridge->index, NULL, a, &ports, &unused);
		link_list(r, bridge->index, "veth", a, &veths, &unused);
		if (!ports.count || veths.count < ports.count || deadline_now_ms() >= end)
			return ports.count;
		nanosleep(&a_moment, NULL);
	}
}

/* Others may have put interfaces into it, or their networks on it. */
static bool is_shared(struct rtnl *r, const struct link *bridge, const char *network,
		      const char *conf_dir, struct arena *a)
{
	struct cni_networks networks = { NULL, 0, { NULL, 0 } };
	struct err unused;

	cni_networks_load(conf_dir, a, &networks, &unused);
	for_each (other, &networks)
		if (strcmp(other->name, network) != 0)
			for (const struct json_value *p = other->plugins->first; p; p = p->next)
				if (strcmp(conf_text(p, "bridge"), bridge->name) == 0)
					return true;
	return has_ports(r, bridge, a);
}

static int remove_bridge(const struct place *p, const struct cni_network *network, struct arena *a,
			 struct err *err)
{
	const char *name = own_bridge(network);
	static struct rtnl host;
	struct link bridge;
	int r;

	if (!*name)
		return 0;
	r = rtnl_open(&host, -1, err);
	if (r < 0)
		return r;
	r = link_find(&host, name, &bridge, err);
	if (r == 0 && strcmp(bridge.kind, "bridge") == 0) {
		if (is_shared(&host, &bridge, network->name, p->conf_dir, a))
			log_warning("the bridge %s stays: others use it", name);
		else
			r = link_delete(&host, name, err);
	}
	rtnl_close(&host);
	return r == -ENODEV ? 0 : r;
}

static int remove_leases(const struct place *p, const char *name, struct arena *a, struct err *err)
{
	struct attach at = place_attach(p, "", "", a, err);
	autoleases l = LEASES_INIT;
	int r;

	at.network = name;
	r = leases_open(&at, NULL, false, &l);
	if (r == 0)
		r = leases_remove(&l, &at);
	return r == -ENOENT ? 0 : r;
}

/* Last: what was interrupted before can be done again. */
static int remove_file(const struct place *p, const struct cni_network *network, struct err *err)
{
	autofd dir = fd_open(AT_FDCWD, p->conf_dir, O_RDONLY | O_DIRECTORY);

	if (dir < 0 || (unlinkat(dir, network->file, 0) < 0 && errno != ENOENT) || fsync(dir) < 0)
		return err_errno(err, "remove %s/%s", p->conf_dir, network->file);
	return 0;
}

/* 1 when it was there, 0 when --force makes up for that it cannot be removed. */
static int remove_one(const struct place *p, const char *name, bool force, struct arena *a,
		      struct err *err)
{
	struct cni_network network = { NULL };
	int r = cni_network_find(p->conf_dir, name, a, &network, err);

	if (force && (r == -ENOENT || (r == 0 && !network.file)))
		return 0;
	if (r == 0 && !network.file)
		r = err_set(err, EINVAL, "network %s is built in and cannot be removed", name);
	if (r == 0)
		r = release(p, name, force, a, err);
	if (r == 0)
		r = remove_bridge(p, &network, a, err);
	if (r == 0)
		r = remove_leases(p, name, a, err);
	if (r == 0)
		r = remove_file(p, &network, err);
	return r < 0 ? r : 1;
}

static int run(char **args, size_t count, void *opts)
{
	struct rm_options *o = opts;
	autoplace place = PLACE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	int code = 0;

	if (open_place(&o->place, &place, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < count; i++) {
		int r = remove_one(&place, args[i], o->force, &a, &err);

		if (r < 0)
			code = fail(&err);
		else if (r > 0)
			printf("%s\n", args[i]);
	}
	/* What stays of one harms nobody, until gc. */
	port_prune(&err);
	if (o->force)
		update_names(&place);
	return code;
}

const struct verb verb_rm = { "rm", "NAME...", "remove networks",	  &table, 1,
			      1000, run,       sizeof(struct rm_options), 0 };
