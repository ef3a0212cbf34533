/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step: whiteouts below opaque directories hide nothing, and overlayfs would show them.
 * Only layers with both are walked.
 */
#include "oci/image/extract_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A directory above the one that is read: where to go on in it. */
struct level {
	off_t next;
	bool opaque;
};

struct sweep {
	struct extract *x;
	int fd;
	struct level here;
	struct buf above; /* struct level */
};

static int remove_whiteout(int fd, const char *name)
{
	struct stat dir, st;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || fstat(fd, &dir) < 0)
		return -errno;
	if (!extract_is_whiteout(&st))
		return 0;
	times[1] = dir.st_mtim;
	return unlinkat(fd, name, 0) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

/* In a pass of its own, as what is removed may move the place where reading goes on. */
static int remove_whiteouts(int fd)
{
	_Alignas(struct dirent64) char list[4096];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = getdents64(fd, list, sizeof(list))) > 0)
		for (char *p = list; r == 0 && p < list + n;) {
			struct dirent64 *d = (struct dirent64 *)p;

			p += d->d_reclen;
			if (d->d_type == DT_CHR || d->d_type == DT_UNKNOWN)
				r = remove_whiteout(fd, d->d_name);
		}
	if (r == 0 && (n < 0 || lseek(fd, 0, SEEK_SET) < 0))
		return -errno;
	return r;
}

/* fd is taken over. */
static int enter(struct sweep *s, int fd)
{
	struct stat st;

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	buf_add(&s->above, &s->here, sizeof(s->here));
	close(s->fd);
	s->fd = fd;
	s->here.next = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	s->here.opaque = s->here.opaque || extract_inodes_has(&s->x->opaque, st.st_ino);
	return s->here.opaque ? remove_whiteouts(fd) : 0;
}

static int leave(struct sweep *s)
{
	int fd = fd_open(s->fd, "..", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return -errno;
	close(s->fd);
	s->fd = fd;
	s->above.len -= sizeof(s->here);
	memcpy(&s->here, s->above.data + s->above.len, sizeof(s->here));
	return lseek(fd, s->here.next, SEEK_SET) < 0 ? -errno : 0;
}

/* Goes on in the directory until one below: 1 entered, 0 at its end. */
static int next_dir(struct sweep *s)
{
	_Alignas(struct dirent64) char list[4096];
	ssize_t n;

	while ((n = getdents64(s->fd, list, sizeof(list))) > 0)
		for (char *p = list; p < list + n;) {
			struct dirent64 *d = (struct dirent64 *)p;
			const char *name = d->d_name;
			size_t depth = s->above.len;
			int r;

			p += d->d_reclen;
			s->here.next = d->d_off;
			if ((d->d_type != DT_DIR && d->d_type != DT_UNKNOWN) ||
			    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
				continue;
			r = enter(s, fd_open(s->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
			if (r < 0 || s->above.len > depth)
				return r < 0 ? r : 1;
		}
	return n < 0 ? -errno : 0;
}

static int walk(struct sweep *s)
{
	for (;;) {
		int r = next_dir(s);

		if (r == 0 && !s->above.len)
			return 0;
		if (r == 0)
			r = leave(s);
		if (r < 0)
			return r;
	}
}

int extract_sweep(struct extract *x, struct err *err)
{
	struct sweep s = { .x = x };
	int r;

	if (!x->opaque.count || !x->whiteouts)
		return 0;
	s.fd = fd_open(x->opts.root_fd, ".", O_RDONLY | O_DIRECTORY);
	r = s.fd < 0 ? -errno : walk(&s);
	if (s.fd >= 0)
		close(s.fd);
	buf_done(&s.above);
	return r < 0 ? err_code(err, r, "remove needless whiteouts") : 0;
}
