/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"

#include "cgroups/cg.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "oci/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OOM_UNCHANGED 9999
#define LISTENER_TRIES 2000 /* at a millisecond each: loading a filter takes far less */

void launch_init(struct launch *l, const struct plan *plan)
{
	*l = (struct launch){
		.plan = plan,
		.cgroup_fd = -1,
		.start_fd = -1,
		.identity = -1,
		.oom_score_adj = OOM_UNCHANGED,
		.userns_fd = -1,
		.netns_fd = -1,
		.pidfd = -1,
		.sync = -1,
		.child_sync = -1,
		.hook_state = -1,
		.terminal = -1,
		.listener = -1,
		.sp = { .root_fd = -1,
			.init_fd = -1,
			.plan_fd = -1,
			.sync_fd = -1,
			.cgroup_fd = -1 },
	};
}

/* What the child has got is of no more use to us. */
static void close_child_fds(struct launch *l)
{
	for_each (s, &l->plan->steps)
		if (s->op == STEP_BIND || s->op == STEP_ENTER || s->op == STEP_CHROOT ||
		    s->op == STEP_ROOT)
			drop_fd(&s->fd);
	drop_fd(&l->sp.root_fd);
	drop_fd(&l->sp.init_fd);
	drop_fd(&l->sp.plan_fd);
	drop_fd(&l->child_sync);
}

/*
 * Inherited, not written for the child: that may be in a user namespace without the privilege, and
 * its files in /proc are not its user's. Ours is restored at the end, when the child no longer
 * shares our memory: the kernel gives a new score to all that do.
 */
static int set_oom_score(struct launch *l, struct err *err)
{
	char text[16];
	int r;

	if (!l->plan->oom_score_adj.set)
		return 0;
	if (file_peek(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) < 0)
		return err_errno(err, "read oom_score_adj");
	r = (int)strtol(text, NULL, 10);
	if (r == l->plan->oom_score_adj.value)
		return 0;
	l->oom_score_adj = r;
	snprintf(text, sizeof(text), "%d", l->plan->oom_score_adj.value);
	r = file_poke(AT_FDCWD, "/proc/self/oom_score_adj", text);
	return r < 0 ? err_code(err, r, "set oom_score_adj to %s", text) : 0;
}

static void restore_oom_score(struct launch *l)
{
	char text[16];

	if (l->oom_score_adj == OOM_UNCHANGED)
		return;
	snprintf(text, sizeof(text), "%d", l->oom_score_adj);
	file_poke(AT_FDCWD, "/proc/self/oom_score_adj", text);
	l->oom_score_adj = OOM_UNCHANGED;
}

void launch_done(struct launch *l)
{
	restore_oom_score(l);
	close_child_fds(l);
	drop_fd(&l->netns_fd);
	drop_fd(&l->pidfd);
	drop_fd(&l->sync);
	drop_fd(&l->identity);
	drop_fd(&l->hook_state);
	drop_fd(&l->terminal);
	drop_fd(&l->listener);
	arena_done(&l->arena);
}

static int apply_attributes(int tree, const struct step *s, int userns)
{
	struct mount_attr all = { .attr_set = s->arg[2], .attr_clr = s->arg[3] };
	struct mount_attr top = { .attr_set = s->arg[0], .attr_clr = s->arg[1] };

	if ((all.attr_set | all.attr_clr) & MOUNT_ATTR__ATIME)
		all.attr_clr |= MOUNT_ATTR__ATIME;
	if ((top.attr_set | top.attr_clr) & MOUNT_ATTR__ATIME)
		top.attr_clr |= MOUNT_ATTR__ATIME;
	if (s->arg[4]) {
		struct mount_attr p = { .propagation = s->arg[4] & ~(uint64_t)MS_REC };

		if (mount_setattr(tree, "", AT_EMPTY_PATH | (s->arg[4] & MS_REC ? AT_RECURSIVE : 0),
				  &p, sizeof(p)) < 0)
			return -errno;
	}
	if (userns >= 0) {
		struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP,
					  .userns_fd = (uint64_t)userns };

		if (mount_setattr(tree, "", AT_EMPTY_PATH | (s->idmap_recursive ? AT_RECURSIVE : 0),
				  &map, sizeof(map)) < 0)
			return -errno;
	}
	if ((all.attr_set || all.attr_clr) &&
	    mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0)
		return -errno;
	if ((top.attr_set || top.attr_clr) &&
	    mount_setattr(tree, "", AT_EMPTY_PATH, &top, sizeof(top)) < 0)
		return -errno;
	return 0;
}

