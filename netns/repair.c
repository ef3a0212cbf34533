/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/repair.h"

#include "lib/cleanup.h"
#include "netns/ns.h"
#include "netns/pair.h"
#include "netns/port.h"
#include "netns/repair_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void repair_tell(const struct repair *rp, bool failed, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	rp->tell(rp->arg, failed, line);
}

const struct cni_network *repair_turn(struct repairing *w, const struct json_value *plugin)
{
	struct json_value *array = arena_alloc(w->at.arena, sizeof(*array));
	struct json_value *only = arena_memdup(w->at.arena, plugin, sizeof(*plugin));

	only->next = NULL;
	only->key = NULL;
	array->kind = JSON_ARRAY;
	array->count = 1;
	array->first = only;
	w->one = w->r->network;
	w->one.plugins = array;
	/* Of what the runtime offers the others serve the rest. */
	w->one.single = true;
	w->at.network = w->r->network.name;
	w->at.version = w->r->network.version;
	w->at.conf = only;
	return &w->one;
}

struct attach repair_attach_of(const struct repair *rp, const struct record *r, struct arena *a,
			       struct err *err)
{
	return (struct attach){
		.container = r->container,
		.ifname = r->ifname,
		.netns_path = r->netns_path,
		.netns_fd = -1,
		.args = r->args,
		.plugin_path = rp->plugin_path,
		.run_dir = rp->run_dir,
		.run_fd = rp->run_fd,
		.owner = r->owner,
		.no_record = true, /* its lock is ours */
		.hostname = r->hostname,
		.network = r->network.name,
		.version = r->network.version,
		.runtime = r->runtime,
		.result = r->result,
		.has_result = r->done || r->result.ips.count || r->result.interfaces.count,
		.arena = a,
		.err = err,
	};
}

/* The namespace that it was made for, and no other: -ENOENT. */
static int open_netns(struct attach *at, const struct record *r)
{
	char id[NS_ID_SIZE];
	autofd fd = -1;

	if (!r->netns_path)
		return err_set(at->err, ENOENT, "where its network namespace is was not told");
	fd = ns_open(r->netns_path, at->err);
	if (fd < 0 || ns_id(fd, id, at->err) < 0)
		return at->err->code;
	if (r->netns_id && strcmp(id, r->netns_id) != 0)
		return err_set(at->err, ENOENT, "its network namespace is gone");
	at->netns_fd = take_fd(&fd);
	return 0;
}

static const char *type_of(const struct json_value *plugin)
{
	return json_get(plugin, "type")->text;
}

static int masquerade(struct repairing *w, const struct json_value *plugin)
{
	int r;

	repair_turn(w, plugin);
	if (pair_check_masquerade(&w->at) == 0)
		return 0;
	r = pair_masquerade(&w->at);
	if (r == 0)
		repair_tell(w->rp, false, "container %s: masquerading of %s is there again",
			    w->r->container, w->r->ifname);
	return r;
}

/* Those in nf_tables add what is not there. */
static int repair_chained(struct repairing *w, const struct json_value *plugin)
{
	const char *type = type_of(plugin);
	const struct cni_network *one = repair_turn(w, plugin);
	int r;

	if (cni_check(&w->at, one) == 0)
		return 0;
	if (strcmp(type, "portmap") != 0 && strcmp(type, "firewall") != 0) {
		r = cni_del(&w->at, one);
		if (r < 0)
			return r;
	}
	r = cni_add(&w->at, one);
	if (r == 0)
		repair_tell(w->rp, false, "container %s: %s of %s is there again", w->r->container,
			    type, w->r->ifname);
	return r;
}

/* 1 when it is there. */
static int inside_is_there(struct attach *at)
{
	struct rtnl *inside;
	struct link link;
	int r = attach_inside(at, &inside);

	if (r == 0)
		r = link_find(inside, at->ifname, &link, at->err);
	return r == -ENODEV ? 0 : r < 0 ? r : 1;
}

static int repair_parts(struct repairing *w)
{
	const struct json_value *first = w->r->network.plugins->first;
	int r = inside_is_there(&w->at);

	if (r > 0 && strcmp(type_of(first), "bridge") == 0)
		r = repair_bridge(w, first);
	if (r == 0 || r == -ENODEV)
		return repair_remake(w);
	if (r > 0)
		r = masquerade(w, first);
	for (const struct json_value *p = first->next; p && r == 0; p = p->next)
		r = repair_chained(w, p);
	return r;
}

int repair_attachment(const struct repair *rp, const struct record *r)
{
	struct repairing w = { .rp = rp, .r = r };
	struct record now;
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	int lock, rc;

	lock = rp->no_wait ? record_try_lock(rp->run_fd, r->container, &err)
			   : record_lock(rp->run_fd, r->container, &err);
	rc = lock;
	/* It may have been deleted while we waited. */
	if (lock >= 0 && record_load(rp->run_fd, r->container, r->ifname, &a, &now, &err) == 0 &&
	    now.done && record_alive(&now)) {
		w.r = &now;
		w.at = repair_attach_of(rp, &now, &a, &err);
		rc = open_netns(&w.at, &now);
		if (rc == 0)
			rc = repair_parts(&w);
		attach_close(&w.at);
		cleanup_fd(&w.at.netns_fd);
	} else if (lock >= 0) {
		rc = 0;
	}
	record_unlock(rp->run_fd, r->container, lock);
	if (rc < 0 && lock != -EAGAIN)
		repair_tell(rp, true, "container %s: %s on network %s: %s", r->container, r->ifname,
			    r->network.name, err.msg);
	return rc < 0 ? rc : 0;
}

static int repair_each(const struct repair *rp, struct err *err)
{
	struct records records;
	autoarena a = ARENA_INIT;
	int r = record_list(rp->run_fd, NULL, &a, &records, err), failed = 0;

	if (r < 0)
		return r;
	for_each (record, &records)
		if (record->done && record_alive(record))
			failed += repair_attachment(rp, record) < 0;
	return failed;
}

static int make_table(const struct repair *rp, struct err *err)
{
	int r = port_repair(err);

	if (r > 0)
		repair_tell(rp, false, "table inet tote: made again");
	return r;
}

int repair_table(const struct repair *rp, struct err *err)
{
	struct records records;
	autoarena a = ARENA_INIT;
	int r = record_list(rp->run_fd, NULL, &a, &records, err);

	/* Without attachments nobody needs it. */
	if (r < 0 || !records.count)
		return r;
	r = make_table(rp, err);
	return r > 0 ? repair_each(rp, err) : r;
}

int repair_all(const struct repair *rp, struct err *err)
{
	int failed = repair_gc(rp, err), r;
	struct records records;
	autoarena a = ARENA_INIT;

	if (failed < 0)
		return failed;
	r = record_list(rp->run_fd, NULL, &a, &records, err);
	if (r == 0 && records.count)
		r = make_table(rp, err);
	if (r >= 0)
		r = repair_each(rp, err);
	return r < 0 ? r : r + failed;
}
