/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount steps. Every mount is made detached (fsopen/fsmount or open_tree, Linux 5.2), set up
 * (mount_setattr, 5.12) and only then moved to its place, which path.c has pinned by a descriptor:
 * no path is looked up twice.
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <linux/errno.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#define MNT_DETACH 2

static int attach(int tree, int target)
{
	return (int)sys(__NR_move_mount, tree, "", target, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int set_attributes(int tree, uint64_t set, uint64_t clear, uint64_t propagation,
			  unsigned int recursive)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	/* Any atime mode replaces the old one; the kernel wants the whole field cleared first. */
	if (set & MOUNT_ATTR__ATIME || clear & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (!attr.attr_set && !attr.attr_clr && !propagation)
		return 0;
	return (int)sys(__NR_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attr,
			sizeof(attr));
}

static bool is_directory(int fd, int *ret_error)
{
	struct statx st;
	sys_t r = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);

	*ret_error = r < 0 ? (int)r : 0;
	return r == 0 && (st.stx_mode & S_IFMT) == S_IFDIR;
}

/* MS_* and MOUNT_ATTR propagation have the same values; MS_REC asks for the mounts below as well.
 */
static int set_propagation(int fd, uint64_t ms)
{
	return set_attributes(fd, 0, 0, ms & ~(uint64_t)MS_REC, ms & MS_REC ? AT_RECURSIVE : 0);
}

/* Feeds a file system context with the options of the plan; see oci/plan_format.h for their form.
 */
static int configure(int fs, const char *options)
{
	const char *p = options;
	sys_t r = 0;

	while (p && *p && r == 0) {
		char kind = *p++;
		const char *key = p;

		p += strlen(p) + 1;
		if (kind == 'f') {
			r = sys(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, key, 0, 0);
		} else {
			r = sys(__NR_fsconfig, fs, FSCONFIG_SET_STRING, key, p, 0);
			p += strlen(p) + 1;
		}
	}
	return (int)r;
}

static int new_mount(const char *type, const char *options, uint64_t attributes)
{
	sys_t fs = sys(__NR_fsopen, type, FSOPEN_CLOEXEC), r;

	if (fs < 0)
		return (int)fs;
	r = configure((int)fs, options);
	if (r == 0)
		r = sys(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (r == 0)
		r = sys(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	sys(__NR_close, fs);
	return (int)r;
}

/* Nothing that happens to our copy of the host's mounts, least of all the unmount after pivot, may
 * reach it. */
static int leave_peers(void)
{
	struct mount_attr slave = { .propagation = MS_SLAVE };

	return (int)sys(__NR_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof(slave));
}

/* Up to Linux 6.7 many layers only fit into mount(2), and with relative names. */
static int root_by_mount(struct init *in, const struct wire_step *s)
{
	const char *path = plan_string(in, s->path);
	sys_t r;

	if (!s->arg[1])
		return -E2BIG;
	r = sys(__NR_chdir, plan_string(in, s->source));
	if (r == 0)
		r = sys(__NR_mount, "overlay", path, plan_string(in, s->type), 0,
			in->base + s->data + s->arg[1]);
	if (r == 0)
		r = sys(__NR_chdir, path);
	if (r == 0)
		r = sys(__NR_openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return (int)r;
}

/* The working directory is where the file system goes: on the host's tree, or ours. */
static int root_of_layers(struct init *in, const struct wire_step *s)
{
	int tree = s->fd, r = leave_peers();

	if (r < 0)
		return r;
	if (!(s->flags & STEP_ON_HOST)) {
		tree = new_mount(plan_string(in, s->type), plan_string(in, s->data), 0);
		if (tree == -EINVAL)
			return in->root = root_by_mount(in, s);
	}
	if (tree < 0)
		return tree;
	in->root = tree;
	/* "." would have to be searchable: it has the owner and mode that an image's root has. */
	return attach(tree, AT_FDCWD);
}

/*
 * The host has made the root file system our working directory, so that no path to it needs to be
 * searchable for the user we are. Its copy is mounted over it, and its descriptor is the root of
 * all later paths.
 */
int step_root(struct init *in, const struct wire_step *s)
{
	sys_t tree, r;

	if (s->type)
		return root_of_layers(in, s);
	r = s->flags & STEP_BY_PATH ? sys(__NR_chdir, plan_string(in, s->path)) : 0;

	if (r < 0)
		return (int)r;
	tree = sys(__NR_open_tree, AT_FDCWD, ".",
		   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return (int)tree;
	r = leave_peers();
	if (r == 0)
		r = set_propagation((int)tree, s->arg[0]);
	if (r == 0)
		r = sys(__NR_move_mount, tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH);
	in->root = (int)tree;
	return (int)r;
}

static int clone_tree(int dirfd, const char *path, bool recursive)
{
	return (int)sys(__NR_open_tree, dirfd, path,
			OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
				(recursive ? AT_RECURSIVE : 0));
}

int step_mount(struct init *in, const struct wire_step *s)
{
	uint64_t resolve = s->flags & STEP_PLAIN_PATH ? RESOLVE_NO_SYMLINKS : 0;
	/* What is copied into has to be writable until then. */
	uint64_t closed = s->flags & STEP_COPY_UP ? s->arg[0] & MOUNT_ATTR_RDONLY : 0;
	int tree, target, r = 0;

	target = target_open(in, plan_string(in, s->path), true, resolve);
	if (target < 0)
		return target;
	tree = new_mount(plan_string(in, s->type), plan_string(in, s->data), s->arg[0] & ~closed);
	/* EPERM: not our cgroup namespace; EBUSY: the v1 hierarchies hold it. */
	if ((tree == -EPERM || tree == -EBUSY) && s->flags & STEP_OR_BIND) {
		tree = clone_tree(AT_FDCWD, plan_string(in, s->source), true);
		if (tree >= 0)
			r = set_attributes(tree, s->arg[0], 0, 0, AT_RECURSIVE);
	}
	if (tree < 0)
		return tree;
	if (r == 0 && s->arg[1])
		r = set_propagation(tree, s->arg[1]);
	if (r == 0 && s->flags & STEP_COPY_UP) {
		/* The directory as it was is read through a second descriptor, as O_PATH cannot be
		 * read. */
		int from = (int)sys(__NR_openat, target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = from < 0 ? from : copy_up(from, tree);
		sys(__NR_close, from);
	}
	if (r == 0 && closed)
		r = set_attributes(tree, closed, 0, 0, 0);
	if (r == 0)
		r = attach(tree, target);
	sys(__NR_close, target);
	sys(__NR_close, tree);
	return r;
}

/* {set, clear} for one mount, {set, clear} for it and all below, propagation. */
static int set_all(int tree, const uint64_t *arg)
{
	int r = set_attributes(tree, arg[2], arg[3], 0, AT_RECURSIVE);

	if (r == 0)
		r = set_attributes(tree, arg[0], arg[1], 0, 0);
	return r == 0 && arg[4] ? set_propagation(tree, arg[4]) : r;
}

int step_bind(struct init *in, const struct wire_step *s)
{
	uint64_t resolve = s->flags & STEP_PLAIN_PATH ? RESOLVE_NO_SYMLINKS : 0;
	int tree = s->fd, target, r;
	bool directory;

	if (!(s->flags & STEP_ON_HOST)) {
		tree = clone_tree(AT_FDCWD, plan_string(in, s->source), s->flags & STEP_RECURSIVE);
		if (tree < 0)
			return tree;
		r = set_all(tree, s->arg);
		if (r < 0)
			return r;
	}
	directory = is_directory(tree, &r);
	if (r < 0)
		return r;
	target = target_open(in, plan_string(in, s->path), directory, resolve);
	if (target < 0)
		return target;
	r = attach(tree, target);
	sys(__NR_close, target);
	sys(__NR_close, tree);
	return r;
}

int step_remount(struct init *in, const struct wire_step *s)
{
	int target = in_root(in, plan_string(in, s->path), O_PATH, 0);
	int r = target < 0 ? target : set_all(target, s->arg);

	sys(__NR_close, target);
	return r;
}

static bool is_device(int dirfd, const char *name, const struct wire_step *s)
{
	struct statx st;

	return sys(__NR_statx, dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) ==
		       0 &&
	       (st.stx_mode & S_IFMT) == (s->arg[0] & S_IFMT) &&
	       s->arg[1] == ((st.stx_rdev_minor & 0xff) | st.stx_rdev_major << 8 |
			     (st.stx_rdev_minor & ~0xffU) << 12);
}

/* Where the whole container runs in a user namespace that somebody else made, nodes cannot be made:
 * the host's is used. */
static int bind_device(struct init *in, const struct wire_step *s)
{
	const char *path = plan_string(in, s->path);
	int tree = clone_tree(AT_FDCWD, path, false), target;
	sys_t r = tree;

	if (r >= 0 && !is_device(tree, "", s))
		r = -ENODEV;
	target = r < 0 ? (int)r : target_open(in, path, false, 0);
	r = target < 0 ? target : attach(tree, target);
	sys(__NR_close, target);
	sys(__NR_close, tree);
	return (int)r;
}

int step_device(struct init *in, const struct wire_step *s)
{
	const char *leaf;
	int dir = parent_open(in, plan_string(in, s->path), &leaf);
	sys_t r;

	if (dir < 0)
		return dir;
	r = sys(__NR_mknodat, dir, leaf, (unsigned int)s->arg[0], (unsigned int)s->arg[1]);
	/* config-linux.md, "Devices": only what does not match is an error. */
	if (r == -EEXIST && (s->flags & STEP_IF_MISSING || is_device(dir, leaf, s)))
		return 0;
	if (r == -EPERM)
		return bind_device(in, s);
	if (r == 0 && (s->arg[2] || s->arg[3]))
		r = sys(__NR_fchownat, dir, leaf, (unsigned int)s->arg[2], (unsigned int)s->arg[3],
			AT_SYMLINK_NOFOLLOW);
	return (int)r;
}

int step_symlink(struct init *in, const struct wire_step *s)
{
	const char *leaf;
	int dir = parent_open(in, plan_string(in, s->path), &leaf);
	sys_t r;

	if (dir < 0)
		return dir;
	r = sys(__NR_symlinkat, plan_string(in, s->source), dir, leaf);
	if (r == -EEXIST && s->flags & STEP_REPLACE) {
		sys(__NR_unlinkat, dir, leaf, 0);
		r = sys(__NR_symlinkat, plan_string(in, s->source), dir, leaf);
	}
	return r == -EEXIST && s->flags & STEP_IF_MISSING ? 0 : (int)r;
}

/* Only what is missing is made: of anything else STEP_CWD has the last word, as the program's user. */
int step_work_dir(struct init *in, const struct wire_step *s)
{
	const char *path = plan_string(in, s->path);
	int dir = in_root(in, path, O_PATH | O_DIRECTORY, 0);

	if (dir == -ENOENT)
		dir = target_open(in, path, true, 0);
	else if (dir < 0)
		return 0;
	sys(__NR_close, dir);
	return dir < 0 ? dir : 0;
}

/* A further mount of what *tree mounts. The first is made once; when attached it belongs to us and
 * can be cloned. */
static int mask_source(int *tree, bool directory)
{
	struct statx st;

	if (*tree >= 0)
		return clone_tree(*tree, "", false);
	if (directory)
		return *tree = new_mount("tmpfs",
					 "fro\0ssize\0"
					 "0\0",
					 MOUNT_ATTR_RDONLY);
	*tree = clone_tree(AT_FDCWD, "/dev/null", false);
	/* A fake /dev/null would become writable from inside (CVE-2025-31133): it must be character
	 * device 1:3. */
	if (*tree >= 0 &&
	    (sys(__NR_statx, *tree, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0 ||
	     (st.stx_mode & S_IFMT) != S_IFCHR || st.stx_rdev_major != 1 || st.stx_rdev_minor != 3))
		return -ENODEV;
	return *tree;
}

int step_mask(struct init *in, const struct wire_step *s)
{
	int target = in_root(in, plan_string(in, s->path), O_PATH, 0), tree, r;
	bool directory;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	directory = is_directory(target, &r);
	if (r < 0)
		return r;
	tree = mask_source(directory ? &in->empty_tree : &in->null_tree, directory);
	r = tree < 0 ? tree : attach(tree, target);
	sys(__NR_close, target);
	return r;
}

int step_readonly(struct init *in, const struct wire_step *s)
{
	int target = in_root(in, plan_string(in, s->path), O_PATH, 0), tree, r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	tree = clone_tree(target, "", true);
	r = tree < 0 ? tree : set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, AT_RECURSIVE);
	if (r == 0)
		r = attach(tree, target);
	sys(__NR_close, target);
	sys(__NR_close, tree);
	return r;
}

int step_root_readonly(struct init *in, const struct wire_step *s)
{
	(void)s;
	return set_attributes(in->root, MOUNT_ATTR_RDONLY, 0, 0, 0);
}

int step_root_propagation(struct init *in, const struct wire_step *s)
{
	return set_propagation(in->root, s->arg[0]);
}

/*
 * pivot_root(".", ".") stacks the old root on the new one, from where it is unmounted
 * (pivot_root(2), "NOTES"). The old root is made a slave first, so that the unmount does not travel
 * to the host.
 */
int step_pivot(struct init *in, const struct wire_step *s)
{
	sys_t r = sys(__NR_fchdir, in->root);

	if (r == 0 && s->flags & STEP_NO_PIVOT) {
		r = sys(__NR_move_mount, in->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
		return r == 0 ? (int)sys(__NR_chroot, ".") : (int)r;
	}
	if (r == 0)
		r = sys(__NR_pivot_root, ".", ".");
	if (r == 0)
		r = sys(__NR_umount2, ".", MNT_DETACH);
	return r == 0 ? (int)sys(__NR_chdir, "/") : (int)r;
}

static int proc_open(struct init *in)
{
	if (in->proc < 0)
		in->proc = new_mount("proc", "",
				     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return in->proc;
}

/*
 * Kernel settings are written through a procfs that nobody else can see or have mounted things on
 * (CVE-2019-16884, CVE-2025-52881).
 */
int proc_write(struct init *in, const char *prefix, const char *path, const char *data, size_t len)
{
	int proc = proc_open(in), dir;
	struct open_how how;
	sys_t fd, r;

	if (proc < 0)
		return proc;
	dir = (int)sys(__NR_openat, proc, prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return dir;
	memset(&how, 0, sizeof(how));
	how.flags = O_WRONLY | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
	fd = sys(__NR_openat2, dir, path, &how, sizeof(how));
	sys(__NR_close, dir);
	if (fd < 0)
		return (int)fd;
	do {
		r = sys(__NR_write, fd, data, len);
	} while (r == -EINTR);
	sys(__NR_close, fd);
	return r < 0 ? (int)r : 0;
}

int step_sysctl(struct init *in, const struct wire_step *s)
{
	return proc_write(in, "sys", plan_string(in, s->path), plan_string(in, s->data),
			  s->data_len);
}
