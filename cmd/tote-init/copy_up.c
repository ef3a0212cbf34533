/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "tmpcopyup" mount option: a tmpfs starts with what the directory below it held. Runs before
 * the container's program, on descriptors only; links are copied, never followed.
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <linux/errno.h>
#include <linux/stat.h>

#define MAX_DEPTH 64

struct dirent64 {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static int copy_directory(int from, int to, int depth);

static int copy_data(int from, int to, uint64_t size)
{
	while (size) {
		size_t chunk = size > 1 << 30 ? 1 << 30 : (size_t)size;
		sys_t n = sys(__NR_sendfile, to, from, 0, chunk);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		size -= (uint64_t)n;
	}
	return 0;
}

static int copy_file(int from, int to, const char *name, const struct statx *st)
{
	sys_t in = sys(__NR_openat, from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), out;
	int r;

	if (in < 0)
		return (int)in;
	out = sys(__NR_openat, to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = out < 0 ? (int)out : copy_data((int)in, (int)out, st->stx_size);
	sys(__NR_close, in);
	sys(__NR_close, out);
	return r;
}

static int copy_link(int from, int to, const char *name)
{
	char link[4096];
	sys_t n = sys(__NR_readlinkat, from, name, link, sizeof(link) - 1);

	if (n < 0)
		return (int)n;
	link[n] = '\0';
	return (int)sys(__NR_symlinkat, link, to, name);
}

static int copy_subdirectory(int from, int to, const char *name, int depth)
{
	sys_t in, out, r = sys(__NR_mkdirat, to, name, 0700);

	if (r < 0)
		return (int)r;
	in = sys(__NR_openat, from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return (int)in;
	out = sys(__NR_openat, to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = out < 0 ? out : copy_directory((int)in, (int)out, depth + 1);
	sys(__NR_close, in);
	sys(__NR_close, out);
	return (int)r;
}

static int copy_metadata(int to, const char *name, const struct statx *st)
{
	struct {
		int64_t sec, nsec;
	} times[2] = {
		{ st->stx_atime.tv_sec, st->stx_atime.tv_nsec },
		{ st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec },
	};
	sys_t r = sys(__NR_fchownat, to, name, st->stx_uid, st->stx_gid, AT_SYMLINK_NOFOLLOW);

	if (r == 0 && (st->stx_mode & S_IFMT) != S_IFLNK)
		r = sys(__NR_fchmodat, to, name, st->stx_mode & 07777);
#ifdef __NR_utimensat_time64
	if (r == 0)
		r = sys(__NR_utimensat_time64, to, name, times, AT_SYMLINK_NOFOLLOW);
#else
	if (r == 0)
		r = sys(__NR_utimensat, to, name, times, AT_SYMLINK_NOFOLLOW);
#endif
	return (int)r;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct statx st;
	sys_t r = sys(__NR_statx, from, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st);

	if (r < 0)
		return (int)r;
	switch (st.stx_mode & S_IFMT) {
	case S_IFREG:
		r = copy_file(from, to, name, &st);
		break;
	case S_IFDIR:
		r = copy_subdirectory(from, to, name, depth);
		break;
	case S_IFLNK:
		r = copy_link(from, to, name);
		break;
	case S_IFIFO:
		r = sys(__NR_mknodat, to, name, st.stx_mode, 0);
		break;
	default:
		return 0; /* devices and sockets have no place on a tmpfs that is to be nodev */
	}
	return r < 0 ? (int)r : copy_metadata(to, name, &st);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int copy_directory(int from, int to, int depth)
{
	_Alignas(struct dirent64) char entries[4096];
	sys_t n;

	if (depth > MAX_DEPTH)
		return -ELOOP;
	while ((n = sys(__NR_getdents64, from, entries, sizeof(entries))) > 0) {
		for (sys_t at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(entries + at);
			int r = is_dots(d->name) ? 0 : copy_entry(from, to, d->name, depth);

			if (r < 0)
				return r;
			at += d->reclen;
		}
	}
	return (int)n;
}

int copy_up(int from, int to)
{
	return copy_directory(from, to, 0);
}
