/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/file.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_fd(int fd, const char *name, size_t max, struct arena *a, char **ret_data,
		 size_t *ret_len, struct err *err)
{
	autobuf b = BUF_INIT;
	struct stat st;
	size_t chunk = 4096;

	/* One read for a regular file of known size, one more to see its end; pseudo files say size
	 * 0. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (size_t)st.st_size <= max)
		chunk = (size_t)st.st_size + 1;
	for (;;) {
		ssize_t n = fd_read_full(fd, buf_reserve(&b, chunk), chunk);

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
	return file_read_fd(fd, path, max, a, ret_data, ret_len, err);
}

ssize_t file_peek(int dirfd, const char *path, char *data, size_t size)
{
	autofd fd = fd_open(dirfd, path, O_RDONLY | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, data, size - 1);
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

int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *err)
{
	char tmp[NAME_MAX + 1];
	autofd fd = -1;
	int r;

	if (snprintf(tmp, sizeof(tmp), ".%s.tmp", name) >= (int)sizeof(tmp))
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
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		err_errno(err, "rename %s", name);
		unlinkat(dirfd, tmp, 0);
		return err->code;
	}
	return 0;
}