/* The user namespace that holds the mappings of a mount (may be NULL): its own, else those of the
 * container's. */
static int mapping_namespace(const struct launch *l, const struct spec_mount *m, struct err *err)
{
	if (m && m->uid_mappings.count)
		return idmap_namespace(&m->uid_mappings, &m->gid_mappings, err);
	if (l->userns_fd >= 0) {
		int fd = fcntl(l->userns_fd, F_DUPFD_CLOEXEC, 0);

		return fd < 0 ? err_errno(err, "duplicate a descriptor") : fd;
	}
	for_each (s, &l->plan->steps) {
		if (s->op == STEP_ENTER && s->arg[0] == CLONE_NEWUSER) {
			int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

			return fd < 0 ? err_errno(err, "duplicate a descriptor") : fd;
		}
	}
	return idmap_namespace(l->plan->uid_mappings, l->plan->gid_mappings, err);
}

/* A user namespace gets the host's node, which must be the device that was asked for. */
static int check_node(const struct step *s, struct err *err)
{
	struct stat st;

	if (stat(s->source, &st) < 0)
		return err_errno(err, "device %s", s->source);
	if ((st.st_mode & S_IFMT) != s->node_type || st.st_rdev != s->node)
		return err_set(err, EINVAL,
			       "device %s: the host's node is another device (%u:%u), and a user "
			       "namespace cannot make one",
			       s->source, major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

static int open_bind(const struct launch *l, struct step *s, struct err *err)
{
	const struct spec_mount *m = s->idmap;
	autofd userns = -1, tree = -1;
	int r;

	tree = open_tree(AT_FDCWD, s->source,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				 (s->flags & STEP_RECURSIVE ? AT_RECURSIVE : 0));
	/* Root of a user namespace may not do this in its parent's mount namespace; tote-init can,
	 * in one of its own. */
	if (tree < 0 && errno == EPERM && !m) {
		s->flags &= ~(unsigned int)STEP_ON_HOST;
		return 0;
	}
	if (tree < 0)
		return err_errno(err, "bind %s on %s", s->source, s->path);
	if (m) {
		userns = mapping_namespace(l, m, err);
		if (userns < 0)
			return err->code;
	}
	r = apply_attributes(tree, s, userns);
	if (r == -ENOSYS)
		return err_set(err, ENOSYS,
			       "bind %s on %s: kernel lacks mount_setattr (needs Linux >= 5.12)",
			       s->source, s->path);
	if (r < 0)
		return err_code(err, r, "set the attributes of %s on %s", s->source, s->path);
	s->fd = take_fd(&tree);
	return 0;
}

/* Like a bind mount: what the host refuses to a user namespace, tote-init can do in its own. */
static int open_layers(const struct launch *l, struct step *s, struct err *err)
{
	autofd userns = -1;

	if (s->rootfs->tree >= 0) {
		s->fd = fcntl(s->rootfs->tree, F_DUPFD_CLOEXEC, 0);
		return s->fd < 0 ? err_errno(err, "duplicate a descriptor") : 0;
	}
	if (l->plan->user_ns)
		userns = mapping_namespace(l, NULL, err);
	if (l->plan->user_ns && userns < 0)
		return err->code;
	s->fd = rootfs_open(s->rootfs, userns, s->simple, err);
	if (s->fd == -EPERM) {
		s->flags &= ~(unsigned int)STEP_ON_HOST;
		return 0;
	}
	if (s->fd < 0)
		return err_prefix(err, "root file system");
	/* tote-init has no use for them now. */
	s->data = NULL;
	s->data_len = 0;
	return 0;
}

static void keep(struct launch *l, int fd)
{
	l->keep[l->sp.keep_count++] = fd;
}

static int open_steps(struct launch *l, struct err *err)
{
	l->keep = arena_calloc(&l->arena, l->plan->steps.count + 2, sizeof(*l->keep));
	l->sp.keep = l->keep;
	for_each (s, &l->plan->steps) {
		int r = s->node ? check_node(s, err) : 0;

		if (r < 0)
			return r;
		if ((s->op == STEP_BIND || s->op == STEP_ROOT) && s->flags & STEP_ON_HOST) {
			r = s->op == STEP_ROOT ? open_layers(l, s, err) : open_bind(l, s, err);
			if (r < 0)
				return r;
			if (s->fd >= 0)
				keep(l, s->fd);
		} else if (s->op == STEP_ENTER) {
			s->fd = fd_open(AT_FDCWD, s->path, O_RDONLY);
			if (s->fd < 0)
				return err_errno(err, "open the %s namespace %s", s->type, s->path);
			keep(l, s->fd);
		} else if (s->op == STEP_CHROOT) {
			s->fd = fd_open(AT_FDCWD, s->path, O_PATH | O_DIRECTORY);
			if (s->fd < 0)
				return err_errno(err, "open the root %s", s->path);
			keep(l, s->fd);
		} else if (s->op == STEP_CLOSE) {
			l->sp.close_from = (unsigned int)s->arg[0];
		} else if (s->op == STEP_START) {
			s->fd = l->start_fd;
			keep(l, s->fd);
		} else if (s->op == STEP_HOOK) {
			if (l->hook_state < 0) {
				l->hook_state = memfd_create("state", MFD_CLOEXEC);
				if (l->hook_state < 0)
					return err_errno(err, "make a memfd for the hooks");
				keep(l, l->hook_state);
			}
			s->fd = l->hook_state;
		}
	}
	return 0;
}

static int open_root(struct launch *l, struct err *err)
{
	if (!l->plan->root)
		return 0;
	l->sp.root_fd = fd_open(AT_FDCWD, l->plan->root, O_PATH | O_DIRECTORY);
	if (l->sp.root_fd < 0)
		return err_errno(err, "open root file system %s", l->plan->root);
	return 0;
}

static int open_plan(struct launch *l, struct err *err)
{
	autobuf wire = BUF_INIT;
	int r;

	plan_encode(l->plan, l->sp.sync_fd, &wire);
	l->sp.plan_fd = memfd_create("plan", MFD_CLOEXEC);
	if (l->sp.plan_fd < 0)
		return err_errno(err, "make a memfd for the plan");
	r = fd_write_full(l->sp.plan_fd, wire.data, wire.len);
	if (r == 0 && lseek(l->sp.plan_fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_code(err, r, "write the plan") : 0;
}

static int open_all(struct launch *l, struct err *err)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	l->sync = pair[0];
	l->sp.sync_fd = l->child_sync = pair[1];
	r = open_root(l, err);
	if (r == 0)
		r = open_steps(l, err);
	if (r == 0)
		r = open_plan(l, err);
	if (r == 0)
		r = l->sp.init_fd = spawn_init_fd(err);
	return r < 0 ? r : 0;
}

static int set_rlimits(const struct launch *l, struct err *err)
{
	if (!l->plan->host_rlimits)
		return 0;
	for_each (limit, &l->plan->host_rlimits->rlimits) {
		struct rlimit64 value = { limit->soft, limit->hard };

		if (prlimit64(l->pid, (enum __rlimit_resource)limit->resource, &value, NULL) < 0)
			return err_errno(err, "set %s", limit->type);
	}
	return 0;
}

static void await_end(struct launch *l)
{
	if (l->siblings) {
		proc_wait_gone(l->pidfd, -1);
		siblings_add(l->siblings, l->pid);
	} else {
		proc_wait(l->pidfd);
	}
	drop_fd(&l->pidfd);
}

/* Its successor has the same parent (CLONE_PARENT), and is the process that is meant from now on. */
static int take_child(struct launch *l, const struct sync_msg *m, int pidfd)
{
	await_end(l);
	l->pid = m->value;
	l->pidfd = pidfd;
	return 0;
}

int launch_tell(struct launch *l, enum sync_what what, struct err *err)
{
	struct sync_msg m = { .what = (uint16_t)what };
	int r = fd_send_message(l->sync, &m, sizeof(m));

	return r == 0 || r == -EPIPE || r == -ECONNRESET ? 0
							 : err_code(err, r, "speak to tote-init");
}

static int program_failed(const struct step *s, int code, struct err *err)
{
	if (code == -ENOENT && !strchr(s->path, '/'))
		return err_set(err, ENOENT, "exec: \"%s\": executable file not found in $PATH",
			       s->path);
	return err_code(err, code, "exec: \"%s\"", s->path);
}

/* The newest system call that a step makes, where that is newer than what the clone itself needs.
 */
static const char *needed_kernel(enum step_op op)
{
	switch (op) {
	case STEP_ROOT:
	case STEP_MOUNT:
	case STEP_BIND:
	case STEP_REMOUNT:
	case STEP_MASK:
	case STEP_READONLY:
	case STEP_ROOT_READONLY:
		return "5.12"; /* mount_setattr */
	case STEP_CLOSE:
		return "5.9"; /* close_range */
	default:
		return "5.7"; /* clone3 into a cgroup, openat2 */
	}
}

int launch_failed(const struct plan *plan, const struct sync_msg *m, struct err *err)
{
	const char *early = spawn_step_text(m->step);
	autobuf text = BUF_INIT;
	const struct step *s;

	if (early)
		return err_code(err, m->value, "%s", early);
	if (m->step >= plan->steps.count)
		return err_set(err, EPROTO, "tote-init reported an unknown step %u", m->step);
	s = &plan->steps.items[m->step];
	if (s->op == STEP_FIND_PROGRAM || s->op == STEP_EXEC)
		return program_failed(s, m->value, err);
	step_text(s, &text);
	if (s->rootfs && m->value == -EPERM)
		return err_set(err, EPERM,
			       "%s: this kernel lets no user namespace do that (needs Linux >= "
			       "5.11)",
			       buf_str(&text));
	if (m->value < -HOOK_FAILED)
		return err_set(err, EIO, "%s: ended with code %d", buf_str(&text),
			       -m->value - HOOK_FAILED);
	if (m->value == -ENOSYS)
		return err_set(err, ENOSYS, "%s: this kernel lacks it (needs Linux >= %s)",
			       buf_str(&text), needed_kernel(s->op));
	return err_code(err, m->value, "%s", buf_str(&text));
}

/* The filter may already forbid the child to speak, so its new descriptor is taken from outside
 * (Linux 5.6). */
static int fetch_listener(struct launch *l, int number, struct err *err)
{
	for (int i = 0; i < LISTENER_TRIES; i++) {
		int fd = (int)syscall(SYS_pidfd_getfd, l->pidfd, number, 0);

		if (fd >= 0) {
			l->listener = fd;
			return 0;
		}
		if (errno != EBADF)
			return err_errno(err, "fetch the seccomp listener");
		usleep(1000);
	}
	return err_set(err, ETIMEDOUT,
		       "fetch the seccomp listener: the filter was not loaded in time");
}

uint64_t launch_ooms(int cgroup_fd)
{
	/* Not oom_kill: where nobody may be killed, allocations fail. */
	return cgroup_fd < 0 ? 0 : cg_counter(cgroup_fd, "memory.events", "oom ");
}

static bool ran_out_of_memory(const struct launch *l)
{
	return launch_ooms(l->cgroup_fd) > l->ooms;
}

/* The likeliest reason of an end without a word, for its message: a limit that leaves no room. */
static const char *memory_text(const struct launch *l)
{
	return ran_out_of_memory(l) ? "; its cgroup ran out of memory" : "";
}

static int failed(const struct launch *l, const struct sync_msg *m, struct err *err)
{
	int r = launch_failed(l->plan, m, err);

	/* execve(2) that finds no memory for its stack says that the arguments are too long. */
	return (m->value == -ENOMEM || m->value == -E2BIG) && ran_out_of_memory(l)
		       ? err_prefix(err, "its cgroup ran out of memory")
		       : r;
}

/*
 * The child closed its end without a word. With the program running that is what execve does; a
 * child that was killed meanwhile (by an OOM, by `kill`) has run nothing, but ended as programs
 * end, and its exit code tells so.
 */
static int take_message(struct launch *l, const struct sync_msg *m, int fd, struct err *err)
{
	switch (m->what) {
	case SYNC_CHILD:
		return take_child(l, m, fd);
	case SYNC_TERMINAL:
		l->terminal = fd;
		return 0;
	case SYNC_LISTENER:
		return fetch_listener(l, m->value, err);
	case SYNC_FAILED:
		return failed(l, m, err);
	default:
		return 0;
	}
}

/* Takes one message: 1, or 0 at the end of the conversation. */
static int hear(struct launch *l, struct err *err)
{
	struct sync_msg m = { 0 };
	int fd = -1, r;
	ssize_t n;

	do {
		n = fd_recv(l->sync, &m, sizeof(m), &fd);
		/* It ended with a message of ours unread; what it said before is still to be read,
		 * then the end. */
	} while (n == -ECONNRESET);
	if (n <= 0)
		return n < 0 ? err_code(err, (int)n, "hear from tote-init") : 0;
	r = take_message(l, &m, fd, err);
	if (r < 0)
		return r;
	l->seen |= m.what < 32 ? 1u << m.what : 0;
	return 1;
}

/* A message may come before it is asked for: the stage and its successor speak over the same
 * socket. */
int launch_until(struct launch *l, enum sync_what what, struct err *err)
{
	while (!what || !(l->seen & 1u << what)) {
		int r = hear(l, err);

		if (r == 0 && what)
			return err_set(err, ECHILD,
				       "the container's process ended before it was ready%s",
				       memory_text(l));
		if (r <= 0)
			return r;
	}
	return 0;
}

/*
 * A stage that was killed before it could name its successor leaves one that waits for us, as we
 * would for it: so the stage itself is watched as well. The successor ends when our end of the
 * socket closes. It may also fail before the stage has come to name it: then its name is still to
 * be heard, as a dead one that nobody reaps keeps its pid namespace from ending.
 */
static int await_successor(struct launch *l, struct err *err)
{
	int failed = 0;

	while (!(l->seen & 1u << SYNC_CHILD)) {
		/* Looked at in this order: what it said before its end is there then. */
		struct pollfd p[] = { { .fd = l->pidfd, .events = POLLIN },
				      { .fd = l->sync, .events = POLLIN } };
		int r;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, "wait for tote-init");
		}
		r = p[1].revents ? hear(l, err) : 0;
		if (r <= 0 && failed)
			return failed;
		if (r == 0)
			return err_set(
				err, ECHILD,
				"the process that enters the namespaces ended before its time%s",
				memory_text(l));
		if (r < 0)
			failed = r;
	}
	return failed;
}

void launch_kill(struct launch *l)
{
	if (l->pidfd < 0)
		return;
	proc_signal(l->pidfd, SIGKILL);
	await_end(l);
}

static int map_ids(struct launch *l, struct err *err)
{
	int r;

	if (!l->plan->new_user_ns || l->userns_fd >= 0)
		return 0;
	r = idmap_write(l->pid, l->plan->uid_mappings, l->plan->gid_mappings, err);
	return r == 0 ? launch_tell(l, SYNC_MAPPED, err) : r;
}

int launch_begin(struct launch *l, struct err *err)
{
	const struct plan *plan = l->plan;
	int r = open_all(l, err);

	if (r == 0 && l->identity >= 0 && proc_signal(l->identity, 0) < 0)
		r = err_set(err, ESRCH, "container not running (it ended meanwhile)");
	if (r == 0)
		r = set_oom_score(l, err);
	if (r < 0)
		return r;
	l->sp.clone_flags = plan->staged ? 0 : plan->clone_flags;
	l->sp.siblings = l->siblings;
	l->sp.user_ns = plan->new_user_ns && !plan->staged;
	l->sp.cgroup_fd = l->cgroup_fd;
	l->sp.ahead = l->ahead;
	l->sp.netns_fd = l->ahead ? -1 : l->netns_fd;
	if (l->userns_fd >= 0)
		l->sp.clone_flags &= ~(unsigned long)CLONE_NEWUSER;
	if (l->netns_fd >= 0)
		l->sp.clone_flags &= ~(unsigned long)CLONE_NEWNET;
	r = spawn(&l->sp, &l->pid, &l->pidfd, err);
	if (r < 0)
		return r;
	/* So that the end of the child is the end of the conversation. The number stays, as the
	 * child still reads it. */
	drop_fd(&l->child_sync);
	if (plan->staged)
		r = await_successor(l, err);
	if (r == 0)
		r = map_ids(l, err);
	if (r < 0)
		launch_kill(l);
	return r;
}

/* The limits come last, so that none of tote-init's own steps meets them. */
int launch_release(struct launch *l, struct err *err)
{
	int r = set_rlimits(l, err);

	return r < 0 ? r : launch_tell(l, SYNC_RELEASE, err);
}
