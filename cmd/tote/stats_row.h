/* SPDX-License-Identifier: Apache-2.0 */
/* What `tote stats` shows of a container: a line of its table, an object of its JSON. */
#ifndef CMD_TOTE_STATS_ROW_H
#define CMD_TOTE_STATS_ROW_H

#include "cmd/tote/sample.h"
#include "lib/buf.h"

/* Not set: not counted here. A limit that is not set: none, or not known. */
struct stats_row {
	const char *id;
	pid_t pid;
	struct opt_u64 cpu_percent; /* hundredths; of one processor, since the sample before */
	struct opt_u64 cpu_usage;   /* microseconds */
	/* Bytes; the working set is what cannot be dropped at once: without inactive file pages. */
	struct opt_u64 memory_usage, memory_working_set, memory_limit, memory_peak;
	struct opt_u64 memory_percent; /* of the limit, hundredths */
	struct opt_u64 swap_usage, swap_limit;
	struct opt_u64 oom_kills;
	struct opt_u64 pids, pids_limit;
	struct opt_u64 net_rx, net_tx; /* bytes of all interfaces but lo */
	struct opt_u64 io_read, io_written;
	struct opt_u64 cpu_pressure, memory_pressure, io_pressure; /* "some avg10", hundredths */
};

struct stats_rows {
	struct stats_row *items;
	size_t count;
};

/* before: an earlier sample of the same container, NULL when there is none. */
void stats_row_fill(const struct sample *now, const struct sample *before, struct stats_row *ret);

/*
 * Appends headings and lines, each ended by end. With a width, columns at the right that do not fit
 * are left out; with a height, so are lines at the end. 0: no limit.
 */
void stats_rows_table(const struct stats_rows *rows, size_t width, size_t height, const char *end,
		      struct buf *out);
/* Appends a line. */
void stats_rows_json(const struct stats_rows *rows, struct buf *out);

#endif
