/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tree.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As many descriptors are open at most; what lies deeper is moved up first. */
#define DEPTH_MAX 64

struct removal {
	int top; /* the directory that all of it lies in */
	dev_t dev;
	unsigned int moved; /* directories that were too deep, now in top */
};

static DIR *open_listing(int fd)
{
	int listing = fd_open(fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = listing < 0 ? NULL : fdopendir(listing);

	if (!dir && listing >= 0)
		close(listing);
	return dir;
}

static bool dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int remove_entries(struct removal *rm, int fd, int depth);

static int move_up(struct removal *rm, int fd, const char *name)
{
	char up[32];

	do {
		snprintf(up, sizeof(up), ".deep-%u", rm->moved++);
	} while (renameat2(fd, name, rm->top, up, RENAME_NOREPLACE) < 0 && errno == EEXIST);
	return faccessat(rm->top, up, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int remove_directory(struct removal *rm, int fd, const char *name, int depth)
{
	autofd child = fd_open(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct stat st;
	int r;

	if (child < 0 || fstat(child, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != rm->dev)
		return -EXDEV;
	if (depth == DEPTH_MAX)
		return move_up(rm, fd, name);
	r = remove_entries(rm, child, depth + 1);
	if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_entry(struct removal *rm, int fd, const char *name, int depth)
{
	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* unlink(2): EISDIR of Linux, EPERM of POSIX */
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return remove_directory(rm, fd, name, depth);
}

static int remove_entries(struct removal *rm, int fd, int depth)
{
	DIR *dir = open_listing(fd);
	struct dirent *d;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, d = readdir(dir)))
		if (!dots(d->d_name))
			r = remove_entry(rm, fd, d->d_name, depth);
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

int tree_remove(int dirfd, const char *name)
{
	struct removal rm = { 0 };
	autofd top = -1;
	struct stat st;
	unsigned int moved;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	top = fd_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (top < 0 || fstat(top, &st) < 0)
		return -errno;
	rm.top = top;
	rm.dev = st.st_dev;
	do {
		moved = rm.moved;
		r = remove_entries(&rm, top, 0);
	} while (r == 0 && rm.moved != moved);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int add_usage(int fd, uint64_t *bytes, int depth)
{
	DIR *dir = open_listing(fd);
	struct dirent *d;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, d = readdir(dir))) {
		autofd child = -1;
		struct stat st;

		if (dots(d->d_name) || fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		*bytes += (uint64_t)st.st_blocks * 512;
		/* What is deeper than anybody's tree is left out rather than descriptors used up.
		 */
		if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX * 4)
			continue;
		child = fd_open(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (child >= 0)
			r = add_usage(child, bytes, depth + 1);
	}
	closedir(dir);
	return r;
}

int tree_usage(int dirfd, const char *name, uint64_t *ret_bytes)
{
	autofd fd = fd_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	uint64_t bytes = 0;
	int r = fd < 0 ? -errno : add_usage(fd, &bytes, 0);

	if (r == 0)
		*ret_bytes = bytes;
	return r;
}
