/* SPDX-License-Identifier: Apache-2.0 */
/* A container's cgroup while it is made: where it lies, what it may use, which devices. */
#include "oci/create_private.h"

#include "cgroups/devices.h"
#include "cgroups/limits.h"
#include "lib/cleanup.h"
#include "oci/resources.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * The group: where the spec says, else one of our own below the root, or for an ordinary user below
 * the group it is in. A host without cgroup2 is no obstacle as long as nothing is to be limited.
 */
int create_choose_cgroup(struct making *mk, struct err *err)
{
	const char *path = mk->c->spec->linux_.cgroups_path;
	char own[PATH_MAX] = "";
	int r;

	if (mk->opts->manager == CGROUP_DISABLED)
		return 0;
	r = cg_tree_find(&mk->tree, err);
	if (r < 0)
		return mk->opts->rootless ? 0 : r;
	if (mk->opts->rootless && (!path || path[0] != '/')) {
		r = cg_delegated_path(&mk->tree, own, sizeof(own), err);
		if (r < 0)
			return r;
		if (strcmp(own, "/") == 0)
			own[0] = '\0';
	}
	if (path && path[0])
		mk->c->st.cgroup_path =
			arena_printf(&mk->c->arena, "%s%s%s", own, path[0] == '/' ? "" : "/", path);
	else
		mk->c->st.cgroup_path =
			arena_printf(&mk->c->arena, "%s/tote-%s", own, mk->opts->id);
	return 0;
}

int create_attach_devices(struct making *mk, struct err *err)
{
	const struct cg_limits *limits = &mk->c->spec->linux_.resources;
	struct device_program program;
	int r;

	if (!limits->devices.count || mk->cg.fd < 0)
		return 0;
	r = resources_device_program(limits, &mk->c->arena, &program, err);
	if (r == 0)
		r = devices_attach(mk->cg.fd, &program, err);
	/* An ordinary user may not load programs, and cannot make device nodes either: nothing is
	 * lost. */
	return r == -EPERM && mk->opts->rootless ? 0 : r;
}

static bool wants_limits(const struct spec *spec, struct arena *a)
{
	struct cg_writes writes;
	struct err ignored;

	return limits_translate(&spec->linux_.resources, a, &writes, &ignored) < 0 || writes.count;
}

int create_make_cgroup(struct making *mk, struct err *err)
{
	struct container *c = mk->c;
	int r;

	if (!c->st.cgroup_path) {
		if (wants_limits(c->spec, &c->arena))
			return err_set(err, EOPNOTSUPP,
				       "linux.resources: there is no cgroup to limit");
		return 0;
	}
	r = cg_create(&mk->tree, c->st.cgroup_path, &mk->cg, err);
	if ((r == -EACCES || r == -EPERM || r == -EROFS) && mk->opts->rootless &&
	    !wants_limits(c->spec, &c->arena)) {
		/* No group was delegated to this user, and none is needed. */
		c->st.cgroup_path = NULL;
		return 0;
	}
	if (r == 0)
		r = limits_apply(&mk->cg, &c->spec->linux_.resources, err);
	if (r == 0)
		mk->launch.cgroup_fd = mk->cg.fd;
	return r;
}
