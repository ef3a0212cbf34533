/* SPDX-License-Identifier: Apache-2.0 */
/* OOM kills of containers, told as they are counted: one inotify descriptor for all, on
 * memory.events of each container's group. */
#ifndef SHIM_OOM_H
#define SHIM_OOM_H

#include "cgroups/cg.h"
#include "lib/list.h"
#include "lib/loop.h"

#include <stdint.h>

struct oom_watch {
	struct list link;    /* zeroed: not watching */
	int wd;		     /* -1: none, see oom_add() */
	const struct cg *cg; /* borrowed */
	uint64_t kills;	     /* that were told */
};

struct oom {
	struct loop *loop;
	struct loop_source source; /* the inotify descriptor, made with the first watch */
	struct list watches;
	/* The count has grown; may remove this watch, no other. */
	void (*killed)(struct oom_watch *watch);
};

void oom_init(struct oom *oom, struct loop *loop, void (*killed)(struct oom_watch *watch));
/*
 * Kills from now on are told. Without the memory controller there is nothing to watch: 0 as well.
 * -errno when the kernel has no room for another watch (fs.inotify.max_user_instances is 128 by
 * default): then only oom_check() finds kills.
 */
int oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg);
/* Looks once more now: before an exit is told. */
void oom_check(struct oom *oom, struct oom_watch *watch);
void oom_remove(struct oom *oom, struct oom_watch *watch);
void oom_done(struct oom *oom);

#endif
