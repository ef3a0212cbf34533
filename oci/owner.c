/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/owner.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What is in the container cannot write it (without CAP_SYS_ADMIN on the host), so it is proof. */
#define MARK "trusted.tote"
/* In its place where we are an ordinary user (Linux 5.7), and what earlier versions of tote set. */
#define USER_MARK "user.tote"
#define MARK_SIZE (PATH_MAX + 64)

/* "device:inode": no two directories have the same at a time. */
static bool identify(const struct stat *st, char *out, size_t size)
{
	int n = snprintf(out, size, "%" PRIxMAX ":%" PRIxMAX " ", (uintmax_t)st->st_dev,
			 (uintmax_t)st->st_ino);

	return n > 0 && (size_t)n < size;
}

static bool identify_fd(int fd, char *out, size_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && identify(&st, out, size);
}

/* The mark with an end, or "". True when it is proof. */
static bool read_mark(const struct cg *cg, char mark[MARK_SIZE])
{
	ssize_t n = fgetxattr(cg->fd, MARK, mark, MARK_SIZE - 1);
	bool proof = n > 0;

	if (!proof)
		n = fgetxattr(cg->fd, USER_MARK, mark, MARK_SIZE - 1);
	mark[n > 0 ? n : 0] = '\0';
	return proof;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* False when the directory that the mark names is gone, or another one by now. */
static bool is_there(const char *mark)
{
	const char *path = strchr(mark, ' ');
	struct stat st;
	char id[64];

	return path && stat(path + 1, &st) == 0 && identify(&st, id, sizeof(id)) &&
	       starts_with(mark, id);
}

static void set_mark(const struct cg *cg, const char *mark, size_t len)
{
	if (fsetxattr(cg->fd, MARK, mark, len, 0) < 0)
		fsetxattr(cg->fd, USER_MARK, mark, len, 0);
}

int owner_claim(const struct cg *cg, int state_dir, struct err *err)
{
	char mark[MARK_SIZE], self[32];
	size_t len;
	ssize_t n;

	/* Nobody can have marked what was just made. */
	if (!cg->made && owner_of(cg, state_dir) >= OWNER_OTHER) {
		read_mark(cg, mark);
		if (is_there(mark))
			return err_set(err, EBUSY,
				       "cgroup %s belongs to the container in%s until that is "
				       "deleted",
				       cg->path, strchr(mark, ' '));
	}
	if (!identify_fd(state_dir, mark, sizeof(mark)))
		return 0;
	len = strlen(mark);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", state_dir);
	n = readlink(self, mark + len, sizeof(mark) - len);
	if (n > 0)
		set_mark(cg, mark, len + (size_t)n);
	return 0;
}

enum owner owner_of(const struct cg *cg, int state_dir)
{
	char mark[MARK_SIZE], id[64];
	bool proof = read_mark(cg, mark);

	if (!mark[0] || !identify_fd(state_dir, id, sizeof(id)))
		return OWNER_NONE;
	if (starts_with(mark, id))
		return OWNER_US;
	if (proof)
		return OWNER_OTHER;
	return is_there(mark) ? OWNER_DOUBT : OWNER_NONE;
}

/* The device of a file system that is gone is another's by now: the container's ID has to be the same. */
static bool is_marked(const struct cg *cg, int state_dir)
{
	char mark[MARK_SIZE], path[PATH_MAX], self[32];
	const char *name, *marked;
	ssize_t n;

	read_mark(cg, mark);
	marked = strrchr(mark, '/');
	if (!marked || owner_of(cg, state_dir) != OWNER_US)
		return false;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", state_dir);
	n = readlink(self, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	name = strrchr(path, '/');
	return name && strcmp(name, marked) == 0;
}

int owner_find(const struct cg_tree *tree, int state_dir, const struct deadline *end,
	       char ret_path[PATH_MAX], struct err *err)
{
	autowalk w = { .fd = -1 };
	int r;

	if (fgetxattr(tree->fd, USER_MARK, NULL, 0) < 0 && errno == ENOTSUP)
		return err_set(err, ENOTSUP, "cgroups carry no marks (Linux 5.7)");
	for (r = cg_walk_first(&w, tree->fd, CG_DOWN, end); r > 0; r = cg_walk_next(&w))
		if (is_marked(&(struct cg){ .fd = w.fd }, state_dir))
			break;
	if (r > 0)
		r = cg_walk_path(&w, ret_path, PATH_MAX) ?: 1;
	return r < 0 ? err_code(err, r, "look for the container's cgroup") : r;
}

void owner_release(const struct cg *cg)
{
	fremovexattr(cg->fd, MARK);
	fremovexattr(cg->fd, USER_MARK);
}
