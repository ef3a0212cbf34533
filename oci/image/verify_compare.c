/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member of a layer's stream and the file that the extractor made of it. Layers that were unpacked
 * in one go, that is: nothing in them was replaced, but a directory may come twice, a whiteout may
 * have made a directory opaque, and one below such a directory is not there.
 */
#include "oci/image/verify_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WH_LEN strlen(".wh.")

static int open_path(const struct verify_comparison *c, const char *path, int flags)
{
	return fd_open_in_root(c->root, *path ? path : ".", flags | O_NOFOLLOW);
}

static int open_parent(const struct verify_comparison *c, const char *path)
{
	char text[PATH_MAX];
	size_t len;

	extract_leaf(path, &len);
	memcpy(text, path, len);
	text[len] = '\0';
	/* Links to directories above a name are followed, as they were. */
	return fd_open_in_root(c->root, len ? text : ".", O_PATH | O_DIRECTORY);
}

static int missing(struct verify_comparison *c, const char *path)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return err_set(c->err, EBADMSG, "\"%.200s\" is missing", path);
	return err_errno(c->err, "\"%.200s\"", path);
}

static int differs(struct verify_comparison *c, const char *what, struct err *err)
{
	return err_set(err, EBADMSG, "\"%.200s\" has %s than it had", *c->path ? c->path : "/",
		       what);
}

static bool add_new(struct extract_inodes *set, uint64_t key)
{
	if (extract_inodes_has(set, key))
		return false;
	extract_inodes_add(set, key);
	return true;
}

/* A number for a name in its directory, as an inode with several of them is not one name. */
static int key_of(struct verify_comparison *c, uint64_t *ret)
{
	autofd dir = open_parent(c, c->path);
	uint64_t key = 0;
	struct stat st;
	size_t len;

	if (dir < 0 || fstat(dir, &st) < 0)
		return missing(c, c->path);
	for (const char *p = extract_leaf(c->path, &len); *p; p++)
		key = verify_mixed(key + (unsigned char)*p);
	key = verify_mixed(key + st.st_ino);
	/* Far from the numbers that inodes have. */
	*ret = key | 1ull << 63;
	if (*ret == UINT64_MAX)
		*ret = 1ull << 63;
	return 0;
}

static int count_name(struct verify_comparison *c, const struct stat *st)
{
	uint64_t key = 0;
	int r;

	if (st->st_nlink > 1) {
		r = key_of(c, &key);
		if (r < 0 || !add_new(&c->named, key))
			return r;
	}
	c->names.count++;
	return 0;
}

static int same_target(int fd, struct archive_entry *e)
{
	const char *target = archive_entry_symlink(e);
	char found[PATH_MAX];
	ssize_t len = readlinkat(fd, "", found, sizeof(found));

	if (len < 0)
		return -errno;
	return target && strlen(target) == (size_t)len && memcmp(found, target, (size_t)len) == 0;
}

static const char *other_attribute(const struct verify_comparison *c, struct archive_entry *e,
				   const struct stat *st)
{
	mode_t type = archive_entry_filetype(e);

	if (type == S_IFREG && st->st_size != archive_entry_size(e))
		return "another size";
	if (type != S_IFLNK && (st->st_mode & 07777) != (archive_entry_perm(e) & 07777))
		return "another mode";
	if (c->layer->has_ids && ((int64_t)st->st_uid != archive_entry_uid(e) ||
				  (int64_t)st->st_gid != archive_entry_gid(e)))
		return "another owner";
	if (archive_entry_mtime_is_set(e) && st->st_mtim.tv_sec != extract_mtime(e).tv_sec)
		return "another time";
	if ((type == S_IFCHR || type == S_IFBLK) && st->st_rdev != archive_entry_rdev(e))
		return "another device number";
	return NULL;
}

/* 0 with *ret NULL when it is the same. */
static int find_difference(struct verify_comparison *c, int fd, struct archive_entry *e,
			   const struct stat *st, const char **ret)
{
	mode_t type = archive_entry_filetype(e);
	int r = 1;

	*ret = other_attribute(c, e, st);
	if (*ret)
		return 0;
	if (type == S_IFLNK)
		r = same_target(fd, e);
	if (type == S_IFREG || type == S_IFDIR)
		r = verify_same_xattrs(fd, e, c->layer->has_ids);
	if (r < 0)
		return err_code(c->err, r, "\"%.200s\"", c->path);
	if (r == 0)
		*ret = type == S_IFLNK ? "another target" : "other extended attributes";
	return 0;
}

/* The last member of a directory's name says what it is. */
static int compare_directory(struct verify_comparison *c, const struct stat *st, const char *what)
{
	if (!add_new(&c->named, st->st_ino))
		extract_inodes_remove(&c->differing, st->st_ino);
	else if (*c->path)
		c->names.count++;
	if (!what)
		return 0;
	extract_inodes_add(&c->differing, st->st_ino);
	c->last = st->st_ino;
	differs(c, what, &c->why);
	return 0;
}

static int compare_hardlink(struct verify_comparison *c, const char *target, const struct stat *st)
{
	char path[PATH_MAX];
	struct stat other;
	int r = extract_clean(target, path, c->err);
	autofd fd = r < 0 ? -1 : open_path(c, path, O_PATH);

	if (r < 0)
		return r;
	if (fd < 0 || fstat(fd, &other) < 0)
		return missing(c, path);
	if (st->st_ino != other.st_ino || st->st_dev != other.st_dev)
		return err_set(c->err, EBADMSG,
			       "\"%.200s\" is no longer the same file as \"%.200s\"", c->path,
			       path);
	return count_name(c, st);
}

