/* SPDX-License-Identifier: Apache-2.0 */
/* One member of the archive. */
#include "oci/image/export_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define CHUNK ((size_t)256 << 10)
#define XATTR_MAX ((size_t)64 << 10) /* of Linux, for a list and for a value */

int export_reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd_open(AT_FDCWD, path, flags | O_NONBLOCK | O_NOCTTY);
}

void export_warn(struct exporting *e, const char *what)
{
	if (e->opts->warn)
		e->opts->warn(e->opts->arg, buf_str(&e->path), what);
}

static int failed(struct exporting *e)
{
	return e->failed ? e->failed
			 : err_set(e->err, EIO, "%s: %s", buf_str(&e->path),
				   archive_error_string(e->archive));
}

static void add_xattrs(struct exporting *e, int data, struct archive_entry *entry)
{
	ssize_t len = flistxattr(data, e->list, XATTR_MAX);

	for (const char *name = e->list; len > 0 && name < e->list + len;
	     name += strlen(name) + 1) {
		ssize_t size =
			extract_keeps_xattr(name) ? fgetxattr(data, name, e->value, XATTR_MAX) : -1;

		if (size >= 0)
			archive_entry_xattr_add_entry(entry, name, e->value, (size_t)size);
	}
}

static int add_target(struct exporting *e, int fd, struct archive_entry *entry)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);

	if (len < 0)
		return err_errno(e->err, "read the link %s", buf_str(&e->path));
	target[len] = '\0';
	archive_entry_copy_symlink(entry, target);
	return 0;
}

/* So many bytes as the header says, whatever a running container does to the file. */
static int write_data(struct exporting *e, int data, uint64_t left)
{
	bool short_of = false;

	while (left) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = short_of ? 0 : fd_read_full(data, e->chunk, want);

		if (n < 0)
			return err_code(e->err, (int)n, "read %s", buf_str(&e->path));
		if (e->opts->interrupted && *e->opts->interrupted)
			return err_set(e->err, EINTR, "interrupted");
		if ((size_t)n < want) {
			if (!short_of)
				export_warn(e, "became shorter while it was read");
			short_of = true;
			memset(e->chunk + n, 0, want - (size_t)n);
		}
		if (archive_write_data(e->archive, e->chunk, want) != (ssize_t)want)
			return failed(e);
		left -= want;
	}
	return 0;
}

static int write_entry(struct exporting *e, int data, struct archive_entry **entry)
{
	struct archive_entry *later = NULL;

	archive_entry_linkify(e->links, entry, &later);
	/* WARN: a name that is not UTF-8, which goes into the archive as it is. */
	if (archive_write_header(e->archive, *entry) < ARCHIVE_WARN)
		return failed(e);
	if (archive_entry_filetype(*entry) != AE_IFREG || archive_entry_hardlink(*entry))
		return 0;
	return write_data(e, data, (uint64_t)archive_entry_size(*entry));
}

int export_entry(struct exporting *e, int fd, int data, const struct stat *st)
{
	struct archive_entry *entry = archive_entry_new();
	int r = entry ? 0 : err_code(e->err, ENOMEM, "export");

	if (r < 0)
		return r;
	archive_entry_copy_pathname(entry, buf_str(&e->path));
	archive_entry_copy_stat(entry, st);
	archive_entry_unset_atime(entry);
	archive_entry_unset_ctime(entry);
	archive_entry_unset_birthtime(entry);
	if (!S_ISREG(st->st_mode))
		archive_entry_set_size(entry, 0);
	if (data >= 0)
		add_xattrs(e, data, entry);
	if (S_ISLNK(st->st_mode))
		r = add_target(e, fd, entry);
	if (r == 0)
		r = write_entry(e, data, &entry);
	archive_entry_free(entry);
	return r;
}
