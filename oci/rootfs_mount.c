/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting overlays, by the first way that the kernel knows:
 *
 *	a bind mount, where one layer is all there is (Linux 5.12, for mount_setattr)
 *	fsconfig(2) with a "lowerdir+" for each layer (6.8), in an id-mapped store by descriptors (6.15)
 *	mount(2) with one page of text, which 500 layers fit into by names of three digits
 *
 * What leaves traces in a mount namespace on its way, mount(2) and an id-mapped store, is done in
 * one that ends with the child that has it.
 */
#include "oci/rootfs_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/store.h"
#include "oci/mount_apart.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CLONE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

/*
 * What the kernel has to say of a failure beyond its number: "e overlay: ...". -ENOSYS when it
 * refuses without a word: before Linux 6.5 overlayfs takes any option, and then none that it does
 * not know.
 */
static int failed(int fs, const char *what, struct err *err)
{
	int code = errno;
	char said[256];
	ssize_t n = read(fs, said, sizeof(said) - 1);

	if (n <= 0 || said[0] != 'e')
		return code == EINVAL ? -ENOSYS : err_code(err, code, "%s", what);
	said[n] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return err_set(err, code, "%s: %s: %s", what, said + (said[1] == ' ' ? 2 : 1),
		       err_text(code));
}

/* -ENOSYS: this kernel does not know "lowerdir+" (before 6.8). */
static int configure(int fs, const char *list, struct err *err)
{
	for (const char *p = list; *p;) {
		bool flag = *p++ == 'f';
		const char *key = p, *value = flag ? NULL : p + strlen(p) + 1;

		p = flag ? p + strlen(p) + 1 : value + strlen(value) + 1;
		if (fsconfig(fs, flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key, value, 0) ==
		    0)
			continue;
		/* "Unknown parameter", or the older way's "Cumulative options too large". */
		if (errno == EINVAL && strcmp(key, "lowerdir+") == 0)
			return -ENOSYS;
		return failed(fs, value ? value : key, err);
	}
	return 0;
}

static int by_fsconfig(const struct rootfs *r, struct err *err)
{
	autobuf list = BUF_INIT;
	autofd fs = -1;
	int tree, code;

	rootfs_list(r, &list);
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return errno == ENOSYS ? -ENOSYS : err_errno(err, "open overlayfs");
	code = configure(fs, list.data, err);
	if (code < 0)
		return code;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return failed(fs, "make the overlay", err);
	tree = fsmount(fs, FSMOUNT_CLOEXEC, r->read_only ? MOUNT_ATTR_RDONLY : 0);
	return tree < 0 ? failed(fs, "mount the overlay", err) : tree;
}

/* A longer name would not get through fsconfig(2), and in one that the kernel unescapes these would
 * be something else. */
static bool plain_names(const struct rootfs *r)
{
	size_t longest = sizeof("/containers//upper") + strlen(r->container);

	for (size_t i = 0; i < r->layers.count; i++)
		if (strlen(r->layers.items[i]) + sizeof("/l/") > longest)
			longest = strlen(r->layers.items[i]) + sizeof("/l/");
	return strlen(r->store) + longest <= ROOTFS_NAME_MAX && !strpbrk(r->store, "\\:,");
}

static int link_to(struct buf *target, const char *name, struct err *err)
{
	return symlink(buf_str(target), name) < 0 ? err_errno(err, "link %s", name) : 0;
}

/* Short names for all that the overlay is made of. */
static int make_links(const struct rootfs *r, struct err *err)
{
	static const char *const parts[] = { "upper", "work" };
	int code = 0;

	for (size_t i = 0; code == 0 && i < r->layers.count; i++) {
		autobuf target = BUF_INIT;
		char name[24];

		buf_addf(&target, "%s/l/%s", r->store, r->layers.items[i]);
		snprintf(name, sizeof(name), "%zu", i);
		code = link_to(&target, name, err);
	}
	for (size_t i = 0; code == 0 && !r->read_only && i < ARRAY_SIZE(parts); i++) {
		autobuf target = BUF_INIT;

		buf_addf(&target, "%s/containers/%s/%s", r->store, r->container, parts[i]);
		code = link_to(&target, parts[i], err);
	}
	if (code == 0 && (mkdir("none", 0755) < 0 || mkdir("overlay", 0755) < 0))
		code = err_errno(err, "make a directory");
	return code;
}

