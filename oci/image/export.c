/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/export_private.h"

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define CHUNK ((size_t)256 << 10)
#define XATTR_MAX ((size_t)64 << 10)
/* As deep as layers may be (oci/image/extract_path.c). Two descriptors each. */
#define DEPTH_MAX 256

struct names {
	struct arena arena;
	char **items;
	size_t count, room;
};

static void names_done(struct names *n)
{
	arena_done(&n->arena);
	free(n->items);
}
#define autonames __attribute__((cleanup(names_done))) struct names

static int add_name(struct names *n, const char *name)
{
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 32;
		char **items = realloc(n->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		n->items = items;
		n->room = room;
	}
	n->items[n->count++] = arena_strdup(&n->arena, name);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes the descriptor. All of them before any is looked at: a running container may be at work
 * here. */
static int list(int fd, struct names *ret)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = add_name(ret, d->d_name);
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	if (r == 0 && ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_text);
	return r;
}

static int open_name(int dir, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve =
					RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int walk(struct exporting *e, int fd, int depth);

static int export_directory(struct exporting *e, int fd, const struct stat *st, int depth)
{
	autofd data = export_reopen(fd, O_RDONLY | O_DIRECTORY);
	int r;

	if (data < 0)
		return err_errno(e->err, "open %s", buf_str(&e->path));
	if (depth == DEPTH_MAX)
		return err_set(e->err, ELOOP, "%.200s...: deeper than %d directories",
			       buf_str(&e->path), DEPTH_MAX);
	buf_adds(&e->path, "/");
	r = export_entry(e, fd, data, st);
	return r < 0 ? r : walk(e, take_fd(&data), depth + 1);
}

static int export_regular(struct exporting *e, int fd, const struct stat *st)
{
	autofd data = export_reopen(fd, O_RDONLY);

	if (data < 0)
		return err_errno(e->err, "open %s", buf_str(&e->path));
	return export_entry(e, fd, data, st);
}

static int export_name(struct exporting *e, int dir, const char *name, int depth)
{
	autofd fd = open_name(dir, name);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0; /* removed since it was listed */
	if (fd < 0 && errno == EXDEV) {
		export_warn(e, "something is mounted there: left out");
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e->err, "open %s", buf_str(&e->path));
	if (e->opts->interrupted && *e->opts->interrupted)
		return err_set(e->err, EINTR, "interrupted");
	if (S_ISDIR(st.st_mode))
		return export_directory(e, fd, &st, depth);
	if (S_ISREG(st.st_mode))
		return export_regular(e, fd, &st);
	if (S_ISSOCK(st.st_mode)) {
		export_warn(e, "a socket: left out");
		return 0;
	}
	return export_entry(e, fd, -1, &st);
}

/* What is in the directory, whose descriptor is taken. */
static int walk(struct exporting *e, int fd, int depth)
{
	autofd dir = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	autonames names = { ARENA_INIT, NULL, 0, 0 };
	size_t len = e->path.len;
	int r = list(fd, &names);

	if (dir < 0 || r < 0)
		return err_code(e->err, r < 0 ? r : errno, "read directory %s", buf_str(&e->path));
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		buf_adds(&e->path, names.items[i]);
		r = export_name(e, dir, names.items[i], depth);
		e->path.data[e->path.len = len] = '\0';
	}
	return r;
}

/* Names in the archive have nothing in front, but for the root's own. */
static int export_all(struct exporting *e)
{
	autofd data = export_reopen(e->opts->root_fd, O_RDONLY | O_DIRECTORY);
	struct stat st;
	int r;

	if (data < 0 || fstat(data, &st) < 0)
		return err_errno(e->err, "open the root file system");
	buf_adds(&e->path, "./");
	r = export_entry(e, e->opts->root_fd, data, &st);
	buf_reset(&e->path);
	buf_adds(&e->path, "");
	return r < 0 ? r : walk(e, take_fd(&data), 0);
}

static ssize_t put(struct archive *archive, void *arg, const void *data, size_t len)
{
	struct exporting *e = arg;
	int r = fd_write_full(e->fd, data, len);

	if (r == 0)
		return (ssize_t)len;
	e->failed = err_code(e->err, r, "write the archive");
	archive_set_error(archive, EIO, "write");
	return -1;
}

static int open_archive(struct exporting *e)
{
	e->archive = archive_write_new();
	e->links = archive_entry_linkresolver_new();
	e->list = malloc(XATTR_MAX);
	e->value = malloc(XATTR_MAX);
	e->chunk = malloc(CHUNK);
	if (!e->archive || !e->links || !e->list || !e->value || !e->chunk)
		return err_code(e->err, ENOMEM, "export");
	archive_entry_linkresolver_set_strategy(e->links, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
	/* libarchive's own form of extended attributes would only be the same once more. */
	if (archive_write_set_format_pax(e->archive) != ARCHIVE_OK ||
	    archive_write_set_options(e->archive, "xattrheader=SCHILY") < ARCHIVE_WARN ||
	    archive_write_set_bytes_per_block(e->archive, (int)CHUNK) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(e->archive, 512) != ARCHIVE_OK ||
	    archive_write_open(e->archive, e, NULL, put, NULL) != ARCHIVE_OK)
		return err_set(e->err, EIO, "begin an archive: %s",
			       archive_error_string(e->archive));
	return 0;
}

int export_tree(const struct export_opts *opts, int fd, struct err *err)
{
	struct exporting e = { .opts = opts, .fd = fd, .path = BUF_INIT, .err = err };
	int r = open_archive(&e);

	if (r == 0)
		r = export_all(&e);
	/* Without it, what was begun would be ended as if it were whole. */
	if (r < 0 && e.archive)
		archive_write_fail(e.archive);
	if (r == 0 && archive_write_close(e.archive) != ARCHIVE_OK)
		r = e.failed ? e.failed : err_set(err, EIO, "end the archive");
	archive_write_free(e.archive);
	archive_entry_linkresolver_free(e.links);
	buf_done(&e.path);
	free(e.list);
	free(e.value);
	free(e.chunk);
	return r;
}
