/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a group uses and has used: the kernel's counters as plain values. `tote events`, `tote
 * stats` and `tote metrics` read them. A value that the kernel does not offer (no such file, no
 * such line, controller not enabled, PSI off) is not set. What the files say is told in the
 * kernel's cgroup-v2.rst, pressure in psi.rst.
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
	struct opt_u64 bursts, burst; /* a count, microseconds; Linux 5.14 */
	struct opt_u64 quota, period; /* microseconds; the quota may be CG_UNLIMITED */
	struct cg_psi psi;
};

struct cg_memory_stats {
	struct opt_u64 current, peak, max, low; /* bytes; peak: Linux 5.19 */
	struct opt_u64 swap_current, swap_max;	/* bytes */
	struct opt_u64 inactive_file;		/* bytes, of memory.stat */
	/* How often; of the group and those below it. */
	struct opt_u64 low_events, high_events, max_events, oom_events, oom_kills;
	struct opt_u64 oom_group_kills; /* Linux 5.17 */
	struct opt_u64 swap_high_events, swap_max_events, swap_fail_events;
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

struct cg_rdma_stats {
	const char *device;
	struct opt_u64 handles, objects, handles_max, objects_max;
};

struct cg_misc_stats {
	const char *resource;
	struct opt_u64 current, max;
};

struct cg_stats {
	struct cg_cpu_stats cpu;
	struct cg_memory_stats memory;
	struct opt_u64 pids_current, pids_max;
	struct opt_u64 pids_failures; /* how often fork failed for pids_max, here or below */
	LIST(struct cg_io_device) io;
	struct cg_psi io_psi;
	LIST(struct cg_hugetlb_stats) hugetlb;
	LIST(struct cg_rdma_stats) rdma;
	LIST(struct cg_misc_stats) misc;
};

/* What to read: every file costs three system calls. */
enum {
	STATS_CPU = 1,	  /* cpu.usage, user and system, throttling */
	STATS_MEMORY = 2, /* current, max, swap_current, inactive_file */
	STATS_OOM = 4,	  /* the events of memory, kills among them */
	STATS_TASKS = 8,  /* pids_current */
	STATS_IO = 16,
	STATS_PRESSURE = 32,
	STATS_REST = 64,  /* cpu.quota and period, memory.low, events of swap and pids */
	STATS_RARE = 128, /* hugetlb, rdma, misc */
	STATS_MORE = 256, /* memory.peak, memory.swap_max, pids_max */
	/* Of hugetlb: reservations. And without this, a size that the host has no pages of and the
	 * group no limit for is not looked at: nothing is used, nothing failed. */
	STATS_RESERVED = 512,
	STATS_COUNTERS = 1024, /* memory.stat as a list */
	STATS_ALL = 2047,
};

/*
 * For who reads many groups in a row: what holds for a group's neighbours as well is not looked for
 * again. Zeroed before the first; not for long, as controllers are enabled at any time.
 */
struct stats_memo {
	char parent[256];	  /* of the groups that have these: "/" or "/a/"; "": none yet */
	unsigned int controllers; /* a bit 1 << CG_X each, as far as is known */
	/* Of hugetlb, each behind a space, with a "-" if the host has none of them: " 2MB -1GB";
	 * "": not known yet. */
	char page_sizes[256];
	bool swap_known, swapless; /* nothing on the host can be swapped out */
	/* cpu.stat of the next group, as stats_cpu_usage() left it open; 0: it did not. */
	int cpu_stat;
};

/*
 * Reads everything there is; lists live in the arena. Files are read one after the other, so that
 * values are not of one instant. -ENODEV when the group is removed meanwhile.
 */
int stats_read(const struct cg *cg, struct arena *a, struct cg_stats *ret_stats, struct err *err);
/* The same for what is named. memo: NULL for a single group. */
int stats_read_some(const struct cg *cg, unsigned int what, struct stats_memo *memo,
		    struct arena *a, struct cg_stats *ret_stats, struct err *err);

/* The CPU time that a group has used, microseconds, read by its path without opening the group:
 * half of what a share of CPU time takes. Not set when there is no such group. ret_file: NULL, or
 * where to leave the open file for the other half, 0 when there is none. */
struct opt_u64 stats_cpu_usage(const struct cg_tree *tree, const char *path, int *ret_file);

/* The named counter of memory.stat ("file", "anon"); not set when there is none. */
struct opt_u64 stats_memory(const struct cg_stats *stats, const char *name);

#endif
