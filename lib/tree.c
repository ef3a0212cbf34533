/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tree.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* As many descriptors are open at most; what lies deeper is moved up first. */
#define DEPTH_MAX 64

struct removal {
	int top;	    /* the directory that all of it lies in */
	unsigned int moved; /* directories that were too deep, now in top */
};

/* As getdents64(2) fills it: without opendir(3), which costs four more calls a directory. */
struct listing {
	int fd;
	ssize_t len, at;
	alignas(struct dirent64) char data[4096];
};

/* The next entry but "." and ".."; NULL at the end or with errno. */
static struct dirent64 *next_entry(struct listing *l)
{
	for (;;) {
		struct dirent64 *d;

		if (l->at >= l->len) {
			l->len = syscall(SYS_getdents64, l->fd, l->data, sizeof(l->data));
			l->at = 0;
			if (l->len <= 0) {
				errno = l->len ? errno : 0;
				return NULL;
			}
		}
		d = (struct dirent64 *)(l->data + l->at);
		l->at += d->d_reclen;
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			return d;
	}
}

static int remove_entries(struct removal *rm, int fd, int depth);

static int move_up(struct removal *rm, int fd, const char *name)
{
	char up[32];
	int r;

	do {
		snprintf(up, sizeof(up), ".deep-%u", rm->moved++);
		r = renameat2(fd, name, rm->top, up, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	return r < 0 ? -errno : 0;
}

/* Before Linux 5.6: a mount point has another device than the directory that it is in. */
static int open_same_device(int fd, const char *name)
{
	autofd child = fd_open(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct stat a, b;

	if (child < 0 || fstat(child, &a) < 0 || fstat(fd, &b) < 0)
		return -1;
	if (a.st_dev == b.st_dev)
		return take_fd(&child);
	errno = EXDEV;
	return -1;
}

/* What is mounted in there is somebody else's. */
static int open_directory(int fd, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_NO_XDEV };
	int child = (int)syscall(SYS_openat2, fd, name, &how, sizeof(how));

	return child < 0 && errno == ENOSYS ? open_same_device(fd, name) : child;
}

static int remove_directory(struct removal *rm, int fd, const char *name, int depth)
{
	autofd child = -1;
	int r;

	if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	child = open_directory(fd, name);
	if (child < 0)
		return errno == ENOENT ? 0 : -errno;
	if (depth == DEPTH_MAX)
		return move_up(rm, fd, name);
	r = remove_entries(rm, child, depth + 1);
	if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_entry(struct removal *rm, int fd, const struct dirent64 *d, int depth)
{
	if (d->d_type == DT_DIR)
		return remove_directory(rm, fd, d->d_name, depth);
	if (unlinkat(fd, d->d_name, 0) == 0 || errno == ENOENT)
		return 0;
	/* A directory whose type the file system does not tell. unlink(2): EISDIR of Linux, EPERM
	 * of POSIX */
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	return remove_directory(rm, fd, d->d_name, depth);
}

static int remove_entries(struct removal *rm, int fd, int depth)
{
	struct listing listing = { .fd = fd };
	struct dirent64 *d;
	int r = 0;

	while (r == 0 && (d = next_entry(&listing)))
		r = remove_entry(rm, fd, d, depth);
	/* ENOENT: somebody else was first to remove the directory itself. */
	return r == 0 && errno && errno != ENOENT ? -errno : r;
}

int tree_remove(int dirfd, const char *name)
{
	struct removal rm = { .top = -1 };
	autofd top = -1;
	unsigned int moved;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	rm.top = top = fd_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (top < 0)
		return errno == ENOENT ? 0 : -errno;
	/* What was moved up comes on the next round. */
	do {
		moved = rm.moved;
		if (lseek(top, 0, SEEK_SET) < 0)
			return -errno;
		r = remove_entries(&rm, top, 0);
	} while (r == 0 && rm.moved != moved);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int add_usage(int fd, uint64_t *bytes, int depth)
{
	struct listing listing = { .fd = fd };
	struct dirent64 *d;
	int r = 0;

	while (r == 0 && (d = next_entry(&listing))) {
		autofd child = -1;
		struct stat st;

		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		*bytes += (uint64_t)st.st_blocks * 512;
		/* What is deeper than anybody's tree is left out rather than descriptors used up.
		 */
		if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX * 4)
			continue;
		child = open_directory(fd, d->d_name);
		if (child >= 0)
			r = add_usage(child, bytes, depth + 1);
	}
	return r == 0 && errno && errno != ENOENT ? -errno : r;
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
