/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec.h"

#include "lib/bitlist.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/caps.h"
#include "oci/idmap.h"
#include "oci/launch.h"
#include "oci/listener.h"
#include "oci/probe.h"
#include "oci/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

struct entering {
	struct container *c;
	const struct exec_opts *opts;
	struct plan plan;
	struct launch launch;
	struct plan_join joins[NS_KINDS];
	size_t join_count;
	struct cg_tree tree;
	struct cg cg;
};

static int check_status(struct container *c, const struct exec_opts *o, struct err *err)
{
	enum status status = container_status(c);

	if (status == STATUS_PAUSED && !o->ignore_paused)
		return err_set(err, EBUSY,
			       "container %s: cannot exec in a paused container (--ignore-paused "
			       "waits for resume)",
			       c->st.id);
	if (status == STATUS_STOPPED || status == STATUS_CREATING)
		return err_set(err, ESRCH, "container %s: container not running", c->st.id);
	return container_spec(c, err);
}

/*
 * The namespaces that the container has of its own are those of init. They are opened by its
 * number, so its identity is held here and looked at again after that.
 */
static int name_namespaces(struct entering *en, struct err *err)
{
	struct container *c = en->c;

	en->launch.identity = proc_open(&c->st.init);
	if (en->launch.identity < 0)
		return err_set(err, ESRCH, "container %s: container not running", c->st.id);
	for_each (ns, &c->spec->linux_.namespaces) {
		enum ns_kind kind = (enum ns_kind)ns->type;

		en->joins[en->join_count++] =
			(struct plan_join){ kind,
					    arena_printf(&c->arena, "/proc/%d/ns/%s",
							 c->st.init.pid, ns_kind_file(kind)) };
	}
	return 0;
}

/*
 * A container whose init manages groups of its own (systemd) has enabled controllers in its top
 * group, which then may hold no process: the new one goes where init is.
 */
