/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a layer's stream is, its split file gives the same bytes again, or one line that says
 * why not; and whatever a split file is, reading it gives bytes or such a line. */
#include "oci/image/split.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

#define LIMIT ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int empty_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("split", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Empty, and gone. */
static int root(void)
{
	char path[] = "/tmp/tote-fuzz-XXXXXX";
	static int fd = -1;

	if (fd >= 0)
		return fd;
	if (!mkdtemp(path))
		abort();
	fd = open(path, O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || rmdir(path) < 0)
		abort();
	return fd;
}

static int read_back(int fd, int root_fd, struct buf *ret)
{
	struct split_reader *r;
	struct err err = { 0 };
	const void *data;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) != 0)
		abort();
	r = split_reader_new(fd, root_fd);
	while ((n = split_reader_next(r, &data, &err)) > 0 && ret->len < LIMIT)
		buf_add(ret, data, (size_t)n);
	if (n < 0 && (!err.msg[0] || strchr(err.msg, '\n') || err.code != n))
		abort();
	split_reader_free(r);
	return (int)n;
}

static void stream_and_back(const uint8_t *data, size_t size, bool whole)
{
	int fd = empty_file(), r;
	struct split_writer *w = split_writer_new(fd, whole);
	size_t piece = size ? data[0] * 3 + 1 : 1;
	autobuf got = BUF_INIT;
	struct err err;

	for (size_t at = 0; at < size; at += piece)
		if (split_writer_add(w, data + at, piece < size - at ? piece : size - at, &err) < 0)
			abort();
	if (split_writer_finish(w, &err) < 0)
		abort();
	split_writer_free(w);
	r = read_back(fd, root(), &got);
	if (r < 0 && whole)
		abort();
	if (r == 0 && (got.len != size || (size && memcmp(got.data, data, size) != 0)))
		abort();
}

/* The bytes as records. */
static void read_any(const uint8_t *data, size_t size)
{
	autobuf out = BUF_INIT, got = BUF_INIT;
	size_t room = ZSTD_compressBound(size);
	int fd = empty_file();

	out.len = ZSTD_compress(buf_reserve(&out, room), room, data, size, 1);
	if (write(fd, out.data, out.len) != (ssize_t)out.len)
		abort();
	read_back(fd, root(), &got);
	fd = empty_file();
	if (write(fd, data, size) != (ssize_t)size)
		abort();
	read_back(fd, root(), &got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* One of them each time, as compressors take long to set up. */
	if (size % 2)
		read_any(data, size);
	else
		stream_and_back(data, size, size % 16 == 0);
	return 0;
}
