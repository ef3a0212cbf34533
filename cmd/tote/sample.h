/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, measured: the counters of its cgroup and of its network interfaces. `tote stats`
 * and `tote metrics` take samples of many containers, `tote events` has its own way to the cgroup
 * and reads the interfaces here.
 */
#ifndef CMD_TOTE_SAMPLE_H
#define CMD_TOTE_SAMPLE_H

#include "cgroups/stats.h"
#include "oci/container.h"

/* Since the namespace was made; proc_pid_net(5). */
struct sample_interface {
	const char *name;
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct sample_net {
	bool own; /* false: it shares our namespace, or cannot be looked into */
	LIST(struct sample_interface) interfaces;
};

struct sample {
	const char *id, *created;
	struct proc_id init;
	uint32_t restarts;
	enum status status; /* of sample_take() only */
	int64_t taken;	    /* when the CPU time was read: CLOCK_MONOTONIC, nanoseconds */
	struct cg_stats stats;
	struct sample_net net;
};

/* A network namespace, told by the inode of its net/dev: each has its own. Who reads that
 * file has it for an fstat(2), while the name of ns/net has to be looked for. 0: could not be looked at. */
struct sample_netns {
	ino_t net_dev;
};

/* Where to look: the same for all containers. */
struct sample_host {
	struct cg_tree tree;
	const struct cg_tree *groups; /* &tree, or NULL when no v2 tree is mounted */
	struct sample_netns netns;    /* ours */
	struct stats_memo memo;	      /* to be zeroed for a new round of samples */
};

void sample_host_open(struct sample_host *ret_host);
void sample_host_close(struct sample_host *host);

/* Ours. */
struct sample_netns sample_own_netns(void);
/* Reads the interfaces that a process sees if its namespace is not ours. Whether it still is the
 * process that was meant is for the caller to ask afterwards. */
void sample_read_net(const struct sample_netns *ours, pid_t pid, struct arena *a,
		     struct sample_net *ret_net);

/*
 * Reads the counters of a container's group, what as in cgroups/stats.h. Nothing is set in
 * ret->stats when it has no group, or no more. All else of the sample but status and net is filled;
 * strings of the state are not copied.
 */
int sample_read_group(struct sample_host *host, const struct state *st, unsigned int what,
		      struct arena *a, struct sample *ret, struct err *err);

/* The same for the CPU time that was used, and nothing else: what a share of it is counted from.
 * ret_file as of stats_cpu_usage(). */
void sample_read_cpu(const struct sample_host *host, const struct state *st, struct sample *ret,
		     int *ret_file);

/* Reads everything there is; all strings live in the arena. */
int sample_take(struct sample_host *host, const struct container *c, struct arena *a,
		struct sample *ret, struct err *err);

#endif
