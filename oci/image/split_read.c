/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/split.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/decode.h"
#include "oci/image/split_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_SIZE ((size_t)64 * 1024)
#define OUT_SIZE ((size_t)256 * 1024)

struct split_reader {
	int fd, root_fd;
	struct decoder decoder;
	bool any; /* the split file is not empty */
	struct split_walk walk;
	uint64_t bytes_left, file_left; /* of the record */
	int file;			/* -1: none is open */
	size_t in_pos, in_len;
	uint8_t in[IN_SIZE], out[OUT_SIZE];
};

struct split_reader *split_reader_new(int fd, int root_fd)
{
	struct split_reader *r = calloc(1, sizeof(*r));
	struct err err;

	if (!r || decoder_open(&r->decoder, decoder_find(COMPRESSION_ZSTD), &err) < 0)
		_exit(255);
	r->fd = fd;
	r->root_fd = root_fd;
	r->file = -1;
	r->walk = (struct split_walk)SPLIT_WALK_INIT;
	return r;
}

static int broken(const char *why, struct err *err)
{
	return err_set(err, EBADMSG, "the layer's split file is broken: %s", why);
}

/* More of the split file into in: 0 at its end. */
static ssize_t refill(struct split_reader *r, struct err *err)
{
	ssize_t n;

	do {
		n = read(r->fd, r->in, IN_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "cannot read the layer's split file");
	r->in_pos = 0;
	r->in_len = (size_t)n;
	r->any |= n > 0;
	return n;
}

/* len decompressed bytes, or fewer at the end. */
static ssize_t unpack(struct split_reader *r, void *data, size_t len, struct err *err)
{
	struct decode_io io = { .out = data, .out_len = len };

	for (;;) {
		struct err why = { 0 };
		ssize_t n;

		io.in = r->in + r->in_pos;
		io.in_len = r->in_len - r->in_pos;
		if (decoder_run(&r->decoder, &io, &why) < 0)
			return broken(why.msg, err);
		r->in_pos = r->in_len - io.in_len;
		if (!io.out_len)
			return (ssize_t)len;
		n = refill(r, err);
		if (n < 0)
			return n;
		if (n == 0 && (!r->any || !decoder_at_end(&r->decoder)))
			return broken("it is truncated", err);
		if (n == 0)
			return (ssize_t)(len - io.out_len);
	}
}

/* A message is one line, whatever a file is called. */
static void printable(const char *path, char *ret, size_t size)
{
	snprintf(ret, size, "%s", path);
	for (; *ret; ret++)
		if ((unsigned char)*ret < ' ' || *ret == 0x7f)
			*ret = '?';
}

static int open_file(struct split_reader *r, uint64_t size, struct err *err)
{
	const char *path = split_path(&r->walk.frame);
	autofd fd =
		fd_open_in_root(r->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char name[256];
	struct stat st;

	printable(path, name, sizeof(name));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ENOENT, "file \"%s\" of the layer is missing", name);
	/* What O_NOFOLLOW says of a symlink, and a socket has no driver. */
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return err_set(err, EBADMSG, "\"%s\" of the layer is no regular file", name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "cannot open file \"%s\" of the layer", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EBADMSG, "\"%s\" of the layer is no regular file", name);
	if ((uint64_t)st.st_size != size)
		return err_set(err, EBADMSG,
			       "file \"%s\" of the layer has %" PRIu64 " bytes and had %" PRIu64,
			       name, (uint64_t)st.st_size, size);
	r->file = take_fd(&fd);
	r->file_left = size;
	return 0;
}

static uint64_t record_length(const uint8_t *p)
{
	uint64_t len = 0;

	for (int i = 0; i < 8; i++)
		len |= (uint64_t)p[i] << 8 * i;
	return len;
}

/* 1, 0 when there is none any more, or -errno. */
static int next_record(struct split_reader *r, struct err *err)
{
	const struct split_walk *w = &r->walk;
	uint8_t record[SPLIT_RECORD];
	ssize_t n = unpack(r, record, sizeof(record), err);
	uint64_t len;
	int ret;

	if (n <= 0)
		return (int)n;
	len = record_length(record + 1);
	if (n < SPLIT_RECORD || !len)
		return broken("half a record", err);
	if (record[0] == SPLIT_BYTES) {
		r->bytes_left = len;
		return 1;
	}
	if (record[0] != SPLIT_FILE || !w->in_file || w->left != w->frame.size || len > w->left)
		return broken("a file is not where one can be", err);
	ret = open_file(r, len, err);
	return ret < 0 ? ret : 1;
}

static ssize_t next_of_file(struct split_reader *r, struct err *err)
{
	size_t want = r->file_left < OUT_SIZE ? (size_t)r->file_left : OUT_SIZE;
	ssize_t n;

	do {
		n = read(r->file, r->out, want);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "cannot read a file of the layer");
	if (n == 0)
		return err_set(err, EBADMSG, "a file of the layer became shorter");
	split_walk_content(&r->walk, (uint64_t)n);
	r->file_left -= (uint64_t)n;
	if (!r->file_left)
		close(take_fd(&r->file));
	return n;
}

static ssize_t next_bytes(struct split_reader *r, struct err *err)
{
	size_t want = r->bytes_left < OUT_SIZE ? (size_t)r->bytes_left : OUT_SIZE;
	ssize_t n = unpack(r, r->out, want, err);

	if (n < 0)
		return n;
	if ((size_t)n < want)
		return broken("half a record", err);
	for (size_t at = 0; at < want;)
		at += split_walk(&r->walk, r->out + at, want - at);
	r->bytes_left -= want;
	return n;
}

ssize_t split_reader_next(struct split_reader *r, const void **ret, struct err *err)
{
	*ret = r->out;
	if (!r->bytes_left && !r->file_left) {
		int n = next_record(r, err);

		if (n <= 0)
			return n;
	}
	return r->file_left ? next_of_file(r, err) : next_bytes(r, err);
}

/* Looks at each file that is named, and reads none. */
static void skip_file(struct split_reader *r)
{
	close(take_fd(&r->file));
	split_walk_content(&r->walk, r->file_left);
	r->file_left = 0;
}

int split_check(int fd, int root_fd, struct err *err)
{
	struct split_reader *r = split_reader_new(fd, root_fd);
	int n;

	while ((n = next_record(r, err)) > 0) {
		if (r->file_left)
			skip_file(r);
		while (n > 0 && r->bytes_left)
			n = (int)next_bytes(r, err);
		if (n < 0)
			break;
	}
	split_reader_free(r);
	return n;
}

void split_reader_free(struct split_reader *r)
{
	if (!r)
		return;
	if (r->file >= 0)
		close(r->file);
	tar_frame_done(&r->walk.frame);
	decoder_close(&r->decoder);
	free(r);
}
