/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* The second where we are an ordinary user (Linux 5.7). */
#define PARENT_MARK "trusted.tote.parent"
#define USER_PARENT_MARK "user.tote.parent"

/* Parents may be removed by a neighbour's cg_destroy() while we make our group in them. */
#define CREATE_TRIES 20

static bool is_cgroup2(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

/* The mount point of the first cgroup2 line, a plain path or NULL. Cuts up the text. */
static char *cgroup2_mount_point(char *mountinfo)
{
	char *save = NULL;

	for (char *line = strtok_r(mountinfo, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *field = line;

		if (!strstr(line, " - cgroup2 "))
			continue;
		for (int i = 0; i < 4 && field; i++) {
			field = strchr(field, ' ');
			field = field ? field + 1 : NULL;
		}
		if (!field)
			continue;
		field[strcspn(field, " ")] = '\0';
		return field;
	}
	return NULL;
}

static int find_in_mountinfo(struct cg_tree *ret_tree, struct err *err)
{
	autoarena a = ARENA_INIT;
	char *text, *path;
	int r;

	r = file_read(AT_FDCWD, "/proc/self/mountinfo", (size_t)4 << 20, &a, &text, NULL, err);
	if (r < 0)
		return r;
	path = cgroup2_mount_point(text);
	if (!path)
		return err_set(err, ENOENT,
			       "no cgroup2 file system is mounted; mount one on /sys/fs/cgroup");
	r = cg_tree_open(path, ret_tree, err);
	if (r == 0)
		ret_tree->hybrid = true;
	return r;
}

int cg_tree_find(struct cg_tree *ret_tree, struct err *err)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd;

		if (!is_cgroup2(places[i]))
			continue;
		fd = fd_open(AT_FDCWD, places[i], OPEN_DIR);
		if (fd < 0)
			return err_errno(err, "open %s", places[i]);
		*ret_tree = (struct cg_tree){ .fd = fd, .hybrid = i > 0 };
		return 0;
	}
	return find_in_mountinfo(ret_tree, err);
}

