/* SPDX-License-Identifier: Apache-2.0 */
/* The lines that `tote events` prints: JSON objects in the form of `runc events`, which clients
 * parse. */
#ifndef CMD_TOTE_EVENTS_H
#define CMD_TOTE_EVENTS_H

#include "cgroups/stats.h"
#include "lib/buf.h"

/* Appends a line of type "stats". net_dev: the text of the container's /proc/PID/net/dev, NULL when
 * it shares ours. */
void events_write_stats(const char *id, const struct cg_stats *stats, const char *net_dev,
			struct buf *out);
/* Appends a line of type "oom". */
void events_write_oom(const char *id, struct buf *out);

#endif
