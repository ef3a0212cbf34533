/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/cg.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* v1 is the name that /proc/self/cgroup shows for a controller on a v1 hierarchy. */
static const struct {
	const char *name, *v1, *remedy;
} controllers[CG_CONTROLLERS] = {
	[CG_CPUSET] = { "cpuset", "cpuset", "boot with cgroup_enable=cpuset" },
	[CG_CPU] = { "cpu", "cpu", "the kernel needs CONFIG_CGROUP_SCHED" },
	[CG_IO] = { "io", "blkio", "the kernel needs CONFIG_BLK_CGROUP" },
	[CG_MEMORY] = { "memory", "memory", "boot with cgroup_enable=memory" },
	[CG_HUGETLB] = { "hugetlb", "hugetlb", "the kernel needs CONFIG_CGROUP_HUGETLB" },
	[CG_PIDS] = { "pids", "pids", "the kernel needs CONFIG_CGROUP_PIDS" },
	[CG_RDMA] = { "rdma", "rdma", "the kernel needs CONFIG_CGROUP_RDMA" },
	[CG_MISC] = { "misc", "misc", "the kernel needs CONFIG_CGROUP_MISC" },
	[CG_DMEM] = { "dmem", "dmem", "the kernel needs CONFIG_CGROUP_DMEM (Linux 6.14)" },
};

const char *cg_controller_name(enum cg_controller c)
{
	return controllers[c].name;
}

static bool is_word(const char *word, const char *s, size_t len)
{
	return strlen(word) == len && memcmp(word, s, len) == 0;
}

static int find_controller(const char *s, size_t len)
{
	for (int i = 0; i < CG_CONTROLLERS; i++) {
		if (is_word(controllers[i].name, s, len))
			return i;
	}
	return -1;
}

int cg_controller_of(const char *file)
{
	return find_controller(file, strcspn(file, "."));
}

static unsigned int read_mask(int fd, const char *path)
{
	char text[512];
	unsigned int mask = 0;
	const char *s = text;

	if (file_peek(fd, path, text, sizeof(text)) < 0)
		return 0;
	while (*s) {
		size_t len = strcspn(s, " ");
		int c = find_controller(s, len);

		if (c >= 0)
			mask |= 1u << c;
		s += len;
		s += strspn(s, " ");
	}
	return mask;
}

unsigned int cg_available(const struct cg_tree *tree)
{
	return read_mask(tree->fd, "cgroup.controllers");
}

unsigned int cg_enabled(const struct cg *cg)
{
	return read_mask(cg->fd, "cgroup.controllers");
}

int cg_inner(const struct cg *cg)
{
	char text[512];
	ssize_t n = file_peek(cg->fd, "cgroup.subtree_control", text, sizeof(text));

	return n < 0 ? (int)n : text[0] != '\0';
}

/* True when "cpu,cpuacct" has the word. */
static bool has_word(const char *list, const char *word)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (is_word(word, list, len))
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}

/* True when a line "N:cpu,cpuacct:/path" of /proc/self/cgroup names the controller. */
static bool on_v1(enum cg_controller c)
{
	char text[2 * PATH_MAX];
	char *save = NULL;

	if (file_peek(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *names = strchr(line, ':');
		char *end = names ? strchr(names + 1, ':') : NULL;

		if (!end)
			continue;
		*end = '\0';
		if (has_word(names + 1, controllers[c].v1))
			return true;
	}
	return false;
}

static int explain_absent(int root, enum cg_controller c, struct err *err)
{
	if (on_v1(c))
		return err_set(err, EOPNOTSUPP,
			       "the %s controller is not on the v2 tree (it is in use by cgroup "
			       "v1); boot with systemd.unified_cgroup_hierarchy=1 or "
			       "cgroup_no_v1=all",
			       controllers[c].name);
	/* The root of the tree has no type, that of a cgroup namespace has. */
	if (faccessat(root, "cgroup.type", F_OK, 0) == 0)
		return err_set(
			err, EOPNOTSUPP,
			"the %s controller is not handed to this cgroup namespace; enable it "
			"from outside, in cgroup.subtree_control of the group above",
			controllers[c].name);
	return err_set(err, EOPNOTSUPP, "the %s controller is not on the v2 tree; %s",
		       controllers[c].name, controllers[c].remedy);
}

/* dir is where "+name" was refused: "" for the root, else "a/b/". */
static int explain(const struct cg *cg, const char *dir, enum cg_controller c, int r,
		   struct err *err)
{
	const char *name = controllers[c].name;
	int len = dir[0] ? (int)strlen(dir) - 1 : 0;

	if (!(read_mask(cg->root, "cgroup.controllers") & 1u << c))
		return explain_absent(cg->root, c, err);
	if (r == -EBUSY)
		return err_set(err, EBUSY,
			       "the %s controller cannot be enabled below cgroup /%.*s: that group "
			       "holds processes itself; %s",
			       name, len, dir,
			       len ? "use another cgroupsPath or the systemd cgroup manager"
				   : "move them to a group below it first");
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return err_set(err, EACCES,
			       "the %s controller is not delegated to cgroup /%.*s; with systemd, "
			       "set Delegate=yes on the unit",
			       name, len, dir);
	return err_code(err, r, "enable the %s controller below cgroup /%.*s", name, len, dir);
}

static int write_mask(int root, const char *file, unsigned int mask)
{
	autobuf text = BUF_INIT;

	for (int i = 0; i < CG_CONTROLLERS; i++) {
		if (mask & 1u << i)
			buf_addf(&text, "%s+%s", text.len ? " " : "", controllers[i].name);
	}
	return file_poke(root, file, buf_str(&text));
}

/*
 * True for a group that is no place to enable controllers in. The kernel refuses most by itself,
 * but takes those that can count threads (cpu, cpuset, pids), and makes every group below unfit for
 * processes by that: cgroup-v2.rst, "Threads". The root may hold processes, and has no type.
 */
static bool holds_processes(int root, const char *dir)
{
	char file[PATH_MAX + 32], text[16];

	snprintf(file, sizeof(file), "%scgroup.type", dir);
	if (faccessat(root, file, F_OK, 0) < 0)
		return false;
	snprintf(file, sizeof(file), "%scgroup.procs", dir);
	return file_peek(root, file, text, sizeof(text)) > 0;
}

/* Enables what is missing in one group; when the kernel refuses the lot, finds out which. */
static int enable_in(const struct cg *cg, const char *dir, unsigned int mask, struct err *err)
{
	char file[PATH_MAX + 32];

	snprintf(file, sizeof(file), "%scgroup.subtree_control", dir);
	mask &= ~read_mask(cg->root, file);
	if (!mask)
		return 0;
	if (holds_processes(cg->root, dir))
		return explain(cg, dir, (enum cg_controller)__builtin_ctz(mask), -EBUSY, err);
	if (write_mask(cg->root, file, mask) == 0)
		return 0;
	for (int i = 0; i < CG_CONTROLLERS; i++) {
		int r = mask & 1u << i ? write_mask(cg->root, file, 1u << i) : 0;

		if (r < 0)
			return explain(cg, dir, (enum cg_controller)i, r, err);
	}
	return 0;
}

int cg_enable(const struct cg *cg, unsigned int mask, struct err *err)
{
	char dir[PATH_MAX] = "";
	int r;

	if (!(mask & ~cg_enabled(cg)))
		return 0;
	/* From the root down: a group can only pass on what it was given. */
	for (const char *at = cg->path; at; at = strchr(at + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(at - cg->path), cg->path + 1);
		r = enable_in(cg, dir, mask, err);
		if (r < 0)
			return r;
	}
	return 0;
}