/* mount(2) does not tell which layer is missing. */
static int mount_failed(const struct rootfs *r, struct err *err)
{
	int code = errno;

	for (size_t i = 0; i < r->layers.count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		if (access(name, F_OK) < 0)
			return err_errno(err, "%s/l/%s", r->store, r->layers.items[i]);
	}
	return err_code(err, code, "mount the overlay");
}

/* In a mount namespace of our own: on a file system in memory that is gone with it, in place of a
 * directory that no overlay is made of. */
static int by_mount(const struct rootfs *r, struct err *err)
{
	autoarena a = ARENA_INIT;
	autobuf page = BUF_INIT;
	const char *place = arena_printf(&a, "%s/refs", r->store);
	int tree, code;

	if (mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return err_errno(err, "mount tmpfs on %s", place);
	if (chdir(place) < 0)
		return err_errno(err, "chdir to %s", place);
	code = make_links(r, err);
	if (code < 0)
		return code;
	rootfs_page(r, false, &page);
	if (page.len > ROOTFS_PAGE)
		return err_set(err, E2BIG, "%zu layers: too many for mount(2) (needs Linux >= 6.8)",
			       r->layers.count);
	if (mount("overlay", "overlay", "overlay", r->read_only ? MS_RDONLY : 0, page.data) < 0)
		return mount_failed(r, err);
	tree = open_tree(AT_FDCWD, "overlay", CLONE_FLAGS);
	return tree < 0 ? err_errno(err, "take the overlay (needs Linux >= 5.2)") : tree;
}

static int overlay(const struct rootfs *r, struct err *err)
{
	int code = plain_names(r) ? by_fsconfig(r, err) : -ENOSYS;

	return code == -ENOSYS ? by_mount(r, err) : code;
}

static bool before_linux(unsigned long major, unsigned long minor)
{
	struct utsname u;
	unsigned long a;
	char *end;

	if (uname(&u) < 0)
		return false;
	a = strtoul(u.release, &end, 10);
	return a < major || (a == major && *end == '.' && strtoul(end + 1, NULL, 10) < minor);
}

int rootfs_enter_ids(unsigned int uid, unsigned int gid, int *ret_signal, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	prctl(PR_GET_PDEATHSIG, ret_signal);
	setfsgid(gid);
	setfsuid(uid);
	/* Other ids cost the capabilities of files. */
	if (syscall(SYS_capget, &head, data) < 0)
		return err_errno(err, "read the capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &head, data) < 0 ? err_errno(err, "keep the capabilities") : 0;
}

void rootfs_leave_ids(int signal)
{
	setfsuid(geteuid());
	setfsgid(getegid());
	prctl(PR_SET_PDEATHSIG, signal);
}

/* The store as the container's user namespace sees it: a detached mount, to which overlayfs keeps
 * the mapping of the mounts that it finds its layers on (Linux 5.19). *ret_root: who is root there. */
static int map_store(const struct rootfs *r, int userns, struct stat *ret_root, struct err *err)
{
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	autofd tree = open_tree(AT_FDCWD, r->store, CLONE_FLAGS);

	if (tree < 0)
		return err_errno(err, "clone the mount of %s", r->store);
	if (before_linux(5, 19))
		return err_set(err, EOPNOTSUPP,
			       "kernel lacks overlays of id-mapped layers (needs Linux >= 5.19)");
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &map, sizeof(map)) < 0)
		return errno == EINVAL
			       ? err_set(err, EOPNOTSUPP,
					 "map the ids of %s: its file system cannot do that",
					 r->store)
			       : err_errno(err, "map the ids of %s", r->store);
	/* On disk it is root's. */
	if (fstat(tree, ret_root) < 0)
		return err_errno(err, "look at %s", r->store);
	return take_fd(&tree);
}

static int set_part(int fs, const char *key, int store, const char *path)
{
	autofd fd = fd_open(store, path, O_PATH | O_DIRECTORY);

	return fd < 0 || fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) < 0 ? -ENOSYS : 0;
}

