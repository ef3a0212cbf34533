/* SPDX-License-Identifier: Apache-2.0 */
/* What a group uses as io.containerd.cgroups.v2.Metrics: the answer to Stats. */
#ifndef SHIM_METRICS_H
#define SHIM_METRICS_H

#include "cgroups/cg.h"
#include "cgroups/stats.h"
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#define METRICS_TYPE "io.containerd.cgroups.v2.Metrics"

/* Appends the packed message for the values; what is not set is 0, what is unlimited UINT64_MAX. The
 * arena is for what is needed meanwhile. */
void metrics_pack(const struct cg_stats *stats, struct arena *a, struct buf *out);

/* Reads the group and packs. -ENODEV: it is gone. */
int metrics_read(const struct cg *cg, struct buf *out, struct err *err);

#endif
