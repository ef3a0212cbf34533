/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole trees, of any depth: one descriptor walks down by name and up by "..", as nothing else
 * moves directories in here. Neither stack nor path grows.
 */
#include "oci/image/extract_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define LISTING 8192

/* Removes an entry: 0, 1 when it is a directory that is not empty, -errno. */
static int remove_entry(struct extract *x, int dir_fd, const char *name, bool is_dir)
{
	struct stat st;

	if (!is_dir) {
		if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
	}
	if (x->opaque.count && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
		return errno == ENOTEMPTY || errno == EEXIST ? 1 : errno == ENOENT ? 0 : -errno;
	if (x->opaque.count)
		extract_inodes_remove(&x->opaque, st.st_ino);
	return 0;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Removes what it can from the start of a directory: 0 when all is gone, 1 and the name of a
 * directory that has to be emptied first. */
static int drain(struct extract *x, int fd, char ret_name[NAME_MAX + 1], uint64_t *removed)
{
	_Alignas(struct dirent64) char list[LISTING];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = getdents64(fd, list, sizeof(list))) > 0) {
		for (char *p = list; p < list + n;) {
			struct dirent64 *d = (struct dirent64 *)p;
			int r;

			p += d->d_reclen;
			if (is_dots(d->d_name))
				continue;
			r = remove_entry(x, fd, d->d_name, d->d_type == DT_DIR);
			if (r != 0) {
				strncpy(ret_name, d->d_name, NAME_MAX);
				ret_name[NAME_MAX] = '\0';
				return r;
			}
			++*removed;
		}
	}
	return n < 0 ? -errno : 0;
}

/* Empties the directory fd, which is taken over. */
static int empty(struct extract *x, int fd)
{
	uint64_t depth = 1, removed = 0, before = 0;
	char name[NAME_MAX + 1];
	autofd cur = fd;

	for (;;) {
		int r = drain(x, cur, name, &removed), next;

		if (r < 0 || (r == 0 && depth == 1))
			return r;
		/* One that is empty and cannot be removed would be entered for ever. */
		if (r == 0 && removed == before)
			return -EBUSY;
		if (r == 0)
			before = removed;
		next = r == 1 ? fd_open(cur, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
			      : fd_open(cur, "..", O_RDONLY | O_DIRECTORY);
		if (next < 0)
			return -errno;
		close(cur);
		cur = next;
		depth = r == 1 ? depth + 1 : depth - 1;
	}
}

static void note(struct extract *x, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode))
		x->stale = true;
	if (!extract_is_whiteout(st))
		x->result.replaced = true;
}

int extract_remove(struct extract *x, struct extract_dir *dir, const char *leaf,
		   struct stat *ret_st, struct err *err)
{
	struct stat st;
	int r, fd;

	if (fstatat(dir->fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "look at what is there");
	note(x, &st);
	dir->dirty = true;
	if (ret_st)
		*ret_st = st;
	r = remove_entry(x, dir->fd, leaf, S_ISDIR(st.st_mode));
	if (r == 1) {
		fd = fd_open(dir->fd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd < 0)
			return err_errno(err, "open the directory that is there");
		r = empty(x, fd);
		if (r == 0)
			r = remove_entry(x, dir->fd, leaf, true) ? -EBUSY : 0;
	}
	return r < 0 ? err_code(err, r, "remove what is there") : 0;
}

int extract_remove_contents(struct extract *x, struct extract_dir *dir, struct err *err)
{
	int fd = fd_open(dir->fd, ".", O_RDONLY | O_DIRECTORY);
	int r = fd < 0 ? -errno : empty(x, fd);

	dir->dirty = x->stale = true;
	return r < 0 ? err_code(err, r, "empty the directory") : 0;
}
