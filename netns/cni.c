/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/cni.h"

#include "lib/cleanup.h"
#include "netns/cni_private.h"
#include "netns/exec_plugin.h"
#include "netns/ns.h"
#include "netns/port.h"

#include <string.h>

unsigned int cni_code(const struct err *err)
{
	static const struct {
		int error;
		unsigned int code;
	} codes[] = {
		{ EPROTONOSUPPORT, 1 }, { EOPNOTSUPP, 2 }, { ESRCH, 3 },	{ EIO, 5 },
		{ EBADMSG, 6 },		{ EINVAL, 7 },	   { EAGAIN, 11 },	{ EBUSY, 11 },
		{ ETIMEDOUT, 11 },	{ ENOSPC, 101 },   { EADDRINUSE, 102 }, { EEXIST, 103 },
		{ ENOENT, 104 },	{ ENODEV, 104 },   { EPERM, 105 },	{ EACCES, 105 },
	};

	if (-err->code >= CNI_ERROR(0))
		return (unsigned int)(-err->code - CNI_ERROR(0));
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].error == -err->code)
			return codes[i].code;
	return 100;
}

static const char *type_of(const struct json_value *conf)
{
	return json_get(conf, "type")->text;
}

static bool is_true(const struct json_value *v)
{
	return v && v->kind == JSON_BOOL && v->boolean;
}

/* Section 4: of what the runtime offers a plugin gets what its "capabilities" name. */
static const struct json_value *capable(const struct json_value *conf,
					const struct json_value *offered, struct arena *a)
{
	const struct json_value *capabilities = json_get(conf, "capabilities");
	struct json_value *given, **end;

	if (!capabilities || !offered)
		return NULL;
	given = arena_alloc(a, sizeof(*given));
	given->kind = JSON_OBJECT;
	end = &given->first;
	for (const struct json_value *v = offered->first; v; v = v->next) {
		if (!is_true(json_get(capabilities, v->key)))
			continue;
		*end = arena_memdup(a, v, sizeof(*v));
		(*end)->next = NULL;
		end = &(*end)->next;
		given->count++;
	}
	return given->count ? given : NULL;
}

const char *cni_take_turn(struct attach *at, const struct json_value *conf,
			  const struct json_value *offered)
{
	const struct json_value *own = json_get(conf, "runtimeConfig");

	at->conf = conf;
	at->runtime = own && own->kind == JSON_OBJECT ? own : capable(conf, offered, at->arena);
	return type_of(conf);
}

/* What people ask for must not be dropped because the network has no plugin for it. */
static int check_served(struct attach *at, const struct cni_network *network)
{
	static const char *const wishes[] = { "portMappings", "bandwidth", "ips", "ipRanges",
					      "mac" };

	for (size_t i = 0; i < ARRAY_SIZE(wishes) && at->runtime && !network->single; i++) {
		const struct json_value *wish = json_get(at->runtime, wishes[i]);
		bool served = !wish || (!wish->count && !wish->text);

		for (const struct json_value *p = network->plugins->first; p && !served;
		     p = p->next) {
			const struct json_value *c = json_get(p, "capabilities");

			served = c && is_true(json_get(c, wishes[i]));
		}
		if (!served)
			return err_set(at->err, EOPNOTSUPP,
				       "runtimeConfig.%s: no plugin of network %s has \"%s\" among "
				       "its capabilities",
				       wishes[i], network->name, wishes[i]);
	}
	return 0;
}

static int add_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	struct cni_result result;
	int r = plugin && plugin->early ? 0 : attach_netns(at);

	if (r == 0)
		r = plugin ? plugin->add(at) : cni_exec(at, type, "ADD", &result);
	if (r < 0)
		return err_prefix(at->err, "%s", type);
	if (!plugin)
		at->result = result;
	at->has_result = true;
	return 0;
}

static int del_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	int r = plugin ? plugin->del(at) : cni_exec(at, type, "DEL", NULL);

	/* Those before the one that met it have their own. */
	at->name_taken = false;
	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

