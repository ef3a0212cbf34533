/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources applied to a container's group (config-linux.md, "Control groups"): create makes
 * its device program here, `tote update` changes what holds for a container that lives.
 */
#ifndef OCI_RESOURCES_H
#define OCI_RESOURCES_H

#include "cgroups/devices.h"
#include "oci/container.h"

/*
 * The device program of these rules with what every container may do behind them. No rules: no
 * program (everything is allowed). It lives in the arena. -EINVAL with a message.
 */
int resources_device_program(const struct cg_limits *limits, struct arena *a,
			     struct device_program *ret_program, struct err *err);

/* What to change; the schemas go to the container's resctrl group, NULL leaves them. */
struct resources_change {
	struct cg_limits limits;
	const char *l3_cache_schema, *mem_bw_schema;
	bool rootless; /* no error where the caller may not replace the device program */
};

/*
 * Changes a created, running or paused container, whose lock the caller holds. Swap, which the spec
 * counts together with memory, is judged by the memory limit in force when none is given
 * (change->limits is filled in so). -ESRCH "container not running" for any other. Errors as
 * rdt_update(), limits_apply() and devices_replace(), in that order: an error of the limits leaves
 * the shares of RDT changed, one of the device program both.
 */
int resources_update(struct container *c, struct resources_change *change, struct err *err);

#endif
