/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/names.h"
#include "oci/network.h"

#include <errno.h>
#include <string.h>

const char *conf_dir_of(const struct place_options *o)
{
	return o->conf_dir && *o->conf_dir ? o->conf_dir : place_conf_dir();
}

const char *run_dir_of(const struct place_options *o)
{
	autoarena a = ARENA_INIT;

	return absolute(o->run_dir && *o->run_dir ? o->run_dir
						  : network_run_dir(globals.rootless, &a));
}

int open_place(const struct place_options *o, struct place *ret, struct err *err)
{
	return place_open(run_dir_of(o), conf_dir_of(o), ret, err);
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
