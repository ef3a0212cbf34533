/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/layout.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/image/layout_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 8

static int by_name(const void *a, const void *b)
{
	const struct layout_member *m = a, *n = b;
	int order = strcmp(m->name, n->name);

	/* Of equal names the last one counts, as it would after extraction. */
	return order ? order : (m->offset < n->offset) - (m->offset > n->offset);
}

static int index_archive(struct layout *l, struct err *err)
{
	struct member_list list = { NULL, 0 };
	struct stat st;
	int r = fstat(l->fd, &st) < 0 ? err_errno(err, "stat") : 0;

	if (r == 0)
		r = layout_scan(l->fd, (uint64_t)st.st_size, &l->arena, &list, err);
	if (r < 0)
		return r;
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), by_name);
	l->members.items = list.items;
	l->members.count = list.count;
	return 0;
}

int layout_open(const char *path, int spool_dir, uint64_t max_bytes, struct layout *ret,
		struct err *err)
{
	autolayout l = LAYOUT_INIT;
	struct stat st;
	int r = 0;

	/* Not blocked by a fifo that nobody writes to: it is read like stdin, and then waits. */
	l.fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
				      : fd_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
	if (l.fd < 0 || fstat(l.fd, &st) < 0)
		return err_errno(err, "open %s", path);
	l.directory = S_ISDIR(st.st_mode);
	if (!l.directory) {
		r = layout_spool(&l.fd, spool_dir, max_bytes, err);
		if (r == 0)
			r = index_archive(&l, err);
	}
	if (r < 0)
		return err_prefix(err, "%s", strcmp(path, "-") == 0 ? "stdin" : path);
	*ret = l;
	l = (struct layout)LAYOUT_INIT;
	return 0;
}

void layout_close(struct layout *l)
{
	if (l->fd >= 0)
		close(l->fd);
	arena_done(&l->arena);
	*l = (struct layout)LAYOUT_INIT;
}

static const struct layout_member *find_member(const struct layout *l, const char *name)
{
	size_t low = 0, high = l->members.count;

	/* The first of equal ones. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(l->members.items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->members.count && strcmp(l->members.items[low].name, name) == 0
		       ? &l->members.items[low]
		       : NULL;
}

static int find_in_archive(const struct layout *l, const char *name, struct extent *ret,
			   struct err *err)
{
	const struct layout_member *m = find_member(l, name);

	/* docker save wrote a layer that several images share once, and links to it. */
	for (int links = 0; m && m->target && links < LINKS_MAX; links++)
		m = find_member(l, m->target);
	if (!m || m->target)
		return err_set(err, ENOENT, "it has no %s", name);
	ret->fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	if (ret->fd < 0)
		return err_errno(err, "duplicate a descriptor");
	ret->offset = m->offset;
	ret->size = m->size;
	return 0;
}

/* Somebody else's disk must not make us read what its links and names lead to elsewhere. */
static int open_beneath(int dir, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int find_in_directory(const struct layout *l, const char *name, struct extent *ret,
			     struct err *err)
{
	autofd fd = open_beneath(l->fd, name);
	struct stat st;

	if (fd < 0 && errno == EXDEV)
		return err_set(err, EINVAL, "%s leads out of the layout", name);
	if (fd < 0)
		return errno == ENOENT ? err_set(err, ENOENT, "it has no %s", name)
				       : err_errno(err, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s is not a regular file", name);
	*ret = (struct extent){ take_fd(&fd), 0, (uint64_t)st.st_size };
	return 0;
}

int layout_find(const struct layout *l, const char *name, struct extent *ret, struct err *err)
{
	return l->directory ? find_in_directory(l, name, ret, err)
			    : find_in_archive(l, name, ret, err);
}

int layout_read(const struct layout *l, const char *name, size_t max, struct arena *a,
		char **ret_text, size_t *ret_len, struct err *err)
{
	struct extent e;
	ssize_t n;
	char *text;
	int r = layout_find(l, name, &e, err);

	if (r < 0)
		return r;
	if (e.size > max) {
		close(e.fd);
		return err_set(err, EFBIG, "%s is larger than %zu bytes", name, max);
	}
	text = arena_alloc(a, e.size + 1);
	n = fd_pread_full(e.fd, text, e.size, e.offset);
	close(e.fd);
	if (n < 0)
		return err_code(err, (int)n, "read %s", name);
	if ((uint64_t)n < e.size)
		return err_set(err, EBADMSG, "%s is truncated", name);
	*ret_text = text;
	*ret_len = e.size;
	return 0;
}
