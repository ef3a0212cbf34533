/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/save_file.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int open_stdout(struct save_file *f, struct err *err)
{
	if (isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "an archive is nothing for a terminal: --output FILE is needed");
	f->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return f->fd < 0 ? err_errno(err, "duplicate stdout") : 0;
}

static int name_parts(struct save_file *f, const char *path, struct err *err)
{
	const char *base = strrchr(path, '/');
	autofree char *parent = base ? strndup(path, (size_t)(base - path) + 1) : strdup(".");
	char random[17];

	base = base ? base + 1 : path;
	store_random(random);
	f->name = strdup(base);
	if (!parent || !f->name || asprintf(&f->temp, ".%.200s.%s.tmp", base, random) < 0) {
		f->temp = NULL;
		return err_code(err, ENOMEM, "open %s", path);
	}
	if (!base[0])
		return err_set(err, EISDIR, "%s is a directory", path);
	f->dir = fd_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY);
	return f->dir < 0 ? err_errno(err, "open %s", parent) : 0;
}

static int open_new(struct save_file *f, const char *path, struct err *err)
{
	int r = name_parts(f, path, err);

	if (r < 0)
		return r;
	f->fd = fd_create(f->dir, ".", O_TMPFILE | O_RDWR, 0666);
	if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		f->fd = fd_create(f->dir, f->temp, O_RDWR | O_CREAT | O_EXCL, 0666);
		f->named = f->fd >= 0;
	}
	return f->fd < 0 ? err_errno(err, "create %s", path) : 0;
}

static int open_path(struct save_file *f, const char *path, struct err *err)
{
	autofree char *target = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? open_new(f, path, err) : err_errno(err, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, EISDIR, "%s is a directory", path);
	if (!S_ISREG(st.st_mode)) {
		f->fd = fd_open(AT_FDCWD, path, O_WRONLY | O_NOCTTY);
		return f->fd < 0 ? err_errno(err, "open %s", path) : 0;
	}
	/* What a link leads to is replaced, not the link. */
	target = realpath(path, NULL);
	return target ? open_new(f, target, err) : err_errno(err, "open %s", path);
}

int save_file_open(const char *path, struct save_file *ret, struct err *err)
{
	autosave_file f = SAVE_FILE_INIT;
	int r = path && strcmp(path, "-") != 0 ? open_path(&f, path, err) : open_stdout(&f, err);

	if (r < 0)
		return r;
	*ret = f;
	f = (struct save_file)SAVE_FILE_INIT;
	return 0;
}

int save_file_commit(struct save_file *f, struct err *err)
{
	char path[64];

	if (!f->name)
		return 0;
	if (fsync(f->fd) < 0)
		return err_errno(err, "write %s", f->name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	if (!f->named && linkat(AT_FDCWD, path, f->dir, f->temp, AT_SYMLINK_FOLLOW) < 0)
		return err_errno(err, "name %s", f->name);
	f->named = true;
	if (renameat(f->dir, f->temp, f->dir, f->name) < 0)
		return err_errno(err, "name %s", f->name);
	f->named = false;
	return fsync(f->dir) < 0 ? err_errno(err, "sync the directory of %s", f->name) : 0;
}

void save_file_close(struct save_file *f)
{
	if (f->named)
		unlinkat(f->dir, f->temp, 0);
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	free(f->name);
	free(f->temp);
	*f = (struct save_file)SAVE_FILE_INIT;
}
