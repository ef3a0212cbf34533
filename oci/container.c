/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FREEZE_TIMEOUT_MS 10000

void container_warn(struct container *c, const char *fmt, ...)
{
	char **items = arena_calloc(&c->arena, c->warnings.count + 1, sizeof(*items));
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->warnings.count)
		memcpy(items, c->warnings.items, c->warnings.count * sizeof(*items));
	items[c->warnings.count++] = arena_strdup(&c->arena, text);
	c->warnings.items = items;
}

int container_open_within(int root_fd, const char *id, int lock_ms, struct container *ret_c,
			  struct err *err)
{
	struct container c = CONTAINER_INIT;
	int r;

	c.root_fd = root_fd;
	if (root_fd < 0)
		return err_set(err, ENOENT, "container \"%s\": container does not exist", id);
	c.locked = lock_ms;
	c.dir_fd = r = state_open(root_fd, id, lock_ms, err);
	if (r >= 0)
		r = state_load(c.dir_fd, &c.arena, &c.st, err);
	if (r < 0) {
		/* Claimed a moment ago, or being removed: not yet, or no longer, a container. */
		if (r == -ENOENT)
			err_set(err, ENOENT, "container \"%s\": container does not exist", id);
		else if (c.dir_fd >= 0)
			err_prefix(err, "container \"%s\"", id);
		container_close(&c);
		return r;
	}
	*ret_c = c;
	return 0;
}

int container_open(int root_fd, const char *id, bool lock, struct container *ret_c, struct err *err)
{
	return container_open_within(root_fd, id, lock ? -1 : 0, ret_c, err);
}

void container_close(struct container *c)
{
	network_abandon(&c->network);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	if (c->notify_fd >= 0)
		close(c->notify_fd);
	arena_done(&c->arena);
	*c = (struct container)CONTAINER_INIT;
}

int container_spec(struct container *c, struct err *err)
{
	size_t len;
	int r;

	if (c->spec)
		return 0;
	r = file_read(c->dir_fd, STATE_CONFIG, JSON_MAX_SIZE, &c->arena, &c->config, &len, err);
	if (r == 0)
		r = spec_parse(c->config, len, &c->arena, &c->spec, err);
	return r < 0 ? err_prefix(err, "container %s", c->st.id) : 0;
}

int container_cgroup(const struct container *c, struct cg_tree *ret_tree, struct cg *ret_cg,
		     struct err *err)
{
	int r;

	if (!c->st.cgroup_path)
		return err_set(err, ENOENT, "container %s has no cgroup", c->st.id);
	r = cg_tree_find(ret_tree, err);
	if (r < 0)
		return r;
	r = cg_open(ret_tree, c->st.cgroup_path, ret_cg, err);
	if (r < 0)
		cg_tree_close(ret_tree);
	return r;
}

static bool frozen(const struct container *c)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	struct err ignored;
	bool yes;

	if (container_cgroup(c, &tree, &cg, &ignored) < 0)
		return false;
	yes = cg_frozen(&cg) == 1;
	cg_tree_close(&tree);
	return yes;
}

/* Asked over a description of its own, as a lock belongs to one. */
static bool busy(const struct container *c)
{
	autofd fd = fd_open(c->dir_fd, ".", O_RDONLY | O_DIRECTORY);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* All but whether it is frozen, for which there is more to open. */
static enum status status_if_thawed(const struct container *c)
{
	struct stat st;

	if (c->st.init.pid && !proc_alive(&c->st.init))
		return STATUS_STOPPED;
	/* Its creator holds the lock while it lives; without one what is there is an orphan. */
	if (!c->st.made)
		return c->st.init.pid || (!c->locked && busy(c)) ? STATUS_CREATING : STATUS_STOPPED;
	if (fstatat(c->dir_fd, STATE_START_SOCKET, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return STATUS_CREATED;
	return STATUS_RUNNING;
}

/* Paused comes before created: a frozen init hears no start. */
static bool can_be_paused(enum status status)
{
	return status == STATUS_RUNNING || status == STATUS_CREATED;
}

enum status container_status(const struct container *c)
{
	enum status status = status_if_thawed(c);

	return can_be_paused(status) && frozen(c) ? STATUS_PAUSED : status;
}

enum status container_status_in(const struct container *c, const struct cg *cg)
{
	enum status status = status_if_thawed(c);

	return can_be_paused(status) && cg_frozen(cg) == 1 ? STATUS_PAUSED : status;
}

static int kill_all(struct container *c, int sig, struct err *err)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	struct cg_pids pids;
	int r = container_cgroup(c, &tree, &cg, err);

	if (r < 0)
		return r;
	if (sig == SIGKILL) {
		r = cg_kill(&cg, 0, err);
	} else {
		r = cg_pids(&cg, &c->arena, &pids, err);
		for (size_t i = 0; r == 0 && i < pids.count; i++)
			if (kill(pids.items[i], sig) < 0 && errno != ESRCH)
				r = err_errno(err, "signal process %d of container %s",
					      pids.items[i], c->st.id);
	}
	cg_tree_close(&tree);
	return r;
}

int container_kill(struct container *c, int sig, bool all, struct err *err)
{
	enum status status = container_status(c);
	int pidfd, r;

	if (all && c->st.cgroup_path && !proc_other_boot(&c->st.init))
		return kill_all(c, sig, err);
	if (status == STATUS_STOPPED)
		return all ? 0
			   : err_set(err, ESRCH, "container %s: container not running", c->st.id);
	/* Without a pid namespace the death of init ends nobody else. */
	if (sig == SIGKILL && !c->st.private_pids && c->st.cgroup_path)
		return kill_all(c, sig, err);
	pidfd = proc_open(&c->st.init);
	r = pidfd < 0 ? pidfd : proc_signal(pidfd, sig);
	if (pidfd >= 0)
		close(pidfd);
	if (r == -ESRCH)
		return err_set(err, ESRCH, "container %s: container not running", c->st.id);
	if (r < 0)
		return err_code(err, r, "signal container %s", c->st.id);
	/* A frozen process dies of SIGKILL in a v2 group; other signals wait for resume, as on a
	 * stopped process. */
	return 0;
}

static int freeze(struct container *c, bool on, struct err *err)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	int r = container_cgroup(c, &tree, &cg, err);

	if (r < 0)
		return r;
	r = on ? cg_freeze(&cg, FREEZE_TIMEOUT_MS, err) : cg_thaw(&cg, FREEZE_TIMEOUT_MS, err);
	cg_tree_close(&tree);
	return r;
}

int container_pause(struct container *c, struct err *err)
{
	enum status status = container_status(c);

	if (status == STATUS_PAUSED)
		return err_set(err, EINVAL, "container %s: cannot pause: it is paused already",
			       c->st.id);
	if (!can_be_paused(status))
		return err_set(err, EINVAL,
			       "container %s: cannot pause: container not running (it is %s)",
			       c->st.id, status_name(status));
	return freeze(c, true, err);
}

int container_resume(struct container *c, struct err *err)
{
	enum status status = container_status(c);

	if (status == STATUS_PAUSED)
		return freeze(c, false, err);
	if (status == STATUS_STOPPED)
		return err_set(err, ESRCH, "container %s: cannot resume: container not running",
			       c->st.id);
	return err_set(err, EINVAL, "container %s: cannot resume: it is not paused", c->st.id);
}
