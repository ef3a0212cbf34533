/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, mode, extended attributes and time, in the one order that keeps all of them. */
#include "oci/image/extract_private.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define XATTR_LIST_MAX 65536 /* of Linux */

int extract_check_ids(struct archive_entry *entry, struct err *err)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(err, EINVAL, "its owner %lld:%lld is none", (long long)uid,
			       (long long)gid);
	return 0;
}

struct timespec extract_mtime(struct archive_entry *entry)
{
	struct timespec t = { archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };

	/* Beyond a second lie UTIME_NOW and UTIME_OMIT. */
	if (t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
		t.tv_nsec = 0;
	/* pax's "-9.75" comes out of libarchive as -9 and 0.75. */
	if (t.tv_sec < 0 && t.tv_nsec)
		t = (struct timespec){ t.tv_sec - 1, 1000000000 - t.tv_nsec };
	return t;
}

bool extract_keeps_xattr(const char *name)
{
	if (strncmp(name, "user.overlay.", 13) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

static int xattr_failed(const struct extract *x, int fd, const char *name, struct err *err)
{
	struct statvfs st;
	int code = errno;

	if (code == EPERM && !x->opts.keep_ids)
		return 0;
	/* ext4 says so as well when one does not fit into its block */
	if (code == ENOSPC && fstatvfs(fd, &st) == 0 && st.f_bavail > 0)
		code = E2BIG;
	return err_code(err, code, "set its attribute %.64s", name);
}

static int set_xattrs(const struct extract *x, int fd, struct archive_entry *entry, struct err *err)
{
	const char *name;
	const void *value;
	size_t size;
	int r = 0;

	if (archive_entry_xattr_reset(entry) == 0)
		return 0;
	while (r == 0 && archive_entry_xattr_next(entry, &name, &value, &size) == 0)
		if (name && extract_keeps_xattr(name) && fsetxattr(fd, name, value, size, 0) < 0)
			r = xattr_failed(x, fd, name, err);
	return r;
}

static int chown_failed(struct archive_entry *entry, struct err *err)
{
	if (errno == EINVAL)
		return err_set(
			err, EINVAL, "its owner %lld:%lld is not among the ids that are mapped",
			(long long)archive_entry_uid(entry), (long long)archive_entry_gid(entry));
	return err_errno(err, "set its owner");
}

/* What was just made in dir belongs to this process already. */
static bool is_ours(const struct extract *x, const struct extract_dir *dir,
		    struct archive_entry *entry)
{
	return archive_entry_uid(entry) == x->uid && archive_entry_gid(entry) == x->gid &&
	       dir->gid == x->gid;
}

int extract_file_attributes(struct extract *x, const struct extract_dir *dir, int fd,
			    struct archive_entry *entry, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, extract_mtime(entry) };
	mode_t mode = archive_entry_perm(entry) & 07777;
	int r;

	if (x->opts.keep_ids && !is_ours(x, dir, entry) &&
	    fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0)
		return chown_failed(entry, err);
	if ((mode & 07000) && fchmod(fd, mode) < 0)
		return err_errno(err, "set its mode");
	r = set_xattrs(x, fd, entry, err);
	if (r == 0 && futimens(fd, times) < 0)
		return err_errno(err, "set its time");
	return r;
}

static int drop_xattrs(int fd, struct err *err)
{
	static char names[XATTR_LIST_MAX];
	ssize_t len = flistxattr(fd, names, sizeof(names));

	for (const char *name = names; name < names + len; name += strlen(name) + 1)
		if (extract_keeps_xattr(name) && fremovexattr(fd, name) < 0 && errno != ENODATA)
			return err_errno(err, "remove its attribute %.64s", name);
	return 0;
}

int extract_dir_attributes(struct extract *x, int fd, const struct stat *st, bool old,
			   struct archive_entry *entry, struct err *err)
{
	uid_t uid = (uid_t)archive_entry_uid(entry);
	gid_t gid = (gid_t)archive_entry_gid(entry);
	mode_t mode = archive_entry_perm(entry) & 07777;
	int r;

	if (x->opts.keep_ids && (st->st_uid != uid || st->st_gid != gid) &&
	    fchown(fd, uid, gid) < 0)
		return chown_failed(entry, err);
	if ((st->st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return err_errno(err, "set its mode");
	r = old ? drop_xattrs(fd, err) : 0;
	return r < 0 ? r : set_xattrs(x, fd, entry, err);
}

int extract_leaf_attributes(struct extract *x, const struct extract_dir *dir, const char *leaf,
			    struct archive_entry *entry, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, extract_mtime(entry) };
	mode_t mode = archive_entry_perm(entry) & 07777;

	if (x->opts.keep_ids && !is_ours(x, dir, entry) &&
	    fchownat(dir->fd, leaf, (uid_t)archive_entry_uid(entry),
		     (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
		return chown_failed(entry, err);
	/* Just made, and no link: there is nothing to follow. */
	if (archive_entry_filetype(entry) != AE_IFLNK && (mode & 07000) &&
	    fchmodat(dir->fd, leaf, mode, 0) < 0)
		return err_errno(err, "set its mode");
	if (utimensat(dir->fd, leaf, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "set its time");
	return 0;
}
