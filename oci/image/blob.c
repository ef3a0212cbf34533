/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/blob.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_SIZE ((size_t)256 * 1024)

static const struct {
	const char *name; /* of what cannot be decompressed */
	enum compression compression;
	size_t len;
	const char *magic, *mask; /* mask NULL: all bits */
} magics[] = {
	{ NULL, COMPRESSION_GZIP, 2, "\x1f\x8b" },
	{ NULL, COMPRESSION_ZSTD, 4, "\x28\xb5\x2f\xfd" },
	/* a skippable frame */
	{ NULL, COMPRESSION_ZSTD, 4, "\x50\x2a\x4d\x18", "\xf0\xff\xff\xff" },
	{ "xz", 0, 6,
	  "\xfd"
	  "7zXZ\0" },
	{ "bzip2", 0, 10, "BZh01AY&SY", "\xff\xff\xff\xf0\xff\xff\xff\xff\xff\xff" },
	{ "lz4", 0, 4, "\x04\x22\x4d\x18" },
	{ "lzip", 0, 5, "LZIP\1" },
	{ "lzma", 0, 3, "\x5d\0\0" },
	{ "compress", 0, 2, "\x1f\x9d" },
	{ "zip", 0, 4, "PK\3\4" },
};

static bool matches(const char *data, size_t len, size_t row)
{
	if (len < magics[row].len)
		return false;
	for (size_t i = 0; i < magics[row].len; i++) {
		int mask = magics[row].mask ? magics[row].mask[i] : 0xff;

		if ((data[i] & mask) != (magics[row].magic[i] & mask))
			return false;
	}
	return true;
}

int compression_sniff(const void *data, size_t len, enum compression *ret, struct err *err)
{
	*ret = COMPRESSION_NONE;
	/* A member may be called like anything; POSIX.1 has "ustar" behind the name. */
	if (len >= 262 && memcmp((const char *)data + 257, "ustar", 5) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (!matches(data, len, i))
			continue;
		if (magics[i].name)
			return err_set(err, EOPNOTSUPP, "compression %s is not supported",
				       magics[i].name);
		*ret = magics[i].compression;
		return 0;
	}
	return 0;
}

void blob_open(struct blob *b, const struct stream_opts *opts)
{
	*b = (struct blob){ .opts = opts, .hash = hash_new(opts->digest ?: "sha256") };
	b->in = malloc(INPUT_SIZE);
	if (!b->in)
		_exit(255);
}

/* Reads as much of the blob as is left and fits. */
static ssize_t read_blob(struct blob *b, void *data, size_t size, struct err *err)
{
	const struct stream_opts *o = b->opts;
	size_t want = o->size - b->done < size ? (size_t)(o->size - b->done) : size, got = 0;

	while (got < want) {
		ssize_t n = pread(o->fd, (char *)data + got, want - got,
				  (off_t)(o->offset + b->done + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "cannot read the layer");
		if (n == 0)
			return err_set(err, EBADMSG,
				       "truncated: %" PRIu64 " of %" PRIu64 " bytes are there",
				       b->done + got, o->size);
		got += (size_t)n;
	}
	b->done += got;
	if (o->progress)
		__atomic_store_n(o->progress, b->done, __ATOMIC_RELAXED);
	return (ssize_t)got;
}

static bool same_algorithm(const struct stream_opts *o)
{
	return strncmp(o->digest ?: "sha256", o->diff_id ?: "sha256", strlen("sha256")) == 0;
}

static int begin(struct blob *b, struct err *err)
{
	int r = compression_sniff(b->in, b->in_len, &b->compression, err);

	b->begun = true;
	if (r < 0)
		return r;
	if (b->compression != COMPRESSION_NONE)
		return decoder_open(&b->decoder, decoder_find(b->compression), err);
	b->same = same_algorithm(b->opts);
	return 0;
}

/* The next of the blob into b->in: how much, 0 at the end. */
static ssize_t refill(struct blob *b, struct err *err)
{
	ssize_t n = read_blob(b, b->in, INPUT_SIZE, err);

	if (n < 0)
		return n;
	b->in_pos = 0;
	b->in_len = (size_t)n;
	if (!b->begun) {
		int r = begin(b, err);

		if (r < 0)
			return r;
	}
	if (!b->same)
		hash_add(b->hash, b->in, b->in_len);
	return n;
}

static ssize_t fill_plain(struct blob *b, uint8_t *data, size_t size, struct err *err)
{
	size_t n = b->in_len - b->in_pos < size ? b->in_len - b->in_pos : size;
	ssize_t more;

	memcpy(data, b->in + b->in_pos, n);
	b->in_pos += n;
	more = read_blob(b, data + n, size - n, err);
	if (more > 0 && !b->same)
		hash_add(b->hash, data + n, (size_t)more);
	return more < 0 ? more : (ssize_t)n + more;
}

static ssize_t fill_decoded(struct blob *b, uint8_t *data, size_t size, struct err *err)
{
	struct decode_io io = { .out = data, .out_len = size };

	for (;;) {
		ssize_t r;

		io.in = b->in + b->in_pos;
		io.in_len = b->in_len - b->in_pos;
		r = decoder_run(&b->decoder, &io, err);
		b->in_pos = b->in_len - io.in_len;
		if (r < 0)
			return r;
		if (!io.out_len)
			return (ssize_t)size;
		if (io.in_len)
			return err_set(err, EBADMSG, "the compressed data is broken");
		r = refill(b, err);
		if (r < 0)
			return r;
		if (r == 0 && !decoder_at_end(&b->decoder))
			return err_set(err, EBADMSG, "truncated: the compressed data goes on");
		if (r == 0)
			return (ssize_t)(size - io.out_len);
	}
}

ssize_t blob_fill(struct blob *b, void *data, size_t size, struct err *err)
{
	if (!b->begun) {
		ssize_t r = refill(b, err);

		if (r < 0)
			return r;
	}
	return b->compression == COMPRESSION_NONE ? fill_plain(b, data, size, err)
						  : fill_decoded(b, data, size, err);
}

void blob_close(struct blob *b)
{
	decoder_close(&b->decoder);
	hash_free(b->hash);
	free(b->in);
}
