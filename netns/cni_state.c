/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK, STATUS and GC. */
#include "netns/cni.h"

#include "netns/cni_private.h"
#include "netns/exec_plugin.h"
#include "netns/port.h"

#include <errno.h>
#include <string.h>

static int check_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	int r = 0;

	if (plugin && plugin->check)
		r = plugin->check(at);
	else if (!plugin && cni_version_compare(at->version, "0.4.0") >= 0)
		r = cni_exec(at, type, "CHECK", NULL);
	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

static int check_list(struct attach *at, const struct cni_network *network)
{
	const struct json_value *offered = at->runtime;
	int r = 0;

	cni_take_network(at, network);
	for (const struct json_value *p = network->plugins->first; p && r == 0; p = p->next)
		r = check_one(at, cni_take_turn(at, p, offered));
	at->runtime = offered;
	return r;
}

int cni_check(struct attach *at, const struct cni_network *network)
{
	struct err unused;
	struct record record;

	if (network && network->disable_check)
		return 0;
	if (!at->no_record &&
	    record_load(at->run_fd, at->container, at->ifname, at->arena, &record, &unused) == 0) {
		if (!network)
			network = &record.network;
		if (strcmp(record.network.name, network->name) == 0)
			cni_take_record(at, &record);
	}
	if (!network || !at->has_result)
		return err_set(at->err, ENOENT, "%s of container %s was not added to %s",
			       at->ifname, at->container, network ? network->name : "any network");
	return check_list(at, network);
}

static int status_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	char *path;
	int r = 0;

	if (plugin && plugin->status)
		r = plugin->status(at);
	else if (!plugin && cni_version_compare(at->version, "1.1.0") >= 0)
		r = cni_exec(at, type, "STATUS", NULL);
	else if (!plugin)
		r = cni_exec_find(at, type, &path);
	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

int cni_status(struct attach *at, const struct cni_network *network)
{
	int r = 0;

	cni_take_network(at, network);
	for (const struct json_value *p = network->plugins->first; p && r == 0; p = p->next)
		r = status_one(at, cni_take_turn(at, p, NULL));
	if (r < 0 && -at->err->code < CNI_ERROR(0))
		r = at->err->code = -CNI_ERROR(CNI_NOT_AVAILABLE);
	return r;
}

static bool is_valid(const struct record *r, const struct cni_valid *valid, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(valid[i].container, r->container) == 0 &&
		    strcmp(valid[i].ifname, r->ifname) == 0)
			return true;
	return false;
}

/* What has a record is deleted as its runtime would have; it may have been meanwhile. */
static int gc_record(struct attach *at, const struct record *r)
{
	struct attach one = *at;
	struct held h = HELD_INIT;
	int rc;

	one.container = r->container;
	one.ifname = r->ifname;
	rc = held_open(&one, &h);
	if (rc == 0 && h.found)
		rc = cni_del_recorded(&one, &h);
	held_close(&one, &h);
	return rc;
}

static int gc_one(struct attach *at, const char *type, const struct cni_valid *valid, size_t count)
{
	const struct plugin *plugin = plugin_find(type);
	int r = 0;

	if (plugin && plugin->gc)
		r = plugin->gc(at, valid, count);
	else if (!plugin && cni_version_compare(at->version, "1.1.0") >= 0)
		r = cni_exec_gc(at, type, valid, count);
	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

static int gc_list(struct attach *at, const struct cni_network *network,
		   const struct records *records, const struct cni_valid *valid, size_t count)
{
	struct err first = { 0 }, ignored;

	for_each (record, records)
		if (strcmp(record->network.name, network->name) == 0 &&
		    !is_valid(record, valid, count) && gc_record(at, record) < 0 && !first.code)
			first = *at->err;
	for (const struct json_value *p = network->plugins->first; p; p = p->next)
		if (gc_one(at, cni_take_turn(at, p, NULL), valid, count) < 0 && !first.code)
			first = *at->err;
	/* What stays harms nobody. */
	port_prune(&ignored);
	if (first.code)
		*at->err = first;
	return first.code;
}

/* A network may be shared with containers that have an owner who deletes them; a runtime that knows
 * nothing of those does not speak for them. */
int cni_gc(struct attach *at, const struct cni_network *network, const struct cni_valid *valid,
	   size_t count)
{
	struct records records = { NULL };
	struct cni_valid *all;
	int r = 0;

	if (network->disable_gc)
		return 0;
	cni_take_network(at, network);
	if (!at->no_record)
		r = record_list(at->run_fd, NULL, at->arena, &records, at->err);
	if (r < 0)
		return r;
	all = arena_calloc(at->arena, count + records.count + records.broken.count, sizeof(*all));
	if (count)
		memcpy(all, valid, count * sizeof(*all));
	for_each (record, &records)
		if (record->owner && record_alive(record))
			all[count++] = (struct cni_valid){ record->container, record->ifname };
	/* Whose they are cannot be told. */
	for_each (broken, &records.broken)
		if (broken->ifname)
			all[count++] = (struct cni_valid){ broken->container, broken->ifname };
	return gc_list(at, network, &records, all, count);
}
