/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/held.h"

#include "lib/cleanup.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>

int held_open(struct attach *at, struct held *h)
{
	struct err unused;
	int r;

	if (at->no_record)
		return 0;
	r = record_lock(at->run_fd, at->container, at->err);
	if (r < 0)
		return r;
	h->lock = r;
	r = record_load(at->run_fd, at->container, at->ifname, at->arena, &h->record, &unused);
	h->found = r == 0;
	return 0;
}

void held_close(struct attach *at, struct held *h)
{
	record_unlock(at->run_fd, at->container, h->lock);
	h->lock = -1;
}

bool held_same_namespace(const struct attach *at, const struct record *r)
{
	char id[NS_ID_SIZE];
	struct err unused;

	return r->netns_id && ns_id(at->netns_fd, id, &unused) == 0 && strcmp(id, r->netns_id) == 0;
}

static bool gathers(const struct attach *at, const struct record *r,
		    const struct cni_network *network)
{
	return r->gathered && network->single && strcmp(r->network.name, network->name) == 0 &&
	       held_same_namespace(at, r);
}

static bool is_type(const struct json_value *a, const struct json_value *b)
{
	return strcmp(json_get(a, "type")->text, json_get(b, "type")->text) == 0;
}

/* Until an ADD has ended well its plugin is the last in the record. */
static bool is_whole_in(const struct record *r, const struct json_value *plugin)
{
	for (const struct json_value *p = r->network.plugins->first; p; p = p->next)
		if (is_type(p, plugin))
			return r->done || p->next;
	return false;
}

/* What has no result before it is a chain's first plugin, which comes once; others may come again. */
static bool comes_twice(const struct attach *at, const struct record *r,
			const struct cni_network *network)
{
	return !at->has_result && is_whole_in(r, network->plugins->first);
}

int held_is_stale(struct attach *at, const struct held *h, const struct cni_network *network)
{
	if (!h->found ||
	    (gathers(at, &h->record, network) && !comes_twice(at, &h->record, network)))
		return 0;
	if (!h->record.done || !record_alive(&h->record) || !held_same_namespace(at, &h->record))
		return 1;
	return err_set(at->err, EEXIST,
		       "%s of container %s is on network %s already: delete that first", at->ifname,
		       at->container, h->record.network.name);
}

static const struct json_value *of_type(const struct json_value *plugins,
					const struct json_value *type)
{
	for (const struct json_value *p = plugins->first; p; p = p->next)
		if (is_type(p, type))
			return p;
	return NULL;
}

/* Ours as the record has it, programs as the caller does. NULL: a program that he has no longer. */
static const struct json_value *as_added(const struct json_value *plugin, const struct record *r,
					 const struct cni_network *told)
{
	bool ours = plugin_find(json_get(plugin, "type")->text);
	const struct json_value *other;

	if (ours != told->single)
		return plugin;
	other = of_type(ours ? r->network.plugins : told->plugins, plugin);
	return ours && !other ? plugin : other;
}

struct cni_network held_as_added(const struct attach *at, const struct record *r,
				 const struct cni_network *told)
{
	const struct json_value *from = told->single ? told->plugins : r->network.plugins;
	struct json_value *all = arena_alloc(at->arena, sizeof(*all));
	struct json_value **end = &all->first;
	struct cni_network network = *told;

	all->kind = JSON_ARRAY;
	for (const struct json_value *p = from->first; p; p = p->next) {
		const struct json_value *plugin = as_added(p, r, told);

		if (!plugin)
			continue;
		*end = arena_memdup(at->arena, plugin, sizeof(*plugin));
		(*end)->next = NULL;
		end = &(*end)->next;
		all->count++;
	}
	network.plugins = all;
	return network;
}

