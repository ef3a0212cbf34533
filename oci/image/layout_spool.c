/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/layout_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/stream.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)
#define DECODE_MEMORY ((size_t)256 << 20)
#define MAGIC_SIZE 512

/* Without a name nothing of it is left, whatever happens; unlinked before it is written back it
 * never costs a flash's life. */
static int unnamed_file(int dir, struct err *err)
{
	int fd = fd_create(dir, ".", O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? err_errno(err, "make an unnamed file in the store") : fd;
}

static int copy_all(int from, int to, uint64_t max_bytes, struct err *err)
{
	autofree char *chunk = malloc(CHUNK);
	uint64_t total = 0;
	ssize_t n;
	int r = 0;

	if (!chunk)
		return err_code(err, ENOMEM, "read");
	while (r == 0 && (n = fd_read_full(from, chunk, CHUNK)) != 0) {
		if (n < 0)
			return err_code(err, (int)n, "read");
		total += (uint64_t)n;
		if (total > max_bytes)
			return err_set(err, EFBIG, "larger than %llu bytes",
				       (unsigned long long)max_bytes);
		r = fd_write_full(to, chunk, (size_t)n);
	}
	return r < 0 ? err_code(err, r, "spool into the store") : 0;
}

struct decoding {
	struct stream_opts opts;
	int to;
};

static int decode(void *arg, struct err *err)
{
	struct decoding *d = arg;
	struct stream_result ignored;
	struct stream *s;
	const void *data;
	ssize_t n;
	int r = stream_open(&d->opts, &s, err);

	while (r == 0 && (n = stream_next(s, &data, err)) != 0) {
		r = n < 0 ? (int)n : fd_write_full(d->to, data, (size_t)n);
		if (n > 0 && r < 0)
			err_code(err, r, "spool into the store");
	}
	return r < 0 ? r : stream_finish(s, &ignored, err);
}

static int spool_decoded(int fd, uint64_t size, int to, uint64_t max_bytes, struct err *err)
{
	struct decoding d = {
		{ .fd = fd, .size = size, .max_bytes = max_bytes, .threads = true, .split_fd = -1 },
		to
	};
	const int keep[] = { fd, to };
	const struct confine_opts confine = { -1, keep, ARRAY_SIZE(keep), DECODE_MEMORY, true };
	struct worker w = WORKER_INIT;
	int r = worker_start(&confine, decode, &d, &w, err);

	return r < 0 ? r : worker_wait(&w, err);
}

/* Puts what was spooled in the place of the source. */
static int replace(int *fd, int *spooled)
{
	close(*fd);
	*fd = take_fd(spooled);
	return 0;
}

static int make_seekable(int *fd, int spool_dir, uint64_t max_bytes, struct err *err)
{
	autofd spooled = -1;
	int r;

	if (lseek(*fd, 0, SEEK_CUR) == 0)
		return 0;
	r = spooled = unnamed_file(spool_dir, err);
	if (r >= 0)
		r = copy_all(*fd, spooled, max_bytes, err);
	return r < 0 ? r : replace(fd, &spooled);
}

int layout_spool(int *fd, int spool_dir, uint64_t max_bytes, struct err *err)
{
	char magic[MAGIC_SIZE];
	enum compression compression;
	autofd spooled = -1;
	struct stat st;
	ssize_t n;
	int r = make_seekable(fd, spool_dir, max_bytes, err);

	if (r < 0)
		return r;
	n = fd_pread_full(*fd, magic, sizeof(magic), 0);
	if (n < 0 || fstat(*fd, &st) < 0)
		return err_code(err, n < 0 ? (int)n : errno, "read");
	r = compression_sniff(magic, (size_t)n, &compression, err);
	if (r < 0 || compression == COMPRESSION_NONE)
		return r;
	r = spooled = unnamed_file(spool_dir, err);
	if (r >= 0)
		r = spool_decoded(*fd, (uint64_t)st.st_size, spooled, max_bytes, err);
	return r < 0 ? r : replace(fd, &spooled);
}