static int want_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	int r = plugin->want ? plugin->want(at) : 0;

	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

static int give_back_one(struct attach *at, const char *type)
{
	const struct plugin *plugin = plugin_find(type);
	int r = plugin->give_back ? plugin->give_back(at) : 0;

	return r < 0 ? err_prefix(at->err, "%s", type) : 0;
}

/* `one` for the plugins up to last (NULL: all) in reverse order, all of them. The first error. */
static int each_back(struct attach *at, const struct json_value *plugins,
		     const struct json_value *last, const struct json_value *offered,
		     int (*one)(struct attach *at, const char *type))
{
	const struct json_value **order = arena_calloc(at->arena, plugins->count, sizeof(*order));
	struct err first = { 0 };
	size_t count = 0;

	at->rules_gone = false;
	for (const struct json_value *p = plugins->first; p; p = p == last ? NULL : p->next)
		order[count++] = p;
	while (count--)
		if (one(at, cni_take_turn(at, order[count], offered)) < 0 && !first.code)
			first = *at->err;
	if (first.code)
		*at->err = first;
	return first.code;
}

static int del_list(struct attach *at, const struct json_value *plugins,
		    const struct json_value *last, const struct json_value *offered)
{
	return each_back(at, plugins, last, offered, del_one);
}

void cni_take_network(struct attach *at, const struct cni_network *network)
{
	at->network = network->name;
	at->version = network->version;
	at->single = network->single;
}

static int add_list(struct attach *at, const struct held *h, const struct cni_network *network,
		    const struct json_value *offered)
{
	for (const struct json_value *p = network->plugins->first; p; p = p->next) {
		struct err first;

		if (add_one(at, cni_take_turn(at, p, offered)) == 0)
			continue;
		first = *at->err;
		if (!h->added_before)
			del_list(at, network->plugins, p, offered);
		*at->err = first;
		return first.code;
	}
	return 0;
}

void cni_take_record(struct attach *at, const struct record *r)
{
	if (!at->args)
		at->args = r->args;
	if (!at->runtime) {
		at->runtime = r->runtime;
		at->runtime_known = !r->gathered;
	}
	if (!at->hostname)
		at->hostname = r->hostname;
	if (!at->has_result) {
		at->result = r->result;
		at->has_result = r->done || r->result.interfaces.count || r->result.ips.count;
	}
}

/*
 * The namespace may be there though the caller does not know of it (any more), or by a path that is
 * another container's by now. A descriptor or -1.
 */
static int open_recorded(struct attach *at, const struct record *r)
{
	char id[NS_ID_SIZE];
	struct err unused;
	autofd fd = -1;

	if (at->netns_fd >= 0 && r->netns_id && !held_same_namespace(at, r)) {
		at->netns_fd = -1;
		at->netns_path = NULL;
	}
	if (at->netns_fd >= 0 || !r->netns_path || !r->netns_id)
		return -1;
	fd = ns_open(r->netns_path, &unused);
	if (fd < 0 || ns_id(fd, id, &unused) < 0 || strcmp(id, r->netns_id) != 0)
		return -1;
	at->netns_fd = fd;
	at->netns_path = r->netns_path;
	return take_fd(&fd);
}

/* With the lock held. network NULL: the record's. */
static int del_held(struct attach *at, struct held *h, const struct cni_network *network)
{
	const struct json_value *offered;
	struct cni_network added;
	autofd netns = -1;
	int r;

	if (h->found && (!network || strcmp(h->record.network.name, network->name) == 0)) {
		cni_take_record(at, &h->record);
		netns = open_recorded(at, &h->record);
		added = network ? held_as_added(at, &h->record, network) : h->record.network;
		network = &added;
	}
	if (!network)
		return 0;
	cni_take_network(at, network);
	offered = at->runtime;
	r = del_list(at, network->plugins, NULL, offered);
	at->runtime = offered;
	if (netns >= 0) {
		attach_close(at);
		at->netns_fd = -1;
	}
	return r < 0 ? r : held_forget(at, h, network);
}

