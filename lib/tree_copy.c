/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* As deep as layers of images may be. Two descriptors each. */
#define DEPTH_MAX 256
#define XATTR_VALUE_MAX ((size_t)64 << 10)
/* So much at once: a slow disk must not keep a signal waiting for long. */
#define PIECE_MAX ((size_t)16 << 20)

/* A file with several links that was copied: the further ones become links again. */
struct linked {
	ino_t ino;
	char *path; /* below the target */
};

struct copying {
	struct arena arena; /* of the links' paths */
	int target;
	struct linked *links;
	size_t link_count, link_room;
	struct buf path; /* of what is being copied, below the target */
	char *list, *value;
	const volatile int *interrupted;
};

static bool is_interrupted(const struct copying *c)
{
	return c->interrupted && *c->interrupted;
}

/* size bytes from where both are. */
static int copy_bytes(const struct copying *c, int from, int to, off_t size)
{
	char chunk[65536];

	while (size > 0) {
		size_t piece = size < (off_t)PIECE_MAX ? (size_t)size : PIECE_MAX;
		ssize_t n;

		if (is_interrupted(c))
			return -EINTR;
		n = copy_file_range(from, NULL, to, NULL, piece, 0);
		if (n > 0) {
			size -= n;
			continue;
		}
		/* Between file systems that do not know each other (before Linux 5.19, and some pairs after). */
		n = fd_read_full(from, chunk,
				 size < (off_t)sizeof(chunk) ? (size_t)size : sizeof(chunk));
		if (n <= 0)
			return (int)n;
		size -= n;
		n = fd_write_full(to, chunk, (size_t)n);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

/* Holes stay holes: a small image must not fill the disk with them. */
static int copy_data(const struct copying *c, int from, int to, off_t size)
{
	off_t at = 0, end;
	int r = ftruncate(to, size) < 0 ? -errno : 0;

	while (r == 0 && at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -errno;
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
			return -errno;
		r = copy_bytes(c, from, to, end - at);
		at = end;
	}
	return r;
}

/* What the target's file system or our rights do not allow is left out, as cp -a does. */
static void copy_xattrs(struct copying *c, int from, int to)
{
	ssize_t len = flistxattr(from, c->list, XATTR_LIST_MAX);

	for (const char *name = c->list; len > 0 && name < c->list + len;
	     name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, c->value, XATTR_VALUE_MAX);

		if (size >= 0)
			fsetxattr(to, name, c->value, (size_t)size, 0);
	}
}

/* Ownership first, as it clears the set-user-ID bits and file capabilities. */
static int copy_attributes(struct copying *c, int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	copy_xattrs(c, from, to);
	return futimens(to, times) < 0 ? -errno : 0;
}

static int copy_file(struct copying *c, int dir, int to_dir, const char *name,
		     const struct stat *st)
{
	autofd from = fd_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), to = -1;
	int r;

	if (from < 0)
		return -errno;
	to = fd_create(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (to < 0)
		return -errno;
	r = copy_data(c, from, to, st->st_size);
	return r < 0 ? r : copy_attributes(c, from, to, st);
}

static int copy_link(int dir, int to_dir, const char *name, const struct stat *st)
{
	autofree char *target = malloc((size_t)st->st_size + 1);
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	ssize_t len;

	if (!target)
		return -ENOMEM;
	len = readlinkat(dir, name, target, (size_t)st->st_size + 1);
	if (len < 0 || len > st->st_size)
		return len < 0 ? -errno : -EAGAIN;
	target[len] = '\0';
	if (symlinkat(target, to_dir, name) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_node(int to_dir, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* 1: it is a link to one that was copied before. */
static int copy_again(struct copying *c, const struct stat *st)
{
	for (size_t i = 0; i < c->link_count; i++)
		if (c->links[i].ino == st->st_ino)
			return linkat(c->target, c->links[i].path, c->target, c->path.data, 0) < 0
				       ? -errno
				       : 1;
	return 0;
}

static int remember(struct copying *c, const struct stat *st)
{
	if (c->link_count == c->link_room) {
		size_t room = c->link_room ? c->link_room * 2 : 64;
		struct linked *links = realloc(c->links, room * sizeof(*links));

		if (!links)
			return -ENOMEM;
		c->links = links;
		c->link_room = room;
	}
	c->links[c->link_count++] =
		(struct linked){ st->st_ino, arena_strdup(&c->arena, c->path.data) };
	return 0;
}

static int copy_entries(struct copying *c, int from, int to, int depth);

static int copy_directory(struct copying *c, int dir, int to_dir, const char *name,
			  const struct stat *st, int depth)
{
	autofd from = fd_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), to = -1;
	int r;

	if (depth == DEPTH_MAX)
		return -ELOOP;
	if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
		return -errno;
	to = fd_open(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (to < 0)
		return -errno;
	r = copy_entries(c, from, to, depth + 1);
	return r < 0 ? r : copy_attributes(c, from, to, st);
}

static int copy_entry(struct copying *c, int from, int to, const char *name, int depth)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_directory(c, from, to, name, &st, depth);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (st.st_nlink > 1) {
		r = copy_again(c, &st);
		if (r)
			return r < 0 ? r : 0;
	}
	if (S_ISREG(st.st_mode))
		r = copy_file(c, from, to, name, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, to, name, &st);
	else
		r = copy_node(to, name, &st);
	return r == 0 && st.st_nlink > 1 ? remember(c, &st) : r;
}

static int copy_entries(struct copying *c, int from, int to, int depth)
{
	int listing = fd_open(from, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = listing < 0 ? NULL : fdopendir(listing);
	size_t len = c->path.len;
	struct dirent *d;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (listing >= 0)
			close(listing);
		return r;
	}
	while (r == 0 && (errno = 0, d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		buf_addf(&c->path, "%s%s", len ? "/" : "", d->d_name);
		r = is_interrupted(c) ? -EINTR : copy_entry(c, from, to, d->d_name, depth);
		c->path.data[c->path.len = len] = '\0';
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

int tree_copy(int from, int to, const volatile int *interrupted)
{
	struct copying c = { .arena = ARENA_INIT,
			     .target = to,
			     .path = BUF_INIT,
			     .list = malloc(XATTR_LIST_MAX),
			     .value = malloc(XATTR_VALUE_MAX),
			     .interrupted = interrupted };
	struct stat st;
	int r = c.list && c.value ? 0 : -ENOMEM;

	if (r == 0 && fstat(from, &st) < 0)
		r = -errno;
	if (r == 0)
		r = copy_entries(&c, from, to, 0);
	if (r == 0)
		r = copy_attributes(&c, from, to, &st);
	arena_done(&c.arena);
	free(c.links);
	free(c.list);
	free(c.value);
	buf_done(&c.path);
	return r;
}