static int set_parts(const struct rootfs *r, int fs, int store)
{
	autoarena a = ARENA_INIT;
	const char *own = arena_printf(&a, "containers/%s", r->container);
	int code = 0;

	for (size_t i = 0; code == 0 && i < r->layers.count; i++)
		code = set_part(fs, "lowerdir+", store,
				arena_printf(&a, "l/%s", r->layers.items[i]));
	if (code == 0 && rootfs_lacks_lower(r))
		code = set_part(fs, "lowerdir+", store, "l/" STORE_PLACES);
	if (code == 0 && !r->read_only)
		code = set_part(fs, "upperdir", store, arena_printf(&a, "%s/upper", own));
	if (code == 0 && !r->read_only)
		code = set_part(fs, "workdir", store, arena_printf(&a, "%s/work", own));
	return code;
}

/*
 * overlayfs takes descriptors in detached mounts since Linux 6.15: without a process and a mount
 * namespace in between. -ENOSYS for whatever fails: the other way has words for it.
 */
static int by_descriptors(const struct rootfs *r, int userns, struct err *err)
{
	autobuf list = BUF_INIT;
	autofd store = -1, fs = -1;
	struct stat root;
	int death_signal = 0, code;

	store = map_store(r, userns, &root, err);
	if (store < 0)
		return store;
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || set_parts(r, fs, store) < 0)
		return -ENOSYS;
	rootfs_list_rest(r, &list);
	if (configure(fs, list.data, err) < 0)
		return -ENOSYS;
	code = rootfs_enter_ids(root.st_uid, root.st_gid, &death_signal, err);
	if (code == 0)
		code = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	rootfs_leave_ids(death_signal);
	if (code == 0)
		code = fsmount(fs, FSMOUNT_CLOEXEC, r->read_only ? MOUNT_ATTR_RDONLY : 0);
	/* overlayfs has mounts of its own now. */
	if (r->rest)
		*r->rest = take_fd(&store);
	return code < 0 ? -ENOSYS : code;
}

/* In place of the store: all paths lead through it. */
static int cover_store(const struct rootfs *r, int userns, struct err *err)
{
	struct stat root;
	int ignored;
	autofd tree = map_store(r, userns, &root, err);

	if (tree < 0)
		return tree;
	if (move_mount(tree, "", AT_FDCWD, r->store,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
		return err_errno(err, "mount %s with other ids", r->store);
	return rootfs_enter_ids(root.st_uid, root.st_gid, &ignored, err);
}

struct apart {
	const struct rootfs *r;
	int userns;
};

static int overlay_apart(const void *arg, struct err *err)
{
	const struct apart *apart = arg;
	int code = apart->userns >= 0 ? cover_store(apart->r, apart->userns, err) : 0;

	return code < 0 ? code : overlay(apart->r, err);
}

static int by_child(const struct rootfs *r, int userns, struct err *err)
{
	const struct apart apart = { r, userns };

	return mount_apart(overlay_apart, &apart, "mounts the root file system", err);
}

static int bind_layer(const struct rootfs *r, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	autoarena a = ARENA_INIT;
	const char *layer = arena_printf(&a, "%s/l/%s", r->store, r->layers.items[0]);
	autofd tree = open_tree(AT_FDCWD, layer, CLONE_FLAGS);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_errno(err, "bind %s", layer);
	return take_fd(&tree);
}

/* Where overlayfs cannot make its work directory (a full disk) it says so in the kernel's log, and
 * mounts read-only. */
static int check_writable(const struct rootfs *r, int tree, struct err *err)
{
	struct statvfs st;

	if (r->read_only || fstatvfs(tree, &st) < 0 || !(st.f_flag & ST_RDONLY))
		return tree;
	close(tree);
	return err_set(err, EROFS, "%s/containers/%s: overlayfs cannot write there (a full disk?)",
		       r->store, r->container);
}

int rootfs_open(const struct rootfs *r, int userns, bool simple, struct err *err)
{
	int code = rootfs_check(r, err);

	if (code < 0)
		return code;
	if (simple && userns < 0 && r->read_only && r->layers.count == 1)
		return bind_layer(r, err);
	code = -ENOSYS;
	if (userns >= 0)
		code = by_descriptors(r, userns, err);
	else if (plain_names(r))
		code = by_fsconfig(r, err);
	if (code == -ENOSYS)
		code = by_child(r, userns, err);
	return code < 0 ? code : check_writable(r, code, err);
}
