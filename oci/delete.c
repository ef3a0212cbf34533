/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a container: processes, cgroup, what was lent to it, its state; in this order, each
 * named in the state. */
#include "oci/container.h"

#include "cgroups/watch.h"
#include "lib/cleanup.h"
#include "lib/tree.h"
#include "oci/hooks.h"
#include "oci/netdev.h"
#include "oci/owner.h"
#include "oci/rdt.h"
#include "oci/rootfs.h"
#include "oci/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

/* Each: for init to end, for the others, for the groups to go. */
#define END_TIMEOUT_MS 8000
#define LOCK_TRY_MS 100
#define LOCK_FORCED_MS 6000
/* For `tote events` to tell of the OOM kill that ended the container. */
#define WATCH_TIMEOUT_MS 100
/* The kernel tells systemd that a group is empty after 10 ms at most; a busy systemd is no faster
 * when asked. */
#define SCOPE_GOES_US 100000
#define SCOPE_NAP_US 500

/*
 * 1 when what is in the group is the container's to kill: the mark says so, or the container has been in
 * there. 0 when it is another's: create was killed after it named the group, or the other has joined it
 * since.
 */
static int is_ours(const struct container *c, const struct cg *cg, struct err *err)
{
	enum owner owner = owner_of(cg, c->dir_fd);

	if (owner == OWNER_DOUBT && c->st.init.pid)
		return err_set(
			err, EBUSY,
			"container %s: its cgroup %s carries the mark of another one; end what "
			"is in there and remove it",
			c->st.id, cg->path);
	if (owner >= OWNER_OTHER)
		return 0;
	return owner == OWNER_US || c->st.init.pid || cg_populated(cg) <= 0;
}

/* What is wrong with the group, end_cgroup() says. */
static void kill_group(const struct container *c)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	struct err ignored;

	if (proc_other_boot(&c->st.init) || container_cgroup(c, &tree, &cg, &ignored) < 0)
		return;
	if (is_ours(c, &cg, &ignored) == 1)
		cg_kill(&cg, 0, &ignored);
	cg_tree_close(&tree);
}

/* Returns its pidfd, or -ESRCH when it has gone by itself. */
static int kill_init(const struct container *c, struct err *err)
{
	autofd pidfd = proc_open(&c->st.init);
	int r = pidfd < 0 ? pidfd : proc_signal(pidfd, SIGKILL);

	if (r == 0)
		return take_fd(&pidfd);
	return r == -ESRCH ? r
			   : err_code(err, r, "kill process %d of container %s", c->st.init.pid,
				      c->st.id);
}

static int end_init(const struct container *c, struct err *err)
{
	autofd pidfd = kill_init(c, err);
	int r;

	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	/* Told before it is waited for: an init that hangs in the kernel keeps nobody alive. */
	kill_group(c);
	r = proc_wait_gone(pidfd, deadline_left(&c->deadline, END_TIMEOUT_MS));
	if (r == 0)
		return err_set(err, ETIMEDOUT,
			       "container %s: process %d survives SIGKILL (state D?)", c->st.id,
			       c->st.init.pid);
	return r < 0 ? r : 0;
}

