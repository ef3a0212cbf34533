/* SPDX-License-Identifier: Apache-2.0 */
/* Names to open directories: nothing else of the extractor resolves a path. */
#include "oci/image/extract_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

/* No image is so deep; removing and confining take time that grows with its square. */
#define PARTS_MAX 256
#define EAGAIN_TRIES 128 /* a rename anywhere makes openat2 answer EAGAIN; never try for ever */

int extract_clean(const char *name, char ret[PATH_MAX], struct err *err)
{
	size_t len = 0, parts = 0;

	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && memcmp(name, "..", 2) == 0)
			return err_set(err, EINVAL, "its name has \"..\" in it");
		if (n && !(n == 1 && *name == '.')) {
			if (len + 1 + n >= PATH_MAX || ++parts > PARTS_MAX)
				return err_set(err, ENAMETOOLONG,
					       "its name has more than %d bytes or %d parts",
					       PATH_MAX - 1, PARTS_MAX);
			if (len)
				ret[len++] = '/';
			memcpy(ret + len, name, n);
			len += n;
		}
		name += n;
		while (*name == '/')
			name++;
	}
	ret[len] = '\0';
	return 0;
}

const char *extract_leaf(const char *path, size_t *ret_parent_len)
{
	const char *slash = strrchr(path, '/');

	*ret_parent_len = slash ? (size_t)(slash - path) : 0;
	return slash ? slash + 1 : path;
}

static int open_below(const struct extract *x, const char *path, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};

	for (int i = 0; i < EAGAIN_TRIES; i++) {
		int fd = (int)syscall(SYS_openat2, x->opts.root_fd, *path ? path : ".", &how,
				      sizeof(how));

		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return -1;
}

/* Links of links would add up to a depth that no name has. */
static bool is_too_deep(const struct extract *x, int fd)
{
	struct stat root, st;
	/* Not fcntl(2), which the process may not call once it is confined. */
	autofd cur = fd_open(fd, ".", O_RDONLY | O_DIRECTORY);

	if (fstat(x->opts.root_fd, &root) < 0)
		return true;
	for (int depth = 0; depth <= PARTS_MAX && cur >= 0 && fstat(cur, &st) == 0; depth++) {
		int up;

		if (st.st_ino == root.st_ino && st.st_dev == root.st_dev)
			return false;
		up = fd_open(cur, "..", O_RDONLY | O_DIRECTORY);
		close(cur);
		cur = up;
	}
	return true;
}

static int open_in_root(const struct extract *x, const char *path)
{
	int fd = open_below(x, path, RESOLVE_NO_SYMLINKS);

	if (fd >= 0 || errno != ELOOP)
		return fd;
	fd = open_below(x, path, 0);
	if (fd >= 0 && is_too_deep(x, fd)) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	return fd;
}

static void close_dir(struct extract_dir *d)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, d->mtime };

	if (!d->path)
		return;
	if (d->dirty)
		futimens(d->fd, times);
	close(d->fd);
	free(d->path);
	memset(d, 0, sizeof(*d));
}

void extract_dirs_close(struct extract *x)
{
	for (int i = 0; i < EXTRACT_DIRS; i++)
		close_dir(&x->dirs[i]);
}

static struct extract_dir *cached(struct extract *x, const char *path, size_t len)
{
	for (int i = 0; i < EXTRACT_DIRS; i++) {
		struct extract_dir *d = &x->dirs[i];

		if (d->path && d->len == len && memcmp(d->path, path, len) == 0) {
			d->used = ++x->clock;
			return d;
		}
	}
	return NULL;
}

static struct extract_dir *oldest(struct extract *x)
{
	struct extract_dir *found = &x->dirs[0];

	for (int i = 1; i < EXTRACT_DIRS; i++)
		if (x->dirs[i].used < found->used)
			found = &x->dirs[i];
	return found;
}

static struct extract_dir *same_inode(struct extract *x, const struct stat *st,
				      const struct extract_dir *after)
{
	for (struct extract_dir *d = after ? (struct extract_dir *)after + 1 : x->dirs;
	     d < x->dirs + EXTRACT_DIRS; d++)
		if (d->path && d->ino == st->st_ino && d->dev == st->st_dev)
			return d;
	return NULL;
}

