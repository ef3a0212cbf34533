/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths below a root that may be hostile. The kernel resolves them (openat2 with RESOLVE_IN_ROOT,
 * Linux 5.6), so that no link, however it changes meanwhile, leads out; what is missing is made one
 * component at a time.
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <linux/errno.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#define EAGAIN_TRIES 128 /* a racing rename makes openat2 answer EAGAIN; never try for ever */
#define LINK_TRIES 40	 /* as the kernel's own limit on links in a path */

int in_root(const struct init *in, const char *path, int open_flags, uint64_t resolve)
{
	struct open_how how;
	sys_t fd;

	memset(&how, 0, sizeof(how));
	how.flags = (uint64_t)(unsigned int)open_flags | O_CLOEXEC;
	how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
	for (int i = 0; i < EAGAIN_TRIES; i++) {
		fd = sys(__NR_openat2, in->root, path[0] ? path : ".", &how, sizeof(how));
		if (fd != -EAGAIN && fd != -EINTR)
			break;
	}
	return (int)fd;
}

static bool append(char *dst, size_t size, size_t *len, const char *s, size_t n)
{
	if (*len + n >= size)
		return false;
	memcpy(dst + *len, s, n);
	*len += n;
	dst[*len] = '\0';
	return true;
}

/* The component name of the directory dirfd is a dangling link: builds in out the path that it and
 * rest stand for. */
static int follow(int dirfd, const char *name, const char *prefix, size_t prefix_len,
		  const char *rest, char *out, size_t size)
{
	char link[4096];
	sys_t n = sys(__NR_readlinkat, dirfd, name, link, sizeof(link) - 1);
	size_t len = 0;

	if (n < 0)
		return (int)n;
	out[0] = '\0';
	if (link[0] != '/' &&
	    (!append(out, size, &len, prefix, prefix_len) || !append(out, size, &len, "/", 1)))
		return -ENAMETOOLONG;
	if (!append(out, size, &len, link, (size_t)n) || !append(out, size, &len, "/", 1) ||
	    !append(out, size, &len, rest, strlen(rest)))
		return -ENAMETOOLONG;
	return 0;
}

static int make_leaf(int dirfd, const char *name, bool directory)
{
	sys_t r;

	if (directory)
		return (int)sys(__NR_mkdirat, dirfd, name, 0755);
	r = sys(__NR_openat, dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0644);
	if (r >= 0)
		sys(__NR_close, r);
	return r < 0 ? (int)r : 0;
}

/*
 * Makes the component path[start..end) in dirfd and opens it. -EAGAIN: it is a dangling link, and
 * path now holds what it and the rest stand for.
 */
static int make_component(const struct init *in, int dirfd, char *path, size_t start, size_t end,
			  bool directory, uint64_t resolve)
{
	char next[4096], saved = path[end];
	size_t rest = end;
	int r;

	while (path[rest] == '/')
		rest++;
	path[end] = '\0';
	r = make_leaf(dirfd, path + start, directory || path[rest]);
	if (r == -EEXIST && !(resolve & RESOLVE_NO_SYMLINKS)) {
		r = follow(dirfd, path + start, path, start, saved ? path + rest : "", next,
			   sizeof(next));
		if (r == 0) {
			memcpy(path, next, strlen(next) + 1);
			return -EAGAIN;
		}
		/* Somebody else made it meanwhile, and it is no link: take it as it is. */
		if (r == -EINVAL)
			r = 0;
	}
	if (r == 0)
		r = in_root(in, path, O_PATH, resolve);
	path[end] = saved;
	return r;
}

/* Makes the components of path (a buffer of 4096) that are missing; the last one a directory or an
 * empty file. */
static int make_missing(const struct init *in, char *path, bool directory, uint64_t resolve)
{
	size_t end = 0, start;
	int dirfd = in_root(in, ".", O_PATH | O_DIRECTORY, 0);

	while (dirfd >= 0) {
		char saved;
		int fd;

		while (path[end] == '/')
			end++;
		start = end;
		while (path[end] && path[end] != '/')
			end++;
		if (start == end)
			break;
		saved = path[end];
		path[end] = '\0';
		fd = in_root(in, path, O_PATH, resolve);
		path[end] = saved;
		if (fd == -ENOENT)
			fd = make_component(in, dirfd, path, start, end, directory, resolve);
		sys(__NR_close, dirfd);
		dirfd = fd;
	}
	return dirfd;
}

int target_open(const struct init *in, const char *path, bool directory, uint64_t resolve)
{
	char work[4096];
	size_t len = strlen(path);
	int fd = in_root(in, path, O_PATH, resolve);

	if (fd != -ENOENT)
		return fd;
	if (len >= sizeof(work))
		return -ENAMETOOLONG;
	memcpy(work, path, len + 1);
	for (int i = 0; i < LINK_TRIES; i++) {
		fd = make_missing(in, work, directory, resolve);
		if (fd != -EAGAIN)
			return fd;
	}
	return -ELOOP;
}

int parent_open(struct init *in, const char *path, const char **ret_leaf)
{
	size_t len = strlen(path);
	int fd;

	while (len && path[len - 1] != '/')
		len--;
	if (!path[len] || len >= sizeof(in->parent_path))
		return -EINVAL;
	*ret_leaf = path + len;
	if (in->parent >= 0 && len == strlen(in->parent_path) &&
	    memcmp(path, in->parent_path, len) == 0)
		return in->parent;
	if (in->parent >= 0)
		sys(__NR_close, in->parent);
	in->parent = -1;
	memcpy(in->parent_path, path, len);
	in->parent_path[len] = '\0';
	fd = target_open(in, in->parent_path, true, 0);
	if (fd >= 0)
		in->parent = fd;
	return fd;
}
