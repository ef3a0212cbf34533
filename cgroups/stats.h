/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a group uses and has used: the kernel's counters as plain values. `tote events`, `tote ps`
 * and the shim's metrics read them. A value that the kernel does not offer (no such file, no such
 * line, controller not enabled, PSI off) is not set.
 */
#ifndef CGROUPS_STATS_H
#define CGROUPS_STATS_H

#include "cgroups/cg.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

/* "max" in a limit file. */
#define CG_UNLIMITED UINT64_MAX

/* Shares of time lost, in hundredths of a percent, over 10, 60 and 300 s; total in microseconds. */
struct cg_psi_line {
	bool set;
	uint32_t avg10, avg60, avg300;
	uint64_t total;
};

struct cg_psi {
	struct cg_psi_line some, full;
};

struct cg_counter {
	const char *name;
	uint64_t value;
};

struct cg_cpu_stats {
	struct opt_u64 usage, user, system; /* microseconds */
	struct opt_u64 periods, throttled_periods;
	struct opt_u64 throttled;     /* microseconds */
	struct opt_u64 bursts, burst; /* a count, microseconds */
	struct cg_psi psi;
};

struct cg_memory_stats {
	struct opt_u64 current, peak, max, low; /* bytes; peak: Linux 5.19 */
	struct opt_u64 swap_current, swap_max;	/* bytes */
	struct opt_u64 low_events, high_events, max_events, oom_events, oom_kills;
	LIST(struct cg_counter) stat; /* memory.stat as it is */
	struct cg_psi psi;
};

struct cg_io_device {
	uint32_t major, minor;
	uint64_t rbytes, wbytes, rios, wios, dbytes, dios;
};

struct cg_hugetlb_stats {
	const char *page_size;				     /* "2MB" */
	struct opt_u64 current, max, rsvd_current, rsvd_max; /* bytes */
	struct opt_u64 failures;			     /* how often max was hit */
};

struct cg_stats {
	struct cg_cpu_stats cpu;
	struct cg_memory_stats memory;
	struct opt_u64 pids_current, pids_max;
	LIST(struct cg_io_device) io;
	struct cg_psi io_psi;
	LIST(struct cg_hugetlb_stats) hugetlb;
};

/*
 * Reads everything there is; lists live in the arena. Files are read one after the other, so that
 * values are not of one instant. -ENODEV when the group is removed meanwhile.
 */
int stats_read(const struct cg *cg, struct arena *a, struct cg_stats *ret_stats, struct err *err);

/* The named counter of memory.stat ("file", "anon"); not set when there is none. */
struct opt_u64 stats_memory(const struct cg_stats *stats, const char *name);

#endif