/* systemd removes an empty scope by itself: mostly that spares a process and a talk on the bus. */
static bool group_goes(const struct container *c, const struct cg_tree *tree)
{
	const struct timespec nap = { .tv_nsec = SCOPE_NAP_US * 1000L };

	for (int us = 0; us < SCOPE_GOES_US; us += SCOPE_NAP_US) {
		if (cg_missing(tree, c->st.cgroup_path) > 0)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/*
 * Only by the name of a scope that had the container in it, as names are the same in all slices.
 * Before that it holds nothing but a process of create's, and goes with it.
 */
static int end_unit(const struct container *c, const struct cg_tree *tree, struct err *err)
{
	if (group_goes(c, tree) || !c->st.init.pid)
		return 0;
	return scope_stop(&c->st, deadline_left(&c->deadline, END_TIMEOUT_MS), err);
}

/* Everything in the group dies, which is more than init: a process that was moved in by exec
 * outlives no container. */
static int end_group(const struct container *c, const struct cg_tree *tree, const struct cg *cg,
		     struct err *err)
{
	int r = is_ours(c, cg, err);

	if (r <= 0)
		return r;
	r = cg_kill(cg, deadline_left(&c->deadline, END_TIMEOUT_MS), err);
	if (r == 0)
		watch_wait(cg, WATCH_TIMEOUT_MS);
	if (r == 0 && c->st.cgroup_levels == 0)
		owner_release(cg);
	if (r == 0 && c->st.unit)
		r = end_unit(c, tree, err);
	return r < 0 ? r
		     : cg_destroy(tree, c->st.cgroup_path, c->st.cgroup_levels,
				  deadline_left(&c->deadline, END_TIMEOUT_MS), err);
}

static int end_cgroup(const struct container *c, struct err *err)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	int r;

	/* After a reboot the name is free for anybody. */
	if (!c->st.cgroup_path || proc_other_boot(&c->st.init))
		return 0;
	r = cg_tree_find(&tree, err);
	if (r < 0)
		return r;
	r = cg_open(&tree, c->st.cgroup_path, &cg, err);
	if (r == 0)
		r = end_group(c, &tree, &cg, err);
	else if (r == -ENOENT)
		r = c->st.unit ? 0
			       : cg_destroy(&tree, c->st.cgroup_path, c->st.cgroup_levels,
					    deadline_left(&c->deadline, END_TIMEOUT_MS), err);
	cg_tree_close(&tree);
	return r;
}

static void poststop(struct container *c)
{
	autobuf text = BUF_INIT;
	struct json_writer w;
	struct err err;

	/* A container that never came to be had no hooks run, and owes none. */
	if (!c->st.made || container_spec(c, &err) < 0 || !c->spec->hooks.list[HOOK_POSTSTOP].count)
		return;
	json_writer_init(&w, &text, false);
	state_write_oci(&c->st, STATUS_STOPPED, 0, &w);
	json_writer_done(&w);
	if (hooks_run(c->spec, HOOK_POSTSTOP, c->st.bundle, buf_str(&text), &c->deadline, &err) < 0)
		container_warn(c, "%s", err.msg);
}

static int delete_all(struct container *c, struct err *err)
{
	struct err lost;
	int r;

	/* While its network namespace still exists. */
	if (netdev_take_back(&c->st, &c->deadline, &lost) < 0)
		container_warn(c, "%s", lost.msg);
	if (network_begin_removal(&c->network, &c->st, &lost) < 0)
		container_warn(c, "%s", lost.msg);
	r = end_init(c, err);
	if (r == 0)
		r = end_cgroup(c, err);
	if (network_await_freed(&c->network, &c->deadline, &lost) < 0)
		container_warn(c, "%s", lost.msg);
	if (r < 0)
		return r;
	rdt_remove(&c->st);
	poststop(c);
	if (c->st.names)
		tree_remove(AT_FDCWD, c->st.names);
	/* Its state goes last, as it tells where to find the rest. */
	if (c->st.store && c->st.store_container && !c->st.store_keep)
		r = rootfs_remove(c->st.store, c->st.store_container, err);
	return r < 0 ? r : state_remove(c->root_fd, c->st.id, err);
}

int container_delete(struct container *c, bool force, struct err *err)
{
	enum status status = container_status(c);
	struct err lost;
	int r;

	if (!force && status != STATUS_STOPPED && status != STATUS_CREATED)
		return err_set(err, EBUSY,
			       "cannot delete container %s that is not stopped: it is %s", c->st.id,
			       status_name(status));
	r = delete_all(c, err);
	if (network_end_removal(&c->network, &c->deadline, &lost) < 0)
		container_warn(c, "%s", lost.msg);
	return r;
}

int container_leave_network(struct container *c, struct err *err)
{
	int r = network_begin_removal(&c->network, &c->st, err);

	if (r == 0)
		r = network_end_removal(&c->network, &c->deadline, err);
	if (r < 0)
		return r;
	c->st.network = NULL;
	return state_save(c->dir_fd, &c->st, err);
}

static int end_at(const struct cg_tree *tree, const char *path, const struct deadline *deadline,
		  struct err *err)
{
	autocg cg = CG_INIT;
	int r = cg_open(tree, path, &cg, err);

	if (r == 0)
		r = cg_kill(&cg, deadline_left(deadline, END_TIMEOUT_MS), err);
	return r < 0 ? r : cg_destroy(tree, path, 1, deadline_left(deadline, END_TIMEOUT_MS), err);
}

/* What has a group is in the one that carries the container's mark. Where there are none, or not even a
 * tree, nothing of it runs: state_save() copies the state of what has no group. There is one, but for what
 * a hand has made of it. */
static int end_marked(const struct container *c, struct err *err)
{
	struct cg_tree tree;
	char path[PATH_MAX];
	int r = cg_tree_find(&tree, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((r = owner_find(&tree, c->dir_fd, &c->deadline, path, err)) > 0) {
		r = end_at(&tree, path, &c->deadline, err);
		if (r < 0 && r != -ENOENT)
			break;
	}
	cg_tree_close(&tree);
	return r;
}

/* Its directory is there, and no state that can be read. */
static int delete_unknown(struct container *c, const char *id, struct err *err)
{
	struct err why;

	if (state_load_copy(c->dir_fd, &c->arena, &c->st, &why) == 0)
		return container_delete(c, true, err);
	if (end_marked(c, &why) < 0)
		return err_set(err, -why.code,
			       "container %s: its state cannot be read, and what runs of it is not "
			       "known (%.200s): end that, then remove its directory",
			       id, why.msg);
	return state_remove(c->root_fd, id, err);
}

/* Never 0, which would be none. */
static int lock_left(const struct deadline *deadline)
{
	return 1 + deadline_left(deadline, LOCK_FORCED_MS);
}

static void kill_unlocked(int root_fd, const char *id)
{
	autocontainer c = CONTAINER_INIT;
	autofd pidfd = -1;
	struct err ignored;

	if (container_open(root_fd, id, false, &c, &ignored) < 0)
		return;
	pidfd = kill_init(&c, &ignored);
	kill_group(&c);
}

/* A command that holds the lock, waiting for a container that does not come to an end (a hook that hangs,
 * a frozen init), is helped by killing that. */
static int open_forced(int root_fd, const char *id, struct container *ret_c, struct err *err)
{
	struct deadline deadline =
		ret_c->deadline.at ? ret_c->deadline : deadline_in(CONTAINER_DELETE_MS);
	int r = container_open_within(root_fd, id, LOCK_TRY_MS, ret_c, err);

	if (r == -EBUSY) {
		kill_unlocked(root_fd, id);
		r = container_open_within(root_fd, id, lock_left(&deadline), ret_c, err);
	}
	ret_c->deadline = deadline;
	return r;
}

int container_delete_any(int root_fd, const char *id, struct container *ret_c, struct err *err)
{
	int r = open_forced(root_fd, id, ret_c, err);

	if (r == 0)
		return container_delete(ret_c, true, err);
	if (r != -ENOENT && r != -EINVAL)
		return r;
	ret_c->root_fd = root_fd;
	ret_c->dir_fd = root_fd < 0 ? -1
				    : state_open(root_fd, id, lock_left(&ret_c->deadline),
						 &(struct err){ 0 });
	if (ret_c->dir_fd < 0)
		return r == -ENOENT ? 0 : r;
	ret_c->locked = true;
	if (r == -EINVAL)
		container_warn(ret_c,
			       "%s: only what ran of it is removed: tote gc and tote network "
			       "repair see to the rest",
			       err->msg);
	return delete_unknown(ret_c, id, err);
}
