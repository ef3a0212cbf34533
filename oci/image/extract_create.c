/* SPDX-License-Identifier: Apache-2.0 */
/* One file, directory, link or node, in place of what has its name. */
#include "oci/image/extract_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The first try costs nothing where nothing is there; what is there is removed before the second.
 */
#define REPLACING(x, dir, leaf, call, err)                                                         \
	({                                                                                         \
		int _r = (call);                                                                   \
		if (_r < 0 && errno == EEXIST) {                                                   \
			_r = extract_remove(x, dir, leaf, NULL, err);                              \
			if (_r < 0)                                                                \
				return _r;                                                         \
			_r = (call);                                                               \
		}                                                                                  \
		_r;                                                                                \
	})

static int write_at(int fd, const char *data, size_t len, off_t at, struct err *err)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_errno(err, "write") : err_set(err, EIO, "write nothing");
		data += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

static int broken(struct archive *archive, struct err *err)
{
	const char *text = archive_error_string(archive);

	return err_set(err, EINVAL, "broken tar: %s", text ? text : "no reason given");
}

static int too_many_bytes(const struct extract *x, struct err *err)
{
	unsigned long long max = x->opts.max_bytes;

	if (x->opts.bytes_error == ENOSPC)
		return err_set(
			err, ENOSPC,
			"no space: the layer's files have more than the %llu MiB that are free",
			max >> 20);
	return err_set(err, EFBIG, "the layer's files have more than %llu bytes", max);
}

static int write_content(struct extract *x, int fd, struct archive *archive,
			 struct archive_entry *entry, struct err *err)
{
	int64_t end = 0, size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;

	for (;;) {
		const void *data;
		la_int64_t at;
		size_t len;
		int r = archive_read_data_block(archive, &data, &len, &at);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return broken(archive, err);
		if (at < end)
			return err_set(err, EINVAL, "its pieces overlap");
		x->result.bytes += len;
		if (x->result.bytes > x->opts.max_bytes)
			return too_many_bytes(x, err);
		r = write_at(fd, data, len, at, err);
		if (r < 0)
			return r;
		end = at + (int64_t)len;
	}
	if (size > end && ftruncate(fd, size) < 0)
		return err_errno(err, "make it %lld bytes long", (long long)size);
	return 0;
}

static int create_file(struct extract *x, struct extract_dir *dir, const char *leaf,
		       struct archive *archive, struct archive_entry *entry, struct err *err)
{
	mode_t mode = archive_entry_perm(entry) & 0777;
	autofd fd = REPLACING(
		x, dir, leaf,
		openat(dir->fd, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode),
		err);
	int r;

	if (fd < 0)
		return err_errno(err, "create");
	r = write_content(x, fd, archive, entry, err);
	return r < 0 ? r : extract_file_attributes(x, dir, fd, entry, err);
}

enum was { WAS_NOTHING, WAS_DIR, WAS_WHITEOUT };

/* Makes it, or opens the one that is there. */
static int open_dir(struct extract *x, struct extract_dir *dir, const char *leaf, mode_t mode,
		    enum was *ret_was, struct err *err)
{
	struct stat st;
	int fd, r;

	*ret_was = WAS_NOTHING;
	if (mkdirat(dir->fd, leaf, mode) < 0) {
		if (errno != EEXIST)
			return err_errno(err, "make the directory");
		fd = fd_open(dir->fd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		*ret_was = WAS_DIR;
		if (fd >= 0 || (errno != ENOTDIR && errno != ELOOP))
			return fd >= 0 ? fd : err_errno(err, "open the directory");
		r = extract_remove(x, dir, leaf, &st, err);
		if (r < 0)
			return r;
		*ret_was = extract_is_whiteout(&st) ? WAS_WHITEOUT : WAS_NOTHING;
		if (mkdirat(dir->fd, leaf, mode) < 0)
			return err_errno(err, "make the directory");
	}
	fd = fd_open(dir->fd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return fd >= 0 ? fd : err_errno(err, "open the directory");
}

static int create_dir(struct extract *x, struct extract_dir *dir, const char *leaf,
		      struct archive_entry *entry, struct err *err)
{
	struct timespec mtime = extract_mtime(entry);
	struct extract_dir *made;
	enum was was;
	autofd fd = open_dir(x, dir, leaf, archive_entry_perm(entry) & 0777, &was, err);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, "look at the directory");
	r = extract_dir_attributes(x, fd, &st, was == WAS_DIR, entry, err);
	if (r == 0 && was == WAS_WHITEOUT)
		r = extract_set_opaque(x, fd, x->path, strlen(x->path), err);
	if (r < 0)
		return r;
	if (x->opts.keep_ids)
		st.st_gid = (gid_t)archive_entry_gid(entry);
	extract_dir_add(x, x->path, strlen(x->path), take_fd(&fd), &st, &made);
	extract_dir_changed(x, &st, &mtime, st.st_gid);
	return 0;
}

int extract_root(struct extract *x, struct archive_entry *entry, struct err *err)
{
	struct timespec mtime = extract_mtime(entry);
	struct extract_dir *root;
	struct stat st;
	int r;

	if (archive_entry_filetype(entry) != AE_IFDIR || archive_entry_hardlink(entry))
		return err_set(err, EINVAL, "the root is not a directory");
	r = extract_dir(x, "", 0, false, &root, err);
	if (r < 0)
		return r == -ENOENT ? err_set(err, ENOENT, "there is no root") : r;
	if (fstat(root->fd, &st) < 0)
		return err_errno(err, "look at the root");
	r = extract_dir_attributes(x, root->fd, &st, true, entry, err);
	if (r < 0)
		return r;
	extract_dir_changed(x, &st, &mtime,
			    x->opts.keep_ids ? (gid_t)archive_entry_gid(entry) : st.st_gid);
	return 0;
}

static int missing_target(struct extract *x, struct err *err)
{
	if (x->opts.merged)
		return err_set(err, EINVAL, "the file it is a hard link to does not exist");
	x->result.needs_lower = x->result.broken_link = true;
	return 0;
}

static int create_hardlink(struct extract *x, struct extract_dir *dir, const char *leaf,
			   struct archive_entry *entry, struct err *err)
{
	const char *target = archive_entry_hardlink(entry), *target_leaf;
	struct extract_dir *from;
	struct stat st, there;
	size_t len;
	int r = extract_clean(target, x->target, err);

