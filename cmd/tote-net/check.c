/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>

struct check_options {
	struct place_options place;
	const char *config;
};

static const struct option items[] = {
	PLACE_OPTIONS,
	{ "config", 0, OPT_STRING, offsetof(struct check_options, config), "NAME",
	  "the network (default: all it is on)" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int check(const struct place *p, const struct record *r, struct arena *a, struct err *err)
{
	struct attach at = place_attach(p, r->container, r->ifname, a, err);
	autofd netns = -1;
	int rc;

	if (!r->done)
		return err_set(err, ENOENT, "%s of container %s on network %s is not complete",
			       r->ifname, r->container, r->network.name);
	if (!record_alive(r))
		return err_set(err, ENOENT,
			       "container %s is gone, but not from network %s: tote network gc "
			       "removes it",
			       r->container, r->network.name);
	if (r->netns_path) {
		netns = ns_open(r->netns_path, err);
		if (netns < 0)
			return netns;
	}
	at.netns_path = r->netns_path;
	at.netns_fd = netns;
	rc = cni_check(&at, NULL);
	attach_close(&at);
	return rc < 0 ? err_prefix(err, "%s of container %s on network %s", r->ifname, r->container,
				   r->network.name)
		      : 0;
}

static int run(char **args, size_t count, void *opts)
{
	const struct check_options *o = opts;
	struct records records = { NULL, 0 };
	autoplace place = PLACE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	size_t found = 0;
	int r = open_place(&o->place, &place, &err), code = 0;

	(void)count;
	if (r == 0)
		r = record_list(place.run_fd, args[0], &a, &records, &err);
	if (r < 0)
		return fail(&err);
	for_each (record, &records) {
		if (o->config && strcmp(record->network.name, o->config) != 0)
			continue;
		found++;
		if (check(&place, record, &a, &err) < 0)
			code = fail(&err);
	}
	for_each (broken, &records.broken) {
		err_set(&err, EBADMSG, "container %s: %s", broken->container, broken->why);
		code = fail(&err);
	}
	if (!found && !records.broken.count) {
		err_set(&err, ENOENT, "container %s is on %s%s", args[0],
			o->config ? "no network " : "no network", o->config ? o->config : "");
		code = fail(&err);
	}
	return code;
}

const struct verb verb_check = { "check",
				 "ID",
				 "check that a container is attached as it was",
				 &table,
				 1,
				 1,
				 run,
				 sizeof(struct check_options),
				 0 };
