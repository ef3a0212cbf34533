/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ipam.h"

#include "lib/cleanup.h"
#include "netns/exec_plugin.h"
#include "netns/ipam_types.h"

#include <string.h>

static const struct plugin *const types[] = { &ipam_host_local, &ipam_static };

const struct json_value *ipam_conf(const struct attach *at)
{
	const struct json_value *v = at->conf ? json_get(at->conf, "ipam") : NULL;

	return v && v->kind == JSON_OBJECT ? v : NULL;
}

/* NULL: none is configured. */
static const char *type_name(const struct attach *at)
{
	const struct json_value *conf = ipam_conf(at);
	const struct json_value *type = conf ? json_get(conf, "type") : NULL;

	return type && type->kind == JSON_STRING && type->text[0] ? type->text : NULL;
}

static const struct plugin *find_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i]->type, name) == 0)
			return types[i];
	return NULL;
}

enum operation { ADD, DEL, CHECK, STATUS };

static int (*function_of(const struct plugin *type, enum operation operation))(struct attach *)
{
	switch (operation) {
	case ADD:
		return type->add;
	case DEL:
		return type->del;
	case CHECK:
		return type->check;
	default:
		return type->status;
	}
}

static void take_result(struct attach *at, const struct cni_result *result)
{
	for_each (ip, &result->ips)
		cni_add_ip(&at->result, at->arena, &ip->address)->gateway = ip->gateway;
	for_each (route, &result->routes)
		*cni_add_route(&at->result, at->arena, &route->dst) = *route;
	at->result.dns = result->dns;
}

/* STATUS and GC came with 1.1.0, CHECK with 0.4.0. */
static bool speaks(const struct attach *at, const char *since)
{
	return cni_version_compare(at->version, since) >= 0;
}

/* Any other type is a program. */
static int run_program(struct attach *at, const char *type, enum operation operation)
{
	static const struct {
		const char *command, *since;
	} commands[] = {
		[ADD] = { "ADD", "0.1.0" },
		[DEL] = { "DEL", "0.1.0" },
		[CHECK] = { "CHECK", "0.4.0" },
		[STATUS] = { "STATUS", "1.1.0" },
	};
	struct cni_result result = { 0 };
	int r;

	if (!speaks(at, commands[operation].since))
		return 0;
	r = cni_exec(at, type, commands[operation].command, &result);
	if (r == 0 && operation == ADD)
		take_result(at, &result);
	return r < 0 ? r : 0;
}

static int run(struct attach *at, enum operation operation)
{
	const char *name = type_name(at);
	const struct plugin *type = name ? find_type(name) : NULL;

	if (!name)
		return 0;
	return type ? function_of(type, operation)(at) : run_program(at, name, operation);
}

int ipam_add(struct attach *at)
{
	return run(at, ADD);
}

int ipam_del(struct attach *at)
{
	return run(at, DEL);
}

int ipam_check(struct attach *at)
{
	return run(at, CHECK);
}

int ipam_status(struct attach *at)
{
	return run(at, STATUS);
}

int ipam_gc(struct attach *at, const struct cni_valid *valid, size_t count)
{
	const char *name = type_name(at);
	const struct plugin *type = name ? find_type(name) : NULL;

	if (type)
		return type->gc ? type->gc(at, valid, count) : 0;
	return name && speaks(at, "1.1.0") ? cni_exec_gc(at, name, valid, count) : 0;
}
