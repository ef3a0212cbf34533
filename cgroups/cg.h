/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cgroup v2 group: find the tree, make a group, put processes in, freeze, kill and remove it.
 * oci/launch.c makes a container's group before the clone and oci/container.c ends it; limits.h,
 * devices.h and stats.h work on the group that is made here. Nothing here waits without a deadline.
 */
#ifndef CGROUPS_CG_H
#define CGROUPS_CG_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/types.h"

#include <sys/types.h>

/* Where cgroup2 is mounted. */
struct cg_tree {
	int fd;	     /* the mount's root directory */
	bool hybrid; /* v1 hierarchies sit at /sys/fs/cgroup and hold some of the controllers */
};

/*
 * Finds the v2 tree: /sys/fs/cgroup, else /sys/fs/cgroup/unified (hybrid hosts), else the first
 * cgroup2 line of mountinfo. -ENOENT when there is none.
 */
int cg_tree_find(struct cg_tree *ret_tree, struct err *err);
/* The tree mounted at a path, for tests and unusual hosts; -EINVAL when that is not cgroup2. */
int cg_tree_open(const char *path, struct cg_tree *ret_tree, struct err *err);
void cg_tree_close(struct cg_tree *tree);

struct cg {
	int root;	   /* the tree's descriptor; borrowed, it must outlive the group */
	int fd;		   /* the group's directory; good for clone3's CLONE_INTO_CGROUP (5.7) */
	char *path;	   /* below the mount, starts with '/', normalised */
	unsigned int made; /* so many trailing parts of the path were made by cg_create() */
};

#define CG_INIT                                                                                    \
	{                                                                                          \
		-1, -1, NULL, 0                                                                    \
	}

/*
 * Makes the group and its missing parents. A path is absolute below the mount; repeated slashes are
 * folded, ".." is refused. An existing group is joined and thawed: made is 0, so that it stays when
 * the container goes. -EBUSY when it holds processes, which would share the container's end, or
 * may hold none since it hands controllers on, or is threaded; also when a group above is frozen,
 * where no process would ever begin. What was made is undone on failure.
 */
int cg_create(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err);
/* Opens an existing group; -ENOENT when there is none. made is 0. */
int cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err);
/* Closes the descriptor and frees the path; the group stays. */
void cg_done(struct cg *cg);
#define autocg __attribute__((cleanup(cg_done))) struct cg

/* How many trailing parts of the path do not exist yet: what write-ahead state records. Or -errno.
 */
int cg_missing(const struct cg_tree *tree, const char *path);

/*
 * Removes the group with all groups below it, then its parents that cg_create() made, for this group
 * (levels - 1 of them) or for a neighbour that went earlier, while they are empty. levels is what
 * cg_create() reported as made: 0 removes nothing. No such group is success.
 * The kernel may say EBUSY for a moment after the last exit, so it is retried for timeout_ms; then
 * -EBUSY, and another call goes on from there. Kills nothing.
 */
int cg_destroy(const struct cg_tree *tree, const char *path, unsigned int levels, int timeout_ms,
	       struct err *err);

/*
 * The group of a process (0: the caller), from /proc/PID/cgroup. -ENOENT when it was removed,
 * -EXDEV when it lies outside of the caller's cgroup namespace.
 */
int cg_path_of(pid_t pid, char *ret_path, size_t size, struct err *err);

/*
 * The group that an ordinary user's groups are made in: the parent of the caller's own group if it
 * was delegated to the caller as well (the own one is not where systemd's Delegate= begins), else
 * the own group. In the own one no controller can be enabled, since it holds the caller: see "no
 * internal processes" in the kernel's cgroup-v2.rst.
 */
int cg_delegated_path(const struct cg_tree *tree, char *ret_path, size_t size, struct err *err);

/*
 * 1 when the group hands controllers on to its children, so that it may hold no processes itself;
 * else 0, or -errno.
 */
int cg_inner(const struct cg *cg);

/*
 * A walk over a group and all groups below it (cg_walk.c). Who is in there decides how many they
 * are, how deep they nest and whether new ones keep coming: so it holds three descriptors at most,
 * and ends by a deadline. Groups that come or go meanwhile may be seen or not.
 */
enum cg_order {
	CG_DOWN, /* each before those in it, the first is where the walk begins */
	CG_UP,	 /* each after those in it, without where the walk begins: fit for removing */
};