static int use_cgroup_of_init(struct entering *en, struct err *err)
{
	const struct state *st = &en->c->st;
	char path[PATH_MAX];
	int r = cg_path_of(st->init.pid, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (!file_is_within(path, st->cgroup_path))
		return err_set(err, EXDEV, "process %d of container %s has left its cgroup %s",
			       st->init.pid, st->id, st->cgroup_path);
	cg_done(&en->cg);
	return cg_open(&en->tree, path, &en->cg, err);
}

/* The container's own group is looked at by check_status(); those below it may be frozen from inside. */
static int check_group_runs(const struct entering *en, struct err *err)
{
	const struct state *st = &en->c->st;

	if (en->opts->ignore_paused || strcmp(en->cg.path, st->cgroup_path) == 0 ||
	    cg_frozen(&en->cg) != 1)
		return 0;
	return err_set(err, EBUSY,
		       "container %s: cannot exec in cgroup %s, which is frozen (--ignore-paused "
		       "waits until it is not)",
		       st->id, en->cg.path);
}

static int open_cgroup(struct entering *en, struct err *err)
{
	const char *sub = en->opts->cgroup;
	const char *path;
	int r;

	if (!en->c->st.cgroup_path)
		return sub ? err_set(err, ENOENT, "--cgroup: container %s has no cgroup",
				     en->c->st.id)
			   : 0;
	r = cg_tree_find(&en->tree, err);
	if (r < 0)
		return r;
	path = arena_printf(&en->c->arena, "%s/%s", en->c->st.cgroup_path, sub ? sub : "");
	r = cg_open(&en->tree, path, &en->cg, err);
	if (r == 0 && cg_inner(&en->cg) == 1)
		r = sub ? err_set(err, EBUSY,
				  "--cgroup %s: that group hands controllers on to its children "
				  "and may hold no processes itself; name a group below it",
				  sub)
			: use_cgroup_of_init(en, err);
	if (r == 0)
		r = check_group_runs(en, err);
	if (r == 0)
		r = scope_reach(&en->c->st, &en->tree, en->cg.path, err);
	if (r == 0)
		en->launch.cgroup_fd = en->cg.fd;
	en->launch.ooms = launch_ooms(en->launch.cgroup_fd);
	return r;
}

/* What a description of a process leaves out is as the container's own has it. */
static void inherit(struct spec_process *p, const struct spec_process *own)
{
	if (!own)
		return;
	if (!p->capabilities)
		p->capabilities = own->capabilities;
	if (!p->rlimits.count)
		p->rlimits = own->rlimits;
	if (!p->apparmor_profile || !p->apparmor_profile[0])
		p->apparmor_profile = own->apparmor_profile;
	if (!p->selinux_label || !p->selinux_label[0])
		p->selinux_label = own->selinux_label;
	if (!p->oom_score_adj.set)
		p->oom_score_adj = own->oom_score_adj;
}

static int build(struct entering *en, struct err *err)
{
	struct spec *spec = en->c->spec;
	struct spec_process *p = en->opts->process;
	struct plan_opts opts = {
		.id = en->c->st.id,
		.bundle = en->c->st.bundle,
		.announced = en->opts->ret_pid != NULL,
		.caps_missing = ~caps_effective(),
		.preserve_fds = en->opts->preserve_fds,
		.joins = en->joins,
		.join_count = en->join_count,
		.config = en->c->config,
		.seccomp_cache = -1,
	};
	autofd root = -1, cache = -1;
	char path[64];
	int r;

	inherit(p, spec->process);
	r = probe_process(p, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%d", en->c->st.init.pid);
	opts.no_setgroups = idmap_setgroups_denied(path);
	snprintf(path, sizeof(path), "/proc/%d/root", en->c->st.init.pid);
	root = fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
	/* The plan outlives this function. */
	opts.exec_root = arena_strdup(&en->c->arena, path);
	process_add_home(p, root, &en->c->arena);
	if (spec->linux_.seccomp && !spec->linux_.seccomp->builtin)
		cache = fd_open(en->c->root_fd, STATE_CACHE_DIR,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	opts.seccomp_cache = cache;
	return plan_build_exec(spec, p, &opts, &en->c->arena, &en->plan, err);
}

/* config.md, "execCPUAffinity": where the process begins, before it is in the container's cgroup.
 */
static void set_initial_affinity(const struct spec_process *p)
{
	unsigned long mask[BITLIST_MAX / CHAR_BIT / sizeof(unsigned long)];

	if (p->exec_cpu_affinity && p->exec_cpu_affinity->initial &&
	    bitlist_parse(p->exec_cpu_affinity->initial, mask) > 0)
		syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask);
}

static int run(struct entering *en, struct err *err)
{
	const struct exec_opts *o = en->opts;
	struct launch *l = &en->launch;
	int r;

	l->siblings = o->siblings;
	if (!en->plan.terminal)
		idmap_lend_pipes(&en->c->spec->linux_);
	r = launch_begin(l, err);

	if (r == 0 && en->plan.host_work) {
		r = launch_until(l, SYNC_HOST, err);
		if (r == 0)
			r = launch_tell(l, SYNC_HOST_DONE, err);
	}
	if (r == 0 && en->plan.terminal)
		r = launch_until(l, SYNC_TERMINAL, err);
	if (r == 0 && en->plan.listener)
		r = launch_until(l, SYNC_LISTENER, err);
	if (r == 0)
		r = listener_hand_over(en->c->spec->linux_.seccomp, &en->c->st,
				       container_status(en->c), l->pid, l->listener, err);
	if (r == 0 && o->console_socket) {
		r = send_fd_to_socket(o->console_socket, "/dev/pts/ptmx", l->terminal, err);
		close(l->terminal);
		l->terminal = -1;
	}
	if (r == 0 && en->plan.ready)
		r = launch_until(l, SYNC_READY, err);
	if (r == 0 && o->pidfd_socket)
		r = send_fd_to_socket(o->pidfd_socket, "pidfd", l->pidfd, err);
	if (r == 0 && o->ret_pid)
		*o->ret_pid = l->pid;
	if (r == 0)
		r = launch_release(l, err);
	if (r == 0)
		r = launch_until(l, 0, err);
	/* Last: whoever waits for the pid file takes it for a process that was started. */
	if (r == 0 && o->pid_file)
		r = write_pid_file(o->pid_file, l->pid, err);
	if (r < 0) {
		launch_kill(l);
		if (o->ret_pid)
			*o->ret_pid = 0;
	}
	return r;
}

int container_exec(struct container *c, const struct exec_opts *opts, int *ret_pidfd,
		   int *ret_terminal, struct err *err)
{
	struct entering en = { .c = c, .opts = opts, .tree = { .fd = -1 }, .cg = CG_INIT };
	int r = check_status(c, opts, err);

	launch_init(&en.launch, &en.plan);
	if (r == 0 && opts->console_socket && !opts->process->terminal)
		r = err_set(err, EINVAL, "--console-socket: there is no terminal to send (--tty)");
	if (r == 0)
		r = name_namespaces(&en, err);
	if (r == 0)
		r = open_cgroup(&en, err);
	if (r == 0)
		r = build(&en, err);
	if (r == 0) {
		set_initial_affinity(opts->process);
		r = run(&en, err);
	}
	if (r == 0) {
		*ret_pidfd = take_fd(&en.launch.pidfd);
		*ret_terminal = take_fd(&en.launch.terminal);
		for_each (w, &en.plan.warnings)
			container_warn(c, "%s", *w);
	}
	launch_done(&en.launch);
	cg_done(&en.cg);
	cg_tree_close(&en.tree);
	return r;
}
