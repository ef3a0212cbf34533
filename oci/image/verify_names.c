/* SPDX-License-Identifier: Apache-2.0 */
/* That a layer's tree holds nothing that its stream does not have: all of its names are counted. */
#include "oci/image/verify_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* More than the extractor makes. */
#define DEPTH_MAX 300
#define LISTING 4096

struct counting {
	bool user_xattr;
	struct verify_names names;
};

static int count_directory(struct counting *c, int fd, int depth);

static int is_directory(int dir, const struct dirent64 *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : S_ISDIR(st.st_mode);
}

static int count_below(struct counting *c, int dir, const char *name, int depth)
{
	autofd fd = fd_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct stat st;
	int opaque;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	opaque = verify_is_opaque(fd, c->user_xattr);
	if (opaque < 0)
		return opaque;
	if (opaque)
		c->names.opaque += verify_mixed(st.st_ino);
	return depth == DEPTH_MAX ? -ELOOP : count_directory(c, fd, depth + 1);
}

static int count_entry(struct counting *c, int dir, const struct dirent64 *d, int depth)
{
	int r;

	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	c->names.count++;
	r = is_directory(dir, d);
	return r == 1 ? count_below(c, dir, d->d_name, depth) : r;
}

static int count_directory(struct counting *c, int fd, int depth)
{
	_Alignas(struct dirent64) char list[LISTING];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = getdents64(fd, list, sizeof(list))) > 0)
		for (char *p = list; r == 0 && p < list + n;) {
			const struct dirent64 *d = (const struct dirent64 *)p;

			p += d->d_reclen;
			r = count_entry(c, fd, d, depth);
		}
	return r == 0 && n < 0 ? -errno : r;
}

int verify_count_names(int root, bool user_xattr, struct verify_names *ret, struct err *err)
{
	struct counting c = { user_xattr, { 0, 0 } };
	autofd fd = fd_open(root, ".", O_RDONLY | O_DIRECTORY);
	int r = fd < 0 ? -errno : count_directory(&c, fd, 0);

	if (r < 0)
		return err_code(err, r, "look through its files");
	*ret = c.names;
	return 0;
}
