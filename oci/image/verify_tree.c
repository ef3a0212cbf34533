/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of a layer's tree as it lies on disk, for layers whose files cannot be found by the names
 * of their stream's members: those that were unpacked through the layers below them, and those that
 * name a file twice.
 */
#include "oci/image/verify_private.h"

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/types.h"
#include "oci/image/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than the extractor makes. */
#define DEPTH_MAX 300
#define CHUNK ((size_t)64 << 10)

struct summing {
	struct hash *quick, *deep, *xattrs; /* all but the first: NULL when nobody asks */
	bool user_xattr;
	char *chunk;
};

static void add(struct summing *s, const void *data, size_t len)
{
	hash_add(s->quick, data, len);
	if (s->deep)
		hash_add(s->deep, data, len);
}

static void add_attributes(struct summing *s, const char *name, const struct stat *st)
{
	const uint64_t values[] = {
		st->st_mode,
		st->st_uid,
		st->st_gid,
		S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		(uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
	};

	add(s, name, strlen(name) + 1);
	add(s, values, sizeof(values));
}

static int add_link(struct summing *s, int dir, const char *name)
{
	ssize_t len = readlinkat(dir, name, s->chunk, CHUNK);

	if (len < 0)
		return -errno;
	add(s, s->chunk, (size_t)len);
	return 0;
}

/* What is no attribute of a name: kept in a sum of its own, which stores of earlier versions lack. */
static int add_inode(struct summing *s, int fd, const char *name, uint64_t links)
{
	if (!s->xattrs)
		return 0;
	hash_add(s->xattrs, name, strlen(name) + 1);
	hash_add(s->xattrs, &links, sizeof(links));
	return verify_add_xattrs(fd, s->user_xattr, s->xattrs);
}

static int add_contents(struct summing *s, int dir, const char *name, const struct stat *st)
{
	autofd fd = fd_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	int r = fd < 0 ? -errno : add_inode(s, fd, name, st->st_nlink);
	ssize_t n;

	if (r < 0)
		return r;
	while ((n = fd_read_full(fd, s->chunk, CHUNK)) > 0)
		hash_add(s->deep, s->chunk, (size_t)n);
	return (int)n;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(int fd, struct arena *a, struct strv *ret)
{
	int listing = fd_open(fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = listing < 0 ? NULL : fdopendir(listing);
	size_t room = 0;
	struct dirent *d;
	int r;

	if (!dir) {
		if (listing >= 0)
			close(listing);
		return -errno;
	}
	*ret = (struct strv){ NULL, 0 };
	while (errno = 0, (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (ret->count == room) {
			char **items = arena_calloc(a, room = room ? room * 2 : 32, sizeof(*items));

			if (ret->count)
				memcpy(items, ret->items, ret->count * sizeof(*items));
			ret->items = items;
		}
		ret->items[ret->count++] = arena_strdup(a, d->d_name);
	}
	r = -errno;
	closedir(dir);
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_name);
	return r;
}

static int add_directory(struct summing *s, int fd, const char *name, int depth);

static int add_entry(struct summing *s, int dir, const char *name, int depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	add_attributes(s, name, &st);
	if (S_ISLNK(st.st_mode))
		return add_link(s, dir, name);
	if (S_ISREG(st.st_mode) && s->deep)
		return add_contents(s, dir, name, &st);
	if (S_ISDIR(st.st_mode)) {
		autofd fd = fd_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		return fd < 0 ? -errno : add_directory(s, fd, name, depth + 1);
	}
	return 0;
}

static int add_directory(struct summing *s, int fd, const char *name, int depth)
{
	autoarena a = ARENA_INIT;
	struct strv names = { NULL, 0 };
	int r = depth == DEPTH_MAX ? -ELOOP : list(fd, &a, &names);

	/* How many links directories have is up to the file system. */
	if (r == 0)
		r = add_inode(s, fd, name, 1);
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = add_entry(s, fd, names.items[i], depth);
	/* The end of a directory: no name is empty. */
	add(s, "", 1);
	return r;
}

static void finish(struct hash *h, char ret[DIGEST_SIZE])
{
	if (h)
		hash_finish(h, ret);
}

int verify_tree_sum(int root, bool deep, bool user_xattr, struct verify_sums *ret, struct err *err)
{
	struct summing s = { hash_new("sha256:"), deep ? hash_new("sha256:") : NULL,
			     deep ? hash_new("sha256:") : NULL, user_xattr, malloc(CHUNK) };
	struct stat st;
	int r = s.chunk ? 0 : -ENOMEM;

	if (r == 0 && fstat(root, &st) < 0)
		r = -errno;
	if (r == 0) {
		add_attributes(&s, ".", &st);
		r = add_directory(&s, root, ".", 0);
	}
	finish(s.quick, ret->quick);
	finish(s.deep, ret->deep);
	finish(s.xattrs, ret->xattrs);
	free(s.chunk);
	return r < 0 ? err_code(err, r, "look through its files") : 0;
}