int cni_del_recorded(const struct attach *at, struct held *h)
{
	struct attach old = {
		.container = at->container,
		.ifname = at->ifname,
		.netns_fd = -1,
		.plugin_path = at->plugin_path,
		.run_dir = at->run_dir,
		.run_fd = at->run_fd,
		.arena = at->arena,
		.err = at->err,
	};
	int r = del_held(&old, h, NULL);

	attach_close(&old);
	return r;
}

static int add_held(struct attach *at, struct held *h, const struct cni_network *network)
{
	const struct json_value *offered = at->runtime;
	struct err first;
	int r = held_is_stale(at, h, network);

	if (r > 0) {
		r = cni_del_recorded(at, h);
		if (r < 0)
			return err_prefix(at->err, "what is left of %s of container %s", at->ifname,
					  at->container);
	}
	if (r == 0)
		r = held_begin(at, h, network);
	if (r < 0)
		return r;
	r = add_list(at, h, network, offered);
	if (r == 0) {
		r = held_end(at, h);
		first = *at->err;
		if (r < 0 && !h->added_before)
			del_list(at, network->plugins, NULL, offered);
	} else {
		first = *at->err;
	}
	at->runtime = offered;
	if (r == 0)
		return 0;
	if (h->added_before)
		held_restore(at, h);
	else
		held_forget(at, h, network);
	*at->err = first;
	return r;
}

int cni_add(struct attach *at, const struct cni_network *network)
{
	struct held h = HELD_INIT;
	int r;

	cni_take_network(at, network);
	r = check_served(at, network);
	if (r == 0)
		r = held_open(at, &h);
	if (r == 0)
		r = add_held(at, &h, network);
	held_close(at, &h);
	return r;
}

int cni_del(struct attach *at, const struct cni_network *network)
{
	struct held h = HELD_INIT;
	int r = held_open(at, &h);

	if (r == 0)
		r = del_held(at, &h, network);
	held_close(at, &h);
	return r;
}

/* What failed half way is not known well enough. */
static bool can_be_halved(const struct held *h)
{
	if (!h->found || !h->record.done)
		return false;
	for (const struct json_value *p = h->record.network.plugins->first; p; p = p->next) {
		const struct plugin *plugin = plugin_find(type_of(p));

		if (!plugin || (!plugin->want && !plugin->give_back))
			return false;
	}
	return true;
}

/* Everything in nf_tables in one change, as each takes the kernel long. */
static int forget_rules(struct attach *at, const struct cni_network *network,
			const struct json_value *offered)
{
	autorules rules = { { BUF_INIT }, { BUF_INIT } };
	char key[ATTACH_KEY_SIZE];
	int r;

	at->rules = &rules;
	r = each_back(at, network->plugins, NULL, offered, want_one);
	at->rules = NULL;
	attach_key(at, key);
	return r < 0 ? r : port_forget_rules(key, &rules, at->err);
}

/* While the addresses are leased nobody else has anything under their keys: so these go back last. */
static int give_back_held(struct attach *at, struct held *h)
{
	const struct cni_network *network = &h->record.network;
	const struct json_value *offered;
	int r;

	cni_take_record(at, &h->record);
	cni_take_network(at, network);
	offered = at->runtime;
	r = forget_rules(at, network, offered);
	if (r == 0)
		r = each_back(at, network->plugins, NULL, offered, give_back_one);
	at->runtime = offered;
	if (r == 0)
		r = held_forget(at, h, network);
	return r < 0 ? r : 1;
}

int cni_give_back(struct attach *at)
{
	struct held h = HELD_INIT;
	int r = held_open(at, &h);

	if (r == 0 && can_be_halved(&h))
		r = give_back_held(at, &h);
	held_close(at, &h);
	return r;
}
