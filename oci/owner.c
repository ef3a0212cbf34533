/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/owner.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Of a user, as an ordinary one may set it on a group of his own. */
#define MARK "user.tote"
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

/* The mark with an end, or "". */
static void read_mark(const struct cg *cg, char mark[MARK_SIZE])
{
	ssize_t n = fgetxattr(cg->fd, MARK, mark, MARK_SIZE - 1);

	mark[n > 0 ? n : 0] = '\0';
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

int owner_claim(const struct cg *cg, int state_dir, struct err *err)
{
	char mark[MARK_SIZE], self[32];
	size_t len;
	ssize_t n;

	/* Nobody can have marked what was just made. */
	if (!cg->made && owner_of(cg, state_dir) == OWNER_OTHER) {
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
		fsetxattr(cg->fd, MARK, mark, len + (size_t)n, 0);
	return 0;
}

enum owner owner_of(const struct cg *cg, int state_dir)
{
	char mark[MARK_SIZE], id[64];

	read_mark(cg, mark);
	if (!mark[0] || !identify_fd(state_dir, id, sizeof(id)))
		return OWNER_NONE;
	return starts_with(mark, id) ? OWNER_US : OWNER_OTHER;
}

/* The device of a file system that is gone is another's by now: the container's ID has to be the same. */
static bool is_marked(const struct cg *cg, int state_dir)
{
	char mark[MARK_SIZE], path[PATH_MAX], self[32];
	const char *name, *marked;
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", state_dir);
	n = readlink(self, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	read_mark(cg, mark);
	name = strrchr(path, '/');
	marked = strrchr(mark, '/');
	return name && marked && strcmp(name, marked) == 0 && owner_of(cg, state_dir) == OWNER_US;
}

/* path has len bytes and room for PATH_MAX. What is removed meanwhile was none of ours. */
static int look_below(int dir_fd, int state_dir, char *path, size_t len)
{
	const struct cg cg = { .fd = dir_fd };
	int again = fd_open(dir_fd, ".", O_RDONLY | O_DIRECTORY), r = 0;
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *d;

	if (!dir) {
		r = errno == ENOENT || errno == ENODEV ? 0 : -errno;
		cleanup_fd(&again);
		return r;
	}
	if (is_marked(&cg, state_dir))
		r = 1;
	while (r == 0 && (d = readdir(dir))) {
		size_t size = strlen(d->d_name) + 1;
		autofd below = -1;

		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (len + size >= PATH_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		path[len] = '/';
		memcpy(path + len + 1, d->d_name, size);
		below = fd_open(again, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (below >= 0)
			r = look_below(below, state_dir, path, len + size);
		else if (errno != ENOENT && errno != ENODEV)
			r = -errno;
	}
	closedir(dir);
	return r;
}

int owner_find(const struct cg_tree *tree, int state_dir, char ret_path[PATH_MAX], struct err *err)
{
	int r;

	if (fgetxattr(tree->fd, MARK, NULL, 0) < 0 && errno == ENOTSUP)
		return err_set(err, ENOTSUP, "cgroups carry no marks (Linux 5.7)");
	ret_path[0] = '\0';
	r = look_below(tree->fd, state_dir, ret_path, 0);
	return r < 0 ? err_code(err, r, "look for cgroups below %s/", ret_path) : r;
}

void owner_release(const struct cg *cg)
{
	fremovexattr(cg->fd, MARK);
}
