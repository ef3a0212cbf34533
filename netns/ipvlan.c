/* SPDX-License-Identifier: Apache-2.0 */
/* CNI's "ipvlan": containers share the host's hardware address, and the wire is split by IP address. */
#include "lib/cleanup.h"
#include "netns/ipam.h"
#include "netns/upper.h"

#include <errno.h>
#include <string.h>

static const struct json_enum_value modes[] = {
	{ "l2", IPVLAN_MODE_L2 }, { "l3", IPVLAN_MODE_L3 }, { "l3s", IPVLAN_MODE_L3S }, { NULL, 0 }
};
/* Of the wire as a whole: the first interface on a master decides for all. */
static const struct json_enum_value flags[] = {
	{ "bridge", 0 }, { "private", IPVLAN_F_PRIVATE }, { "vepa", IPVLAN_F_VEPA }, { NULL, 0 }
};

/* The first without a name; -1: there is none such. */
static long value_of(const struct json_enum_value *values, const char *name)
{
	if (!name || !*name)
		return values->value;
	for (; values->name; values++)
		if (strcmp(values->name, name) == 0)
			return values->value;
	return -1;
}

static void queue(struct rtnl *r, const struct link_add *add, const struct upper *upper)
{
	link_add_ipvlan(r, add, (uint16_t)value_of(modes, upper->mode),
			(uint16_t)value_of(flags, upper->flag));
}

static int add(struct attach *at)
{
	struct upper upper;
	int rc = upper_read(at, &upper);

	if (rc < 0)
		return rc;
	if (value_of(modes, upper.mode) < 0)
		return err_set(at->err, EINVAL, "mode \"%s\" is not one of l2, l3, l3s",
			       upper.mode);
	if (value_of(flags, upper.flag) < 0)
		return err_set(at->err, EINVAL, "flag \"%s\" is not one of bridge, private, vepa",
			       upper.flag);
	/* It has its master's hardware address, whatever the runtime would like. */
	upper.has_mac = false;
	return upper_add(at, &upper, "ipvlan", queue);
}

static int del(struct attach *at)
{
	return upper_del(at, "ipvlan");
}

static int check(struct attach *at)
{
	return upper_check(at, "ipvlan");
}

const struct plugin plugin_ipvlan = {
	.type = "ipvlan",
	.add = add,
	.del = del,
	.check = check,
	.status = upper_status,
	.gc = ipam_gc,
};
