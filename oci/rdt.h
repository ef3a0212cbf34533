/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt (config-linux.md, "IntelRdt"; the kernel's resctrl documentation): a group below
 * /sys/fs/resctrl with cache and bandwidth shares.
 */
#ifndef OCI_RDT_H
#define OCI_RDT_H

#include "oci/spec.h"
#include "oci/state.h"

/* Notes in the state the group that will be made, if one will: "closID" names one that exists
 * already or is shared. */
void rdt_name(const struct spec *spec, struct state *st, struct arena *a);
/* Makes the group, writes its schemata. -EOPNOTSUPP when this host has no resctrl. */
int rdt_make(const struct spec *spec, struct state *st, struct err *err);
/*
 * New shares for the group of a container that has one; a NULL schema is left as it is. -EOPNOTSUPP
 * when its config has no linux.intelRdt.
 */
int rdt_update(const struct state *st, const char *l3_cache_schema, const char *mem_bw_schema,
	       struct err *err);
/* Puts a process in. */
int rdt_add(const struct state *st, pid_t pid, struct err *err);
/* Removes it if it was made for this container alone. */
void rdt_remove(const struct state *st);

#endif
