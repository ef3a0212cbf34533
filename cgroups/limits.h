/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cgroup may use: the resources of the runtime-spec (config-linux.md, "Control groups") as a
 * plain value. The spec embeds it, `tote update` fills one from options; limits_apply() writes what
 * the v2 tree can hold.
 */
#ifndef CGROUPS_LIMITS_H
#define CGROUPS_LIMITS_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

struct cg;

/* One device rule. major and minor are -1 for any. */
struct cg_device_rule {
	bool allow;
	char *type; /* "a" (default), "c" or "b" */
	struct opt_i64 major, minor;
	char *access; /* of "rwm" */
};

struct cg_memory {
	/* Bytes; -1 is unlimited. */
	struct opt_i64 limit, reservation, swap;
	struct opt_i64 kernel, kernel_tcp;  /* v1 only */
	struct opt_u64 swappiness;	    /* v1 only */
	struct opt_bool disable_oom_killer; /* v1 only */
	struct opt_bool use_hierarchy;	    /* v1 only */
	struct opt_bool check_before_update;
	/* v2 only, not in the spec: see oci/spec_annotations.h. */
	struct opt_i64 high; /* bytes; -1 is unlimited */
	struct opt_bool oom_group;
};

struct cg_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota;		 /* microseconds a period; below 0 is unlimited */
	struct opt_u64 burst, period;	 /* microseconds */
	struct opt_i64 realtime_runtime; /* v1 only */
	struct opt_u64 realtime_period;	 /* v1 only */
	struct opt_i64 idle;
	char *cpus, *mems;
};

struct cg_block_weight {
	int64_t major, minor;
	struct opt_u16 weight, leaf_weight;
};

struct cg_block_throttle {
	int64_t major, minor;
	uint64_t rate;
};

struct cg_block_throttles {
	struct cg_block_throttle *items;
	size_t count;
};

struct cg_block_io {
	struct opt_u16 weight, leaf_weight;
	LIST(struct cg_block_weight) weight_device;
	struct cg_block_throttles throttle_read_bps, throttle_write_bps, throttle_read_iops,
		throttle_write_iops;
};

struct cg_hugepage {
	char *page_size; /* "2MB" */
	uint64_t limit;	 /* bytes */
};

struct cg_rdma {
	char *device;
	struct opt_u32 hca_handles, hca_objects;
};

struct cg_net_priority {
	char *name;
	uint32_t priority;
};

struct cg_network { /* v1 only */
	struct opt_u32 class_id;
	LIST(struct cg_net_priority) priorities;
};

struct cg_limits {
	struct cg_memory memory;
	struct cg_cpu cpu;
	struct opt_i64 pids_limit; /* <= 0 is unlimited */
	struct cg_block_io block_io;
	LIST(struct cg_hugepage) hugepages;
	LIST(struct cg_rdma) rdma;
	struct cg_network network;
	struct key_value_list unified; /* file name -> contents, written last */
	LIST(struct cg_device_rule) devices;
};

enum {
	CG_WRITE_OPTIONAL = 1,	  /* the file may be missing: what it would say is the default */
	CG_WRITE_ALTERNATIVE = 2, /* skipped when the write before it found its file */
	CG_WRITE_KEEP_QUOTA = 4,  /* the value is a period: the quota in the file goes before it */
	CG_WRITE_USUAL = 8,	  /* a group is like that anyway where there is no controller */
};

/* One file of a group to write. */
struct cg_write {
	const char *file, *value;
	const char *field; /* where it comes from: "memory.limit" */
	unsigned int flags;
};

struct cg_writes {
	struct cg_write *items;
	size_t count;
};

/*
 * Puts limits into cgroup v2 terms, in the order to be written; no system call. Strings live in the
 * arena and in the limits. Fields that only v1 has are -EOPNOTSUPP, values out of range -EINVAL;
 * the message names the field. devices are not part of it, see cgroups/devices.h.
 */
int limits_translate(const struct cg_limits *limits, struct arena *a, struct cg_writes *ret_writes,
		     struct err *err);

/* The controllers that the writes are for, if not optional, as a mask of 1 << enum cg_controller. */
unsigned int limits_controllers(const struct cg_writes *writes);

/*
 * Translates, enables the controllers that are needed and writes. Limits without a value cost no
 * system call. -EOPNOTSUPP when the kernel or the v2 tree cannot do it, -EBUSY when
 * check_before_update is set and more memory is in use than the limit to be, -EINVAL for what does
 * not go together with what holds already; else what the kernel said. After an error a group that
 * was there before (cg->made is 0) has the limits that it had.
 */
int limits_apply(const struct cg *cg, const struct cg_limits *limits, struct err *err);

/* The (first) number in a file of the group; -1 for "max", and where there is no such file. */
int64_t limits_in_force(const struct cg *cg, const char *file);

#endif