	if (r < 0)
		return err_prefix(err, "hard link");
	if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
		x->result.replaced = true; /* pax allows content, which nobody writes */
	target_leaf = extract_leaf(x->target, &len);
	r = *x->target ? extract_dir(x, x->target, len, false, &from, err) : 0;
	if (r == -ENOENT)
		return missing_target(x, err);
	if (r < 0)
		return r;
	if (*x->target && fstatat(from->fd, target_leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? missing_target(x, err)
				       : err_errno(err, "look at what it is a hard link to");
	if (!*x->target || S_ISDIR(st.st_mode))
		return err_set(err, EINVAL, "a hard link to a directory");
	if (extract_is_whiteout(&st))
		return err_set(err, EINVAL, "a hard link to what this layer removes");
	if (fstatat(dir->fd, leaf, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == st.st_ino &&
	    there.st_dev == st.st_dev)
		return 0;
	if (REPLACING(x, dir, leaf, linkat(from->fd, target_leaf, dir->fd, leaf, 0), err) < 0)
		return err_errno(err, "make a hard link");
	return 0;
}

static int create_symlink(struct extract *x, struct extract_dir *dir, const char *leaf,
			  struct archive_entry *entry, struct err *err)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target)
		return err_set(err, EINVAL, "a symbolic link to nothing");
	if (REPLACING(x, dir, leaf, symlinkat(target, dir->fd, leaf), err) < 0)
		return err_errno(err, "make a symbolic link");
	return extract_leaf_attributes(x, dir, leaf, entry, err);
}

static int create_node(struct extract *x, struct extract_dir *dir, const char *leaf,
		       struct archive_entry *entry, struct err *err)
{
	mode_t type = archive_entry_filetype(entry);
	uint64_t major = 0, minor = 0;
	dev_t dev;

	if (type != AE_IFIFO) {
		major = archive_entry_rdevmajor(entry);
		minor = archive_entry_rdevminor(entry);
	}
	if (major >= 1 << 12 || minor >= 1 << 20)
		return err_set(err, EINVAL, "a device with numbers that none has");
	if (type == AE_IFCHR && major == 0 && minor == 0)
		return err_set(err, EINVAL, "a character device 0:0 would be a whiteout");
	dev = makedev((unsigned)major, (unsigned)minor);
	if (REPLACING(x, dir, leaf,
		      mknodat(dir->fd, leaf, type | (archive_entry_perm(entry) & 0777), dev),
		      err) < 0)
		return errno == EPERM && type != AE_IFIFO && !x->opts.keep_ids
			       ? 0
			       : err_errno(err, "make a device");
	return extract_leaf_attributes(x, dir, leaf, entry, err);
}

int extract_create(struct extract *x, struct extract_dir *dir, const char *leaf,
		   struct archive *archive, struct archive_entry *entry, struct err *err)
{
	dir->dirty = true;
	if (archive_entry_hardlink(entry))
		return create_hardlink(x, dir, leaf, entry, err);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return create_file(x, dir, leaf, archive, entry, err);
	case AE_IFDIR:
		return create_dir(x, dir, leaf, entry, err);
	case AE_IFLNK:
		return create_symlink(x, dir, leaf, entry, err);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return create_node(x, dir, leaf, entry, err);
	default:
		return err_set(err, EINVAL, "neither file, directory, link, device nor fifo");
	}
}

int extract_make_way(struct extract *x, struct extract_dir *dir, const char *leaf, struct err *err)
{
	struct stat st;
	int r;

	if (fstatat(dir->fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, "look at what is there");
	if (S_ISDIR(st.st_mode))
		return 0;
	r = extract_remove(x, dir, leaf, NULL, err);
	if (r == 0 && mkdirat(dir->fd, leaf, 0755) < 0)
		return err_errno(err, "make the directory");
	return r;
}