int cg_tree_open(const char *path, struct cg_tree *ret_tree, struct err *err)
{
	autofd fd = fd_open(AT_FDCWD, path, OPEN_DIR);
	struct statfs st;

	if (fd < 0)
		return err_errno(err, "open %s", path);
	if (fstatfs(fd, &st) < 0)
		return err_errno(err, "statfs %s", path);
	if (st.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(err, EINVAL, "%s is not a cgroup2 file system", path);
	*ret_tree = (struct cg_tree){ .fd = take_fd(&fd), .hybrid = false };
	return 0;
}

void cg_tree_close(struct cg_tree *tree)
{
	cleanup_fd(&tree->fd);
	tree->fd = -1;
}

static int append_part(char *out, size_t *len, const char *part, size_t part_len)
{
	if (part_len > NAME_MAX || *len + 1 + part_len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (part_len == 2 && memcmp(part, "..", 2) == 0)
		return -EINVAL;
	if (memchr(part, '\n', part_len)) /* the kernel refuses it, see cgroup_mkdir() */
		return -EINVAL;
	if (part_len == 0 || (part_len == 1 && part[0] == '.'))
		return 0;
	out[(*len)++] = '/';
	memcpy(out + *len, part, part_len);
	*len += part_len;
	return 0;
}

/* Writes the normalised path: "/" for the root, else "/a/b". */
static int clean_path(const char *path, char out[PATH_MAX])
{
	size_t len = 0;

	if (path[0] != '/')
		return -EINVAL;
	while (*path) {
		size_t part = strcspn(path, "/");
		int r = append_part(out, &len, path, part);

		if (r < 0)
			return r;
		path += part;
		path += strspn(path, "/");
	}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return 0;
}

static int clean_group_path(const char *path, char out[PATH_MAX], struct err *err)
{
	int r = clean_path(path, out);

	if (r < 0)
		return err_code(err, r, "cgroup path %s", path);
	if (!out[1])
		return err_set(err, EINVAL, "cgroup path %s: the root group is not ours", path);
	return 0;
}

/* A parent that was made goes with the last group in it, whoever's that is. */
static void mark_parent(int root, const char *rel)
{
	autofd fd = fd_open(root, rel, OPEN_DIR);

	if (fd >= 0 && fsetxattr(fd, PARENT_MARK, "", 0, 0) < 0)
		fsetxattr(fd, USER_PARENT_MARK, "", 0, 0);
}

static bool is_made_parent(int root, const char *rel)
{
	autofd fd = fd_open(root, rel, OPEN_DIR);

	return fd >= 0 && (fgetxattr(fd, PARENT_MARK, NULL, 0) >= 0 ||
			   fgetxattr(fd, USER_PARENT_MARK, NULL, 0) >= 0);
}

/* Removes count groups, the last part of rel first, and on from there what is marked. Stops at one that
 * is in use, but not at one that whoever made them from the top did not get to. */
static void remove_upwards(int root, const char *rel, unsigned int count)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", rel);
	while ((count > 0 ? count-- > 0 : is_made_parent(root, path)) &&
	       (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return;
		*slash = '\0';
	}
}

/* 1 when it was made, 0 when a neighbour was faster, or -errno. */
static int make_one(int root, const char *rel)
{
	struct stat st;

	if (mkdirat(root, rel, 0755) == 0)
		return 1;
	if (errno != EEXIST || fstatat(root, rel, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* A file of the group that was made a moment ago: "new/cgroup.procs". */
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Makes rel, whose last `cut` slashes are cut to NULs, and then each longer path. */
static int make_down(int root, char *rel, unsigned int cut, unsigned int *made)
{
	for (; cut > 0; cut--) {
		size_t end = strlen(rel);
		int r;

		rel[end] = '/';
		r = make_one(root, rel);
		if (r < 0) {
			rel[end] = '\0';
			remove_upwards(root, rel, *made);
			return r;
		}
		if (r && cut > 1)
			mark_parent(root, rel);
		*made = r ? *made + 1 : 0;
	}
	return 0;
}

/*
 * Tries the leaf first, as its parent mostly exists: one system call then. Only the trailing
 * groups are counted as made, since one that a neighbour made below ours keeps ours needed.
 */
static int make_chain(int root, const char *path, unsigned int *ret_made)
{
	char rel[PATH_MAX];
	unsigned int cut = 0, made = 1;
	int r;

	memcpy(rel, path, strlen(path) + 1);
	while (mkdirat(root, rel, 0755) < 0) {
		char *slash = strrchr(rel, '/');

		if (errno == EEXIST) {
			made = 0;
			break;
		}
		if (errno != ENOENT || !slash)
			return -errno;
		*slash = '\0';
		cut++;
	}
	if (made && cut)
		mark_parent(root, rel);
	r = make_down(root, rel, cut, &made);
	if (r == 0)
		*ret_made = made;
	return r;
}

/* A threaded group does not list its processes, and cannot be killed. */
static bool is_threaded(const struct cg *cg)
{
	char type[32];

	return file_peek(cg->fd, "cgroup.type", type, sizeof(type)) > 0 &&
	       strcmp(type, "threaded") == 0;
}

static int join(const struct cg *cg, struct err *err)
{
	int r = cg_populated(cg);

	if (r < 0)
		return err_code(err, r, "read cgroup %s", cg->path);
	if (r > 0)
		return err_set(err, EBUSY, "cgroup %s exists and holds processes", cg->path);
	if (cg_inner(cg) == 1)
		return err_set(err, EBUSY,
			       "cgroup %s exists and hands controllers on to its children, so it "
			       "may hold no processes itself; use another cgroupsPath",
			       cg->path);
	if (is_threaded(cg))
		return err_set(err, EBUSY,
			       "cgroup %s exists and is threaded, so its processes could not be "
			       "killed with it; use another cgroupsPath",
			       cg->path);
	/* A process cloned into a group that was left frozen would never start. */
	r = file_poke(cg->fd, "cgroup.freeze", "0");
	if (r < 0 && r != -ENOENT)
		return err_code(err, r, "thaw cgroup %s", cg->path);
	return 0;
}

/* One round; -ENOENT (no message needed) means that a parent went away meanwhile. */
static int create_once(int root, const char *rel, unsigned int *ret_made)
{
	unsigned int made = 0;
	int fd, r = make_chain(root, rel, &made);

	if (r < 0)
		return r;
	fd = fd_open(root, rel, OPEN_DIR);
	if (fd < 0) {
		r = -errno;
		remove_upwards(root, rel, made);
		return r;
	}
	*ret_made = made;
	return fd;
}

int cg_create(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err)
{
	char clean[PATH_MAX];
	struct cg cg = { .root = tree->fd, .fd = -1 };
	int r = clean_group_path(path, clean, err);

	if (r < 0)
		return r;
	for (int i = 0; i < CREATE_TRIES; i++) {
		cg.fd = create_once(tree->fd, clean + 1, &cg.made);
		if (cg.fd != -ENOENT)
			break;
	}
	if (cg.fd == -EROFS)
		return err_set(err, EROFS,
			       "create cgroup %s: the cgroup2 mount is read-only; remount it "
			       "read-write, or go without (--cgroup-manager disabled)",
			       clean);
	if (cg.fd == -EACCES || cg.fd == -EPERM)
		return err_set(err, -cg.fd,
			       "create cgroup %s: Permission denied: the group above it is not "
			       "delegated to this user; with systemd, use --systemd-cgroup",
			       clean);
	if (cg.fd == -EAGAIN)
		return err_set(err, EAGAIN,
			       "create cgroup %s: a group above it has reached its "
			       "cgroup.max.descendants or cgroup.max.depth",
			       clean);
	if (cg.fd < 0)
		return err_code(err, cg.fd, "create cgroup %s", clean);
	cg.path = strdup(clean);
	if (!cg.path)
		r = err_code(err, ENOMEM, "create cgroup %s", clean);
	else if (!cg.made)
		r = join(&cg, err);
	if (r == 0 && cg_frozen_above(&cg))
		r = err_set(err, EBUSY, "create cgroup %s: a group above it is frozen", clean);
	if (r < 0) {
		remove_upwards(tree->fd, clean + 1, cg.made);
		cg_done(&cg);
		return r;
	}
	*ret_cg = cg;
	return 0;
}

int cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err)
{
	char clean[PATH_MAX];
	autofd fd = -1;
	char *copy;
	int r = clean_path(path, clean);

	if (r < 0)
		return err_code(err, r, "cgroup path %s", path);
	fd = fd_open(tree->fd, clean[1] ? clean + 1 : ".", OPEN_DIR);
	if (fd < 0)
		return err_errno(err, "open cgroup %s", clean);
	copy = strdup(clean);
	if (!copy)
		return err_code(err, ENOMEM, "open cgroup %s", clean);
	*ret_cg = (struct cg){ .root = tree->fd, .fd = take_fd(&fd), .path = copy };
	return 0;
}

void cg_done(struct cg *cg)
{
	cleanup_fd(&cg->fd);
	free(cg->path);
	*cg = (struct cg)CG_INIT;
}

int cg_missing(const struct cg_tree *tree, const char *path)
{
	char clean[PATH_MAX];
	int missing = 0;
	int r = clean_path(path, clean);

	if (r < 0)
		return r;
	while (clean[1] && faccessat(tree->fd, clean + 1, F_OK, 0) < 0) {
		if (errno != ENOENT)
			return -errno;
		missing++;
		*strrchr(clean, '/') = '\0';
		if (!clean[0])
			break;
	}
	return missing;
}

/* One sweep: what holds processes stays, and what is above it. Returns how many were removed. */
static unsigned int remove_below(int root, const char *rel, const struct deadline *end)
{
	autofd top = fd_open(root, rel, OPEN_DIR);
	autowalk w = { .fd = -1 };
	unsigned int removed = 0;

	if (top < 0)
		return 0;
	for (int r = cg_walk_first(&w, top, CG_UP, end); r > 0; r = cg_walk_next(&w))
		removed += unlinkat(w.fd, w.name, AT_REMOVEDIR) == 0;
	return removed;
}

static int remove_group(int root, const char *rel, int timeout_ms)
{
	struct deadline_pauses pauses = deadline_pauses_in(timeout_ms);
	struct timespec pause;

	while (unlinkat(root, rel, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		if (remove_below(root, rel, &pauses.end))
			continue;
		if (!deadline_pause(&pauses, &pause))
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

uint64_t cg_counter(int dir, const char *file, const char *key)
{
	char text[512];
	const char *line = file_peek(dir, file, text, sizeof(text)) > 0 ? text : NULL;

	while (line && strncmp(line, key, strlen(key)) != 0) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return line ? strtoull(line + strlen(key), NULL, 10) : 0;
}

/* How many groups there are below, as the kernel counts them (Linux 4.14). */
static uint64_t count_below(int root, const char *rel)
{
	char file[PATH_MAX + 16];

	snprintf(file, sizeof(file), "%s/cgroup.stat", rel);
	return cg_counter(root, file, "nr_descendants ");
}

int cg_destroy(const struct cg_tree *tree, const char *path, unsigned int levels, int timeout_ms,
	       struct err *err)
{
	char clean[PATH_MAX];
	uint64_t left;
	int r = clean_group_path(path, clean, err);

	if (r < 0 || levels == 0)
		return r;
	r = remove_group(tree->fd, clean + 1, timeout_ms);
	left = r == -EBUSY ? count_below(tree->fd, clean + 1) : 0;
	if (left)
		return err_set(err, EBUSY,
			       "remove cgroup %s: time is up, and %" PRIu64
			       " groups below it are left: "
			       "call again",
			       clean, left);
	if (r < 0)
		return err_code(err, r, "remove cgroup %s", clean);
	*strrchr(clean, '/') = '\0';
	if (clean[0])
		remove_upwards(tree->fd, clean + 1, levels - 1);
	return 0;
}

int cg_path_of(pid_t pid, char *ret_path, size_t size, struct err *err)
{
	static const char deleted[] = " (deleted)";
	char file[sizeof("/proc/4294967295/cgroup")], text[2 * PATH_MAX];
	char *line, *path;
	ssize_t n;
	size_t len;

	if (pid)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	else
		snprintf(file, sizeof(file), "/proc/self/cgroup");
	n = file_peek(AT_FDCWD, file, text, sizeof(text));
	if (n < 0)
		return err_code(err, (int)n, "read %s", file);
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return err_set(err, ENOENT, "%s has no cgroup v2 line", file);
	path = strchr(line, '/');
	if (!path)
		return err_set(err, ENOENT, "%s has no path in its cgroup v2 line", file);
	len = strcspn(path, "\n");
	path[len] = '\0';
	if (len >= sizeof(deleted) && !strcmp(path + len - strlen(deleted), deleted))
		return err_set(err, ENOENT, "%s: the cgroup was removed", file);
	if (strncmp(path, "/..", 3) == 0)
		return err_set(err, EXDEV, "%s: the cgroup lies outside of the cgroup namespace",
			       file);
	if (len >= size)
		return err_code(err, ENAMETOOLONG, "read %s", file);
	memcpy(ret_path, path, len + 1);
	return 0;
}

/* The three that cgroup-v2.rst, "Model of Delegation", has the delegatee own. dir is relative. */
static bool is_delegated(int root, const char *dir)
{
	static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control" };
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (faccessat(root, path, W_OK, AT_EACCESS) < 0)
			return false;
	}
	return true;
}

/* systemd 251 marks what it delegated. What lies above the mark is systemd's alone. */
static bool is_delegation_boundary(int root, const char *dir)
{
	autofd fd = fd_open(root, dir, OPEN_DIR);

	return fd >= 0 && fgetxattr(fd, "user.delegate", NULL, 0) > 0;
}

int cg_delegated_path(const struct cg_tree *tree, char *ret_path, size_t size, struct err *err)
{
	char own[PATH_MAX];
	size_t len;
	int r = cg_path_of(0, own, sizeof(own), err);

	if (r < 0)
		return r;
	len = (size_t)(strrchr(own, '/') - own);
	if (len > 0 && !is_delegation_boundary(tree->fd, own + 1)) {
		own[len] = '\0';
		if (!is_delegated(tree->fd, own + 1))
			own[len] = '/';
	}
	if (strlen(own) >= size)
		return err_code(err, ENAMETOOLONG, "own cgroup");
	memcpy(ret_path, own, strlen(own) + 1);
	return 0;
}