/* Making them takes a right that an ordinary user has not: they were left out. */
static bool may_be_missing(const struct verify_comparison *c, struct archive_entry *e)
{
	mode_t type = archive_entry_filetype(e);

	return !c->layer->has_ids && (type == S_IFCHR || type == S_IFBLK);
}

/* For reading where extended attributes are to be read; no device is there to be opened (NODEV). */
static int open_member(const struct verify_comparison *c, struct archive_entry *e)
{
	mode_t type = archive_entry_hardlink(e) ? 0 : archive_entry_filetype(e);
	int fd = type == S_IFREG || type == S_IFDIR
			 ? open_path(c, c->path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
			 : -1;

	return fd >= 0 ? fd : open_path(c, c->path, O_PATH);
}

static int compare_file(struct verify_comparison *c, struct archive_entry *e)
{
	autofd fd = open_member(c, e);
	const char *what, *hardlink = archive_entry_hardlink(e);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT && !hardlink && may_be_missing(c, e))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return missing(c, c->path);
	if (hardlink)
		return compare_hardlink(c, hardlink, &st);
	/* Another member took the name, or there is one file too many. */
	if ((st.st_mode & S_IFMT) != archive_entry_filetype(e) && may_be_missing(c, e))
		return 0;
	if ((st.st_mode & S_IFMT) != archive_entry_filetype(e))
		return differs(c, "another type", c->err);
	r = find_difference(c, fd, e, &st, &what);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return compare_directory(c, &st, what);
	return what ? differs(c, what, c->err) : count_name(c, &st);
}

static void add_opaque(struct verify_comparison *c, const struct stat *st)
{
	if (add_new(&c->opaque, st->st_ino))
		c->names.opaque += verify_mixed(st->st_ino);
}

static int compare_whiteout(struct verify_comparison *c, enum extract_kind kind)
{
	autofd dir = open_parent(c, c->path);
	struct stat st;
	size_t len;

	if (dir < 0 || fstat(dir, &st) < 0)
		return missing(c, c->path);
	if (kind == EXTRACT_OPAQUE) {
		add_opaque(c, &st);
		return 0;
	}
	if (fstatat(dir, extract_leaf(c->path, &len) + WH_LEN, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return missing(c, c->path);
		buf_add(&c->swept, c->path, strlen(c->path) + 1);
		return 0;
	}
	/* Anything else was made by another member. */
	if (S_ISDIR(st.st_mode))
		add_opaque(c, &st);
	else if (extract_is_whiteout(&st) && add_new(&c->named, st.st_ino))
		c->names.count++;
	return 0;
}

int verify_compare(struct verify_comparison *c, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	enum extract_kind kind;

	if (!name)
		return 0;
	if (extract_clean(name, c->path, c->err) < 0)
		return c->err->code = -EBADMSG;
	kind = extract_kind(c->path);
	if (kind == EXTRACT_PLAIN)
		return compare_file(c, entry);
	return kind == EXTRACT_WHITEOUT || kind == EXTRACT_OPAQUE ? compare_whiteout(c, kind) : 0;
}

/* It hides nothing that a directory above does not hide already: the extractor removed it. */
static int check_swept(struct verify_comparison *c, const char *path, const struct stat *root)
{
	autofd fd = open_parent(c, path);
	struct stat st;

	for (;;) {
		int up;

		if (fd < 0 || fstat(fd, &st) < 0)
			return missing(c, path);
		if (extract_inodes_has(&c->opaque, st.st_ino))
			return 0;
		if (st.st_ino == root->st_ino && st.st_dev == root->st_dev)
			return err_set(c->err, EBADMSG, "what \"%.200s\" stands for is missing",
				       path);
		up = fd_open(fd, "..", O_PATH | O_DIRECTORY);
		close(fd);
		fd = up;
	}
}

/* As it is made; many streams have no member for it. */
static int check_root(struct verify_comparison *c, const struct stat *root)
{
	c->path[0] = '\0';
	if (extract_inodes_has(&c->named, root->st_ino))
		return 0;
	if ((root->st_mode & (07777 & ~S_ISGID)) != 0755)
		return differs(c, "another mode", c->err);
	return c->layer->has_ids && root->st_uid != geteuid() ? differs(c, "another owner", c->err)
							      : 0;
}

int verify_compare_end(struct verify_comparison *c)
{
	const char *path = buf_str(&c->swept), *end = path + c->swept.len;
	struct stat root;
	int r;

	if (c->differing.count && extract_inodes_has(&c->differing, c->last)) {
		*c->err = c->why;
		return c->err->code;
	}
	if (c->differing.count)
		return err_set(c->err, EBADMSG, "directories have other attributes than they had");
	if (fstat(c->root, &root) < 0)
		return err_errno(c->err, "look at the root");
	r = check_root(c, &root);
	for (; r == 0 && path < end; path += strlen(path) + 1)
		r = check_swept(c, path, &root);
	return r;
}

void verify_compare_done(struct verify_comparison *c)
{
	free(c->named.slots);
	free(c->differing.slots);
	free(c->opaque.slots);
	buf_done(&c->swept);
}
