/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The annotations of config.json that mean something to tote: limits that the runtime-spec has no
 * field for. Each can only make a container's limits tighter, since annotations may stem from an
 * image. spec_parse() applies them to a spec, oci/resources.c to an update.
 */
#ifndef OCI_SPEC_ANNOTATIONS_H
#define OCI_SPEC_ANNOTATIONS_H

#include "cgroups/limits.h"
#include "lib/err.h"
#include "lib/types.h"

/* "90%": memory.high at that share of memory.limit. Reclaim and throttling set in before OOM. */
#define ANNOTATION_MEMORY_HIGH "org.tote.memory.high"
/* "true": memory.oom.group, the OOM killer takes all of the container or nothing (Linux 4.19). */
#define ANNOTATION_MEMORY_OOM_GROUP "org.tote.memory.oom.group"

/* "true": pid 1 is tote-init, which runs the program as its child, passes signals on and reaps. */
#define ANNOTATION_INIT "org.tote.init"

/*
 * Sets memory.high and memory.oom_group of limits by the annotations; others are passed over.
 * -EINVAL for a value that is none, or a share when limits has no memory.limit.
 */
int spec_apply_annotations(const struct key_value_list *list, struct cg_limits *limits,
			   struct err *err);

#endif
