/* SPDX-License-Identifier: Apache-2.0 */
/* CNI's "macvlan": a container has a hardware address of its own on the host's wire. */
#include "lib/cleanup.h"
#include "netns/ipam.h"
#include "netns/upper.h"

#include <errno.h>
#include <string.h>

static const struct json_enum_value modes[] = {
	{ "bridge", MACVLAN_MODE_BRIDGE },
	{ "private", MACVLAN_MODE_PRIVATE },
	{ "vepa", MACVLAN_MODE_VEPA },
	{ "passthru", MACVLAN_MODE_PASSTHRU },
	{ NULL, 0 },
};

/* -1: no such mode. */
static long mode_of(const struct upper *upper)
{
	const char *name = upper->mode && *upper->mode ? upper->mode : modes[0].name;

	for (const struct json_enum_value *m = modes; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m->value;
	return -1;
}

static void queue(struct rtnl *r, const struct link_add *add, const struct upper *upper)
{
	link_add_macvlan(r, add, (uint32_t)mode_of(upper));
}

static int add(struct attach *at)
{
	struct upper upper;
	int rc = upper_read(at, &upper);

	if (rc < 0)
		return rc;
	if (mode_of(&upper) < 0)
		return err_set(at->err, EINVAL,
			       "mode \"%s\" is not one of bridge, private, vepa, passthru",
			       upper.mode);
	return upper_add(at, &upper, "macvlan", queue);
}

static int del(struct attach *at)
{
	return upper_del(at, "macvlan");
}

static int check(struct attach *at)
{
	return upper_check(at, "macvlan");
}

const struct plugin plugin_macvlan = {
	.type = "macvlan",
	.add = add,
	.del = del,
	.check = check,
	.status = upper_status,
	.gc = ipam_gc,
};