struct cg_walk {
	int fd;		  /* the group's directory, with CG_UP that of the one above */
	const char *name; /* with CG_UP the group's name in there, until the next call */
	enum cg_order order;
	const struct deadline *end;
	struct buf names;
};

/*
 * The first group and the next: 1, 0 when there are no more, -ETIMEDOUT when the deadline has
 * passed (NULL: none), or -errno. In any case cg_walk_done() comes last. fd is borrowed for the
 * first call. ENOENT and ENODEV on what is in a group tell that it was removed meanwhile.
 */
int cg_walk_first(struct cg_walk *w, int fd, enum cg_order order, const struct deadline *end);
int cg_walk_next(struct cg_walk *w);
/* With CG_DOWN: the group's path from where the walk began, "" or "/a/b". -ENAMETOOLONG. */
int cg_walk_path(const struct cg_walk *w, char *ret_path, size_t size);
void cg_walk_done(struct cg_walk *w);
#define autowalk __attribute__((cleanup(cg_walk_done))) struct cg_walk

/* The number in the line of a group's file that begins with key, which ends in a space: "oom ". dir is
 * open at the group, or file leads there. 0 when there is no such file or line. */
uint64_t cg_counter(int dir, const char *file, const char *key);

/* Processes (cg_procs.c). */

/* Moves a process in: for kernels without CLONE_INTO_CGROUP, and for exec. */
int cg_add_pid(const struct cg *cg, pid_t pid, struct err *err);

struct cg_pids {
	pid_t *items;
	size_t count;
};

/* The processes of the group and all groups below it, in the caller's pid namespace. -ETIMEDOUT when
 * there are too many groups to look through in 10 seconds. */
int cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err);

/* 1 when a process lives in the group or below, 0 when none (zombies do not count), or -errno. */
int cg_populated(const struct cg *cg);
/* 1 when every process is frozen, else 0, or -errno (-ENOENT before Linux 5.2). */
int cg_frozen(const struct cg *cg);
/* Waits until no process is left. -ETIMEDOUT after timeout_ms. A group that is gone is empty. */
int cg_wait_empty(const struct cg *cg, int timeout_ms, struct err *err);

/* Freezes and waits (Linux 5.2). On -ETIMEDOUT the group is thawed again, and the message names who
 * did not freeze. */
int cg_freeze(const struct cg *cg, int timeout_ms, struct err *err);
/* Thaws and waits; -EBUSY when a group above is frozen, and with it ours still. */
int cg_thaw(const struct cg *cg, int timeout_ms, struct err *err);
/* True when a group above, as far as the mount shows them, was told to freeze. */
bool cg_frozen_above(const struct cg *cg);

/*
 * SIGKILL to everything in the group and below: cgroup.kill (5.14), else cg_kill_each(). Then waits
 * for it to be empty, unless timeout_ms is 0; -ETIMEDOUT when processes survive that (D state).
 */
int cg_kill(const struct cg *cg, int timeout_ms, struct err *err);
/* The way of older kernels: freeze, signal each process, thaw; again until empty or timeout_ms. */
int cg_kill_each(const struct cg *cg, int timeout_ms, struct err *err);

/* Controllers (cg_controllers.c). Sets are masks of 1 << controller. */
enum cg_controller {
	CG_CPUSET,
	CG_CPU,
	CG_IO,
	CG_MEMORY,
	CG_HUGETLB,
	CG_PIDS,
	CG_RDMA,
	CG_MISC,
	CG_DMEM, /* of devices; 6.14 */
	CG_CONTROLLERS
};

const char *cg_controller_name(enum cg_controller c);
/* The controller that a file like "memory.high" belongs to, or -1 ("cgroup.freeze"). */
int cg_controller_of(const char *file);
/* What the tree's root offers at all. 0 when that cannot be read. */
unsigned int cg_available(const struct cg_tree *tree);
/* What is in force in the group. 0 when that cannot be read. */
unsigned int cg_enabled(const struct cg *cg);
/*
 * Enables controllers on the way from the root to the group. Costs one read when they already are.
 * -EOPNOTSUPP when the v2 tree lacks one, -EBUSY when a group on the way holds processes itself,
 * -EACCES when it is not delegated; the message names the controller and the remedy.
 */
int cg_enable(const struct cg *cg, unsigned int controllers, struct err *err);

#endif