void extract_dir_add(struct extract *x, const char *path, size_t len, int fd, const struct stat *st,
		     struct extract_dir **ret)
{
	struct extract_dir *d = oldest(x), *other;

	close_dir(d);
	other = same_inode(x, st, NULL);
	*d = (struct extract_dir){
		.path = strndup(path, len),
		.len = len,
		.fd = fd,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.gid = st->st_gid,
		/* The same directory through a link: on disk it may be that of our own changes. */
		.mtime = other ? other->mtime : st->st_mtim,
		.used = ++x->clock,
	};
	if (!d->path)
		_exit(255);
	*ret = d;
}

void extract_dir_changed(struct extract *x, const struct stat *st, const struct timespec *mtime,
			 gid_t gid)
{
	for (struct extract_dir *d = NULL; (d = same_inode(x, st, d));) {
		d->mtime = *mtime;
		d->gid = gid;
		d->dirty = true;
	}
}

/* A missing parent: 0755 root:root, and its own parent keeps its mtime. */
static int make_one(struct extract *x, int parent, const char *name, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;
	int r = extract_count(x, err);

	if (r < 0)
		return r;
	if (fstat(parent, &st) < 0 || mkdirat(parent, name, 0755) < 0)
		return errno == EEXIST ? -ENOENT : err_errno(err, "make its directory");
	times[1] = st.st_mtim;
	futimens(parent, times);
	if (x->opts.keep_ids && (x->uid || x->gid || st.st_gid) &&
	    fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "set the owner of its directory");
	x->result.needs_lower = !x->opts.merged;
	return 0;
}

/* path: up to and with name. A part that was removed from the layers below and is a directory
 * again. */
static int revive(struct extract *x, int parent, const char *name, const char *path, int *ret,
		  struct err *err)
{
	struct stat st;
	int r;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "look at its directory");
	if (!extract_is_whiteout(&st))
		return err_set(err, EINVAL, "\"%.80s\" above it is not a directory", name);
	if (unlinkat(parent, name, 0) < 0)
		return err_errno(err, "remove a whiteout");
	r = make_one(x, parent, name, err);
	if (r < 0)
		return r;
	*ret = fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (*ret < 0)
		return err_errno(err, "open its directory");
	return extract_set_opaque(x, *ret, path, strlen(path), err);
}

/* One step down. Only links go through the whole path again, of which the kernel follows 40. */
static int step(struct extract *x, int parent, const char *name, const char *path, int *ret,
		struct err *err)
{
	int r;

	*ret = fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (*ret < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		*ret = open_in_root(x, path);
		if (*ret < 0 && errno == ENOTDIR)
			return revive(x, parent, name, path, ret, err);
		if (*ret < 0 && errno == ENOENT)
			return -ENOENT;
	}
	if (*ret < 0 && errno == ENOENT) {
		r = make_one(x, parent, name, err);
		if (r < 0)
			return r;
		*ret = fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	}
	return *ret < 0 ? err_errno(err, "open its directory") : 0;
}

static int make_parents(struct extract *x, char *path, int *ret, struct err *err)
{
	autofd cur = open_in_root(x, "");

	if (cur < 0)
		return err_errno(err, "open the root");
	for (char *name = path, *end; name; name = end ? end + 1 : NULL) {
		int next = -1, r;

		end = strchr(name, '/');
		if (end)
			*end = '\0';
		r = step(x, cur, name, path, &next, err);
		if (end)
			*end = '/';
		close(cur);
		cur = next;
		if (r < 0)
			return r;
	}
	*ret = take_fd(&cur);
	return 0;
}

int extract_dir(struct extract *x, const char *path, size_t len, bool make,
		struct extract_dir **ret, struct err *err)
{
	struct extract_dir *d = cached(x, path, len);
	char text[PATH_MAX];
	autofd fd = -1;
	struct stat st;
	int r;

	if (d) {
		*ret = d;
		return 0;
	}
	memcpy(text, path, len);
	text[len] = '\0';
	fd = open_in_root(x, text);
	if (fd < 0 && !make && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		int made = -1;

		r = make_parents(x, text, &made, err);
		if (r < 0)
			return r;
		fd = made;
	}
	if (fd < 0 && errno == ELOOP)
		return err_set(err, EINVAL, "symbolic links above it lead in a circle");
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "open its directory");
	extract_dir_add(x, path, len, take_fd(&fd), &st, ret);
	return 0;
}
