/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/names.h"
#include "oci/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *given(const char *option, const char *variable, const char *otherwise)
{
	const char *value = option && *option ? option : getenv(variable);

	return value && *value ? value : otherwise;
}

const char *place_conf_dir(const struct place_options *o)
{
	return given(o->conf_dir, "NETCONFPATH", CNI_CONF_DIR);
}

int place_open(const struct place_options *o, struct place *ret, struct err *err)
{
	autoarena a = ARENA_INIT;

	ret->run_dir = absolute(o->run_dir && *o->run_dir ? o->run_dir
							  : network_run_dir(globals.rootless, &a));
	ret->conf_dir = place_conf_dir(o);
	ret->plugin_path = given(NULL, "CNI_PATH", CNI_PLUGIN_PATH);
	ret->run_fd = record_dir_open(ret->run_dir, err);
	return ret->run_fd < 0 ? ret->run_fd : 0;
}

void place_close(struct place *p)
{
	cleanup_fd(&p->run_fd);
}

struct attach place_attach(const struct place *p, const char *container, const char *ifname,
			   struct arena *a, struct err *err)
{
	return (struct attach){
		.container = container,
		.ifname = ifname,
		.netns_fd = -1,
		.plugin_path = p->plugin_path,
		.run_dir = p->run_dir,
		.run_fd = p->run_fd,
		.arena = a,
		.err = err,
	};
}

void update_names(const struct place *p)
{
	struct err err;

	if (names_update(p->run_fd, &err) < 0)
		log_warning("%s", err.msg);
}

void warn_broken(const struct records *records)
{
	for_each (broken, &records->broken)
		log_warning("container %s: %s; delete it with tote network down --config",
			    broken->container, broken->why);
}

int check_id(const char *id, struct err *err)
{
	if (record_id_ok(id))
		return 0;
	return err_set(err, EINVAL,
		       "\"%s\" is no container's id: only letters, digits and _ + - . are allowed, "
		       "no . first",
		       id);
}

int check_format(const char *format, bool *ret_json, struct err *err)
{
	*ret_json = format && strcmp(format, "json") == 0;
	if (format && !*ret_json && strcmp(format, "table") != 0)
		return err_set(err, EINVAL, "--format: expected table or json, found \"%s\"",
			       format);
	return 0;
}

const char *conf_text(const struct json_value *conf, const char *key)
{
	const struct json_value *v = json_get(conf, key);

	return v && v->kind == JSON_STRING ? v->text : "";
}

bool conf_true(const struct json_value *conf, const char *key)
{
	const struct json_value *v = json_get(conf, key);

	return v && v->kind == JSON_BOOL && v->boolean;
}
