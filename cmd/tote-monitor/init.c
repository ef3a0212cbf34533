/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/monitor.h"

#include "cgroups/stats.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/container.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#define FREEZE_MS 2000
/* How long whoever is the parent of an init that is not our child may take to reap it. */
#define REAPED_MS 5000
#define REAPED_LOOK_MS 20

/* What PIDFD_GET_INFO fills in its first form (linux/pidfd.h; exit_code: Linux 6.15). */
struct pidfd_facts {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code; /* as of wait(2) */
};
#define PIDFD_FACTS _IOWR(0xff, 11, struct pidfd_facts)
#define PIDFD_FACTS_EXIT (1 << 3)

static int open_root(const struct monitor *m)
{
	int fd = fd_open(AT_FDCWD, m->o->root, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? -errno : fd;
}

int init_take(struct monitor *m, struct err *err)
{
	autoarena a = ARENA_INIT;
	autofd root = open_root(m);
	struct state st = { 0 };
	int r = root < 0 ? err_code(err, root, "open %s", m->o->root)
			 : state_peek(root, m->o->id, &a, &st, err);

	if (r < 0)
		return r;
	if (!st.made || st.init.pid <= 0)
		return err_set(err, ESRCH, "%s was not made whole", m->o->id);
	m->status.init = st.init;
	m->private_pids = st.private_pids;
	free(m->cgroup);
	m->cgroup = st.cgroup_path ? strdup(st.cgroup_path) : NULL;
	/* -ESRCH: a zombie. Of ours: then its status comes at once. */
	m->init_fd = proc_open(&st.init);
	if (m->init_fd < 0 && m->init_fd != -ESRCH)
		return err_code(err, m->init_fd, "open the process of %s", m->o->id);
	return 0;
}

int init_status(struct monitor *m, struct err *err)
{
	autofd root = open_root(m);
	autocontainer c = CONTAINER_INIT;
	int r = root < 0 ? err_code(err, root, "open %s", m->o->root)
			 : container_open(root, m->o->id, false, &c, err);

	return r < 0 ? r : (int)container_status(&c);
}

void init_reaped(struct monitor *m, int status)
{
	if (m->init_ended)
		return;
	m->init_ended = true;
	m->init_status = status;
	monitor_tell(m, ME_ENDED);
}

bool init_exit_is_there(const struct monitor *m)
{
	autoarena a = ARENA_INIT;
	struct instance_exit e;
	struct err ignored;

	return instance_read_exit(m->dir_fd, &a, &e, &ignored) == 0 && e.run == m->status.run;
}

/* The kernel keeps the status with the pidfd from when init is reaped on. */
static void look_for_status(struct loop_timer *timer)
{
	struct monitor *m = container_of(timer, struct monitor, init_gone);
	struct pidfd_facts facts = { .mask = PIDFD_FACTS_EXIT };

	if (ioctl(m->init_fd, PIDFD_FACTS, &facts) == 0 && facts.mask & PIDFD_FACTS_EXIT)
		init_reaped(m, facts.exit_code);
	else if (init_exit_is_there(m) || loop_now() >= m->init_patience)
		init_reaped(m, -1);
	else
		loop_timer_set(&m->loop, timer, REAPED_LOOK_MS, look_for_status);
}

static void init_ready(struct loop_source *source, uint32_t events)
{
	struct monitor *m = container_of(source, struct monitor, init);

	(void)events;
	loop_remove(&m->loop, source);
	m->init_patience = loop_now() + REAPED_MS;
	look_for_status(&m->init_gone);
}

int init_watch(struct monitor *m, struct err *err)
{
	int r = loop_add(&m->loop, &m->init, m->init_fd, EPOLLIN, init_ready);

	return r < 0 ? err_code(err, r, "watch the process of %s", m->o->id) : 0;
}

int init_signal(struct monitor *m, int sig)
{
	return m->init_fd < 0 ? -ESRCH : proc_signal(m->init_fd, sig);
}

static int open_cgroup(const struct monitor *m, struct cg_tree *tree, struct cg *cg,
		       struct err *err)
{
	int r;

	if (!m->cgroup)
		return err_set(err, EOPNOTSUPP, "the container has no cgroup of its own");
	r = cg_tree_find(tree, err);
	if (r < 0)
		return r;
	r = cg_open(tree, m->cgroup, cg, err);
	if (r < 0)
		cg_tree_close(tree);
	return r;
}

void init_kill_all(struct monitor *m)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	struct err ignored;

	init_signal(m, SIGKILL);
	if (m->private_pids || open_cgroup(m, &tree, &cg, &ignored) < 0)
		return;
	cg_kill(&cg, 0, &ignored);
	cg_tree_close(&tree);
}

int init_freeze(struct monitor *m, bool freeze, struct err *err)
{
	struct cg_tree tree;
	autocg cg = CG_INIT;
	int r = open_cgroup(m, &tree, &cg, err);

	if (r < 0)
		return r;
	r = freeze ? cg_freeze(&cg, FREEZE_MS, err) : cg_thaw(&cg, FREEZE_MS, err);
	cg_tree_close(&tree);
	return r;
}

uint64_t init_oom_kills(struct monitor *m)
{
	autoarena a = ARENA_INIT;
	struct cg_tree tree;
	autocg cg = CG_INIT;
	struct cg_stats stats;
	struct err ignored;
	uint64_t kills = 0;

	if (open_cgroup(m, &tree, &cg, &ignored) < 0)
		return 0;
	if (stats_read_some(&cg, STATS_OOM, NULL, &a, &stats, &ignored) == 0 &&
	    stats.memory.oom_kills.set)
		kills = stats.memory.oom_kills.value;
	cg_tree_close(&tree);
	return kills;
}
