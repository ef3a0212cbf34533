/* SPDX-License-Identifier: Apache-2.0 */
/* The lines that `tote events` prints: JSON objects in the form of `runc events`, which clients
 * parse. */
#ifndef CMD_TOTE_EVENTS_H
#define CMD_TOTE_EVENTS_H

#include "cgroups/stats.h"
#include "cmd/tote/sample.h"
#include "lib/buf.h"

/* Appends a line of type "stats". */
void events_write_stats(const char *id, const struct cg_stats *stats, const struct sample_net *net,
			struct buf *out);
/* Appends a line of type "oom". */
void events_write_oom(const char *id, struct buf *out);

#endif
