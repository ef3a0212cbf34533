/* SPDX-License-Identifier: Apache-2.0 */
/* The deep look at a layer: its stream, read once, is hashed and compared with the tree. */
#include "oci/image/verify_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/extract_private.h"
#include "oci/image/hash.h"
#include "oci/image/split.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct comparison {
	struct split_reader *reader;
	struct hash *hash;
	int root;
	bool ids; /* owners were set */
	struct err *err;
	int failed;
};

static ssize_t next(struct archive *archive, void *arg, const void **ret)
{
	struct comparison *c = arg;
	ssize_t n = split_reader_next(c->reader, ret, c->err);

	if (n > 0)
		hash_add(c->hash, *ret, (size_t)n);
	if (n < 0) {
		c->failed = (int)n;
		archive_set_error(archive, EIO, "layer");
	}
	return n;
}

static const char *plain(const char *name)
{
	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name += name[0] == '/' ? 1 : 2;
	return name[0] ? name : ".";
}

/* What is not in the tree under its name: whiteouts, and what the extractor leaves out. */
static bool has_no_file(const char *path)
{
	const char *leaf = strrchr(path, '/');

	leaf = leaf ? leaf + 1 : path;
	return strncmp(leaf, ".wh.", 4) == 0;
}

static int stat_in_root(int root, const char *path, struct stat *ret)
{
	autofd fd = fd_open_in_root(root, path, O_PATH | O_NOFOLLOW);

	return fd < 0 || fstat(fd, ret) < 0 ? -errno : 0;
}

static const char *difference(const struct comparison *c, struct archive_entry *e,
			      const struct stat *st)
{
	mode_t type = archive_entry_filetype(e);

	if (archive_entry_hardlink(e))
		return NULL;
	if ((st->st_mode & S_IFMT) != type)
		return "type";
	if (type == S_IFREG && st->st_size != archive_entry_size(e))
		return "size";
	if (type != S_IFLNK && (st->st_mode & 07777) != (archive_entry_perm(e) & 07777))
		return "mode";
	if (c->ids && ((int64_t)st->st_uid != archive_entry_uid(e) ||
		       (int64_t)st->st_gid != archive_entry_gid(e)))
		return "owner";
	if (archive_entry_mtime_is_set(e) && st->st_mtim.tv_sec != extract_mtime(e).tv_sec)
		return "time";
	if ((type == S_IFCHR || type == S_IFBLK) && st->st_rdev != archive_entry_rdev(e))
		return "device number";
	return NULL;
}

static int compare(struct comparison *c, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e), *what;
	struct stat st;
	int r;

	if (!name || has_no_file(plain(name)))
		return 0;
	r = stat_in_root(c->root, plain(name), &st);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return err_set(c->err, EBADMSG, "\"%.200s\" is missing", name);
	if (r < 0)
		return err_code(c->err, r, "\"%.200s\"", name);
	what = difference(c, e, &st);
	return what ? err_set(c->err, EBADMSG, "\"%.200s\" has another %s than it had", name, what)
		    : 0;
}

/* Members that another one replaces later, which a layer should not have, differ from what is
 * there: such a layer is noted whole. */
static int compare_all(struct comparison *c, struct archive *archive, bool attributes)
{
	struct archive_entry *entry;
	int r = 0, read;

	while (r == 0 && (read = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (c->failed)
			return c->failed;
		if (read < ARCHIVE_WARN)
			return err_set(c->err, archive_errno(archive) == ENOMEM ? ENOMEM : EBADMSG,
				       "its headers cannot be read");
		if (attributes)
			r = compare(c, entry);
	}
	return c->failed ? c->failed : r;
}

static int check_digest(struct comparison *c, const char *diff_id)
{
	char digest[DIGEST_SIZE];
	const void *rest;
	ssize_t n;

	while ((n = split_reader_next(c->reader, &rest, c->err)) > 0)
		hash_add(c->hash, rest, (size_t)n);
	if (n < 0)
		return (int)n;
	hash_finish(c->hash, digest);
	c->hash = NULL;
	return strcmp(digest, diff_id) == 0
		       ? 0
		       : err_set(c->err, EBADMSG, "its contents have changed: they are %.19s now",
				 digest);
}

int verify_stream(int split, int root, const struct store_layer *layer, struct err *err)
{
	struct comparison c = { split_reader_new(split, root),
				hash_new(layer->diff_id),
				root,
				layer->has_ids,
				err,
				0 };
	struct archive *archive = archive_read_new();
	int r = 0;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(archive) != ARCHIVE_OK ||
	    archive_read_open(archive, &c, NULL, next, NULL) != ARCHIVE_OK)
		r = c.failed ? c.failed : err_set(err, EBADMSG, "it is no tar archive");
	if (r == 0)
		r = compare_all(&c, archive, !layer->whole);
	if (r == 0)
		r = check_digest(&c, layer->diff_id);
	archive_read_free(archive);
	hash_free(c.hash);
	split_reader_free(c.reader);
	return r;
}