/* The plugins without those of new's type, and new (NULL: none) behind them. */
static struct json_value *gather(const struct json_value *plugins, const struct json_value *without,
				 const struct json_value *new, struct arena *a)
{
	struct json_value *all = arena_alloc(a, sizeof(*all));
	struct json_value **end = &all->first;

	all->kind = JSON_ARRAY;
	for (const struct json_value *p = plugins ? plugins->first : NULL; p; p = p->next) {
		if (is_type(p, without))
			continue;
		*end = arena_memdup(a, p, sizeof(*p));
		end = &(*end)->next;
		all->count++;
	}
	*end = NULL;
	if (new) {
		*end = arena_memdup(a, new, sizeof(*new));
		(*end)->next = NULL;
		all->count++;
	}
	return all;
}

static char *copy(struct arena *a, const char *text)
{
	return text && *text ? arena_strdup(a, text) : NULL;
}

/* A path that means the namespace in other processes as well; else NULL. */
static char *lasting_path(const struct attach *at)
{
	static const char *const ours[] = { "/proc/self/", "/proc/thread-self/", "/dev/fd/" };
	const char *path = at->netns_path;

	if (!path || path[0] != '/' || at->lasting_path)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strncmp(path, ours[i], strlen(ours[i])) == 0)
			return NULL;
	return arena_strdup(at->arena, path);
}

static int note_namespace(const struct attach *at, struct record *r)
{
	char id[NS_ID_SIZE];
	int rc = ns_id(at->netns_fd, id, at->err);

	if (rc < 0)
		return rc;
	r->netns_id = arena_strdup(at->arena, id);
	r->netns_path = lasting_path(at);
	return 0;
}

int held_begin(struct attach *at, struct held *h, const struct cni_network *network)
{
	const struct json_value *plugin = network->plugins->first;
	struct record r = { .network = *network, .gathered = network->single };
	int rc;

	if (h->lock < 0)
		return 0;
	rc = at->await_netns ? 0 : note_namespace(at, &r);
	if (rc < 0)
		return rc;
	r.container = arena_strdup(at->arena, at->container);
	r.ifname = arena_strdup(at->arena, at->ifname);
	r.owner = copy(at->arena, at->owner);
	r.args = copy(at->arena, at->args);
	r.hostname = copy(at->arena, at->hostname);
	if (r.gathered)
		r.network.plugins = gather(h->found ? h->record.network.plugins : NULL, plugin,
					   plugin, at->arena);
	else
		r.runtime = at->runtime;
	if (at->has_result)
		r.result = at->result;
	h->added_before = r.gathered && h->found && is_whole_in(&h->record, plugin);
	h->before = h->record;
	h->record = r;
	h->found = true;
	return record_save(at->run_fd, &h->record, at->err);
}

/* From here on it is found by a path that others can use, too. */
static int settle_path(struct attach *at)
{
	const char *before = at->netns_path, *path = at->lasting_path(at);

	if (!path)
		return at->err->code;
	for_each (i, &at->result.interfaces)
		if (i->sandbox && strcmp(i->sandbox, before) == 0)
			i->sandbox = arena_strdup(at->arena, path);
	at->netns_path = path;
	at->lasting_path = NULL;
	return 0;
}

int held_end(struct attach *at, struct held *h)
{
	int r = at->lasting_path ? settle_path(at) : 0;

	if (r < 0 || h->lock < 0)
		return r;
	r = note_namespace(at, &h->record);
	if (r < 0)
		return r;
	h->record.result = at->result;
	h->record.done = true;
	return record_save(at->run_fd, &h->record, at->err);
}

int held_restore(struct attach *at, struct held *h)
{
	h->record = h->before;
	return record_save(at->run_fd, &h->record, at->err);
}

int held_forget(struct attach *at, struct held *h, const struct cni_network *network)
{
	if (h->lock < 0 || (h->found && strcmp(h->record.network.name, network->name) != 0))
		return 0;
	if (h->found && h->record.gathered && network->single) {
		h->record.network.plugins =
			gather(h->record.network.plugins, network->plugins->first, NULL, at->arena);
		if (h->record.network.plugins->count)
			return record_save(at->run_fd, &h->record, at->err);
	}
	/* Without a record there may be what a killed writer of one left. */
	h->found = false;
	return record_remove(at->run_fd, at->container, at->ifname, at->err);
}
