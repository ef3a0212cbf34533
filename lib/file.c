/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/file.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is shorter than this a pseudo file hands out in one piece: there is no more. */
#define ONE_PIECE 2048

static ssize_t read_once(int fd, void *data, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The rest of what read_once() began, until the end or len. */
static ssize_t read_rest(int fd, char *data, size_t len, ssize_t n)
{
	ssize_t rest = n > 0 ? fd_read_full(fd, data + n, len - (size_t)n) : 0;

	return rest < 0 ? rest : n + rest;
}

/* size: the file's if it is a regular one that says so, else 0. */
static int read_file(int fd, size_t size, const char *name, size_t max, struct arena *a,
		     char **ret_data, size_t *ret_len, struct err *err)
{
	/* Room for one more byte: when that is not used, there is no need to see the end. */
	size_t chunk = size && size <= max ? size + 1 : 4096;
	autobuf b = BUF_INIT;

	for (bool first = true;; first = false) {
		char *at = buf_reserve(&b, chunk);
		ssize_t n = read_once(fd, at, chunk);
		bool whole = first && n > 0 && (size_t)n == size;

		if (!whole)
			n = read_rest(fd, at, chunk, n);
		if (n < 0)
			return err_code(err, (int)n, "read %s", name);
		b.len += (size_t)n;
		if (b.len > max)
			return err_set(err, EFBIG, "read %s: larger than %zu bytes", name, max);
		if ((size_t)n < chunk)
			break;
	}
	*ret_data = arena_strndup(a, buf_str(&b), b.len);
	if (ret_len)
		*ret_len = b.len;
	return 0;
}

/* Pseudo files say 0. */
static size_t size_of(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size > 0 ? (size_t)st->st_size : 0;
}

int file_read_fd(int fd, const char *name, size_t max, struct arena *a, char **ret_data,
		 size_t *ret_len, struct err *err)
{
	struct stat st;
	size_t size = fstat(fd, &st) == 0 ? size_of(&st) : 0;

	return read_file(fd, size, name, max, a, ret_data, ret_len, err);
}

int file_read(int dirfd, const char *path, size_t max, struct arena *a, char **ret_data,
	      size_t *ret_len, struct err *err)
{
	autofd fd = fd_open(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_errno(err, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "stat %s", path);
	if (S_ISDIR(st.st_mode))
		return err_code(err, EISDIR, "read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "read %s: not a regular file", path);
	return read_file(fd, size_of(&st), path, max, a, ret_data, ret_len, err);
}

ssize_t file_peek(int dirfd, const char *path, char *data, size_t size)
{
	autofd fd = fd_open(dirfd, path, O_RDONLY | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_once(fd, data, size - 1);
	if (n >= ONE_PIECE)
		n = read_rest(fd, data, size - 1, n);
	if (n < 0)
		return n;
	if (n > 0 && data[n - 1] == '\n')
		n--;
	data[n] = '\0';
	return n;
}

int file_poke(int dirfd, const char *path, const char *s)
{
	autofd fd = fd_open(dirfd, path, O_WRONLY | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = write(fd, s, strlen(s));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		   bool durable, struct err *err)
{
	char tmp[NAME_MAX + 1];
	autofd fd = -1;
	int r;

	/* What is durable has no lock that keeps others from writing it at the same time. */
	r = durable ? snprintf(tmp, sizeof(tmp), ".%s.%d.tmp", name, getpid())
		    : snprintf(tmp, sizeof(tmp), ".%s.tmp", name);
	if (r >= (int)sizeof(tmp))
		return err_code(err, ENAMETOOLONG, "write %s", name);
	fd = fd_create(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL, mode);
	/* What a killed writer left, or somebody put there: a fifo would block us, a link lead
	 * elsewhere. */
	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, tmp, 0) == 0)
		fd = fd_create(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return err_errno(err, "create %s", name);
	r = fd_write_full(fd, data, len);
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return err_code(err, r, "write %s", name);
	}
	if (durable && fsync(fd) < 0) {
		err_errno(err, "sync %s", name);
		unlinkat(dirfd, tmp, 0);
		return err->code;
	}
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		err_errno(err, "rename %s", name);
		unlinkat(dirfd, tmp, 0);
		return err->code;
	}
	return 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *err)
{
	return replace(dirfd, name, data, len, mode, false, err);
}

int file_replace_durable(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			 struct err *err)
{
	int r = replace(dirfd, name, data, len, mode, true, err);

	/* The name is the directory's: it has to be synced as well. */
	if (r == 0 && fsync(dirfd) < 0)
		return err_errno(err, "sync the directory of %s", name);
	return r;
}

static int make_path(const char *path, mode_t mode)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(partial))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int file_private_dir(const char *path, bool create, mode_t mode, const char *what, struct err *err)
{
	autofd fd = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	struct stat st;

	if (fd < 0 && errno == ENOENT && create) {
		int r = make_path(path, 0700);

		if (r < 0)
			return err_code(err, r, "make %s %s", what, path);
		fd = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
		if (fd >= 0 && mode != 0700 && fchmod(fd, mode) < 0)
			return err_errno(err, "set the mode of %s", path);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "open %s %s", what, path);
	/* Not EPERM, as callers know -1 as "there is none". */
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_set(err, EACCES,
			       "%s %s: must be owned by user %u and writable by no one else", what,
			       path, geteuid());
	return take_fd(&fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(int dirfd, const char *path, struct arena *a, struct strv *ret_names, struct err *err)
{
	struct strv names = { NULL, 0 };
	size_t size = 0;
	struct dirent *d;
	int fd = fd_open(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		err_errno(err, "read directory %s", path);
		if (fd >= 0)
			close(fd);
		return err->code;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		if (names.count + 1 >= size) {
			char **items = arena_calloc(a, size = size ? size * 2 : 32, sizeof(*items));

			if (names.count)
				memcpy(items, names.items, names.count * sizeof(*items));
			names.items = items;
		}
		names.items[names.count++] = arena_strdup(a, d->d_name);
	}
	closedir(dir);
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	*ret_names = names;
	return 0;
}

bool file_is_within(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (!path[len] || path[len] == '/');
}

char *file_clean_path(const char *path, struct arena *a)
{
	char *clean = arena_alloc(a, strlen(path) + 2), *end = clean;

	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (end > clean && *--end != '/')
				;
		} else if (len != 1 || path[0] != '.') {
			*end++ = '/';
			end = mempcpy(end, path, len);
		}
		path += len;
	}
	if (end == clean)
		*end++ = '/';
	*end = '\0';
	return clean;
}
