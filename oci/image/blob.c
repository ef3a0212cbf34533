/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/blob.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOB_READ, BLOB_DECODE, BLOB_STAGES };

/* One that is read, one that is decoded, one between them. */
#define BLOB_CHUNKS 3

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

int blob_open(struct blob *b, const struct stream_opts *opts)
{
	*b = (struct blob){ .opts = opts, .hash = hash_new(opts->digest ?: "sha256") };
	return ring_init(&b->ring, BLOB_STAGES, opts->threads ? BLOB_CHUNKS : 1);
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

/* By the first chunk. */
static int sniff(struct blob *b, const struct ring_chunk *chunk, struct err *err)
{
	int r = compression_sniff(chunk->data, chunk->len, &b->compression, err);

	b->same = b->compression == COMPRESSION_NONE && same_algorithm(b->opts);
	return r;
}

static int read_chunk(struct blob *b, struct ring_chunk *chunk, struct err *err)
{
	bool first = !b->done;
	ssize_t n = read_blob(b, chunk->data, RING_CHUNK_SIZE, err);
	int r = 0;

	if (n <= 0)
		return (int)n;
	chunk->len = (size_t)n;
	if (first)
		r = sniff(b, chunk, err);
	if (r == 0 && !b->same)
		hash_add(b->hash, chunk->data, chunk->len);
	return r < 0 ? r : 1;
}

static void *read_thread(void *arg)
{
	struct blob *b = arg;
	struct ring_chunk *chunk;

	while ((chunk = ring_take(&b->ring, BLOB_READ)) && read_chunk(b, chunk, &b->failed) > 0)
		ring_pass(&b->ring, BLOB_READ);
	ring_end(&b->ring, BLOB_READ);
	return NULL;
}

void blob_start(struct blob *b)
{
	b->threaded = ring_thread(&b->thread, read_thread, b) == 0;
}

/* 1, 0 at the end, or -errno. */
static int next_of_ring(struct blob *b, struct err *err)
{
	if (b->chunk)
		ring_pass(&b->ring, BLOB_DECODE);
	b->chunk = ring_take(&b->ring, BLOB_DECODE);
	if (!b->chunk && b->failed.code)
		*err = b->failed;
	return b->chunk ? 1 : b->failed.code;
}

/* In the caller's thread. */
static int next_alone(struct blob *b, struct err *err)
{
	b->chunk = &b->ring.chunks[0];
	return read_chunk(b, b->chunk, err);
}

/* The next of the blob into b->in: 1, 0 at the end, or -errno. */
static int refill(struct blob *b, struct err *err)
{
	int r = b->threaded ? next_of_ring(b, err) : next_alone(b, err);

	if (r <= 0)
		return r;
	b->in = b->chunk->data;
	b->in_len = b->chunk->len;
	if (b->compression != COMPRESSION_NONE && !b->decoder.kind)
		r = decoder_open(&b->decoder, decoder_find(b->compression), err);
	return r < 0 ? r : 1;
}

static int fill_plain(struct blob *b, struct ring_chunk *chunk)
{
	uint8_t *empty = chunk->data;

	*chunk = *b->chunk;
	b->chunk->data = empty;
	b->in_len = 0;
	return 1;
}

static int fill_decoded(struct blob *b, struct ring_chunk *chunk, struct err *err)
{
	struct decode_io io = { b->in, b->in_len, chunk->data, RING_CHUNK_SIZE };
	int r;

	for (;;) {
		r = decoder_run(&b->decoder, &io, err);
		b->in = io.in;
		b->in_len = io.in_len;
		if (r < 0 || !io.out_len)
			break;
		if (io.in_len)
			return err_set(err, EBADMSG, "the compressed data is broken");
		r = refill(b, err);
		if (r <= 0)
			break;
		io.in = b->in;
		io.in_len = b->in_len;
	}
	if (r == 0 && io.out_len && !decoder_at_end(&b->decoder))
		return err_set(err, EBADMSG, "truncated: the compressed data goes on");
	chunk->len = RING_CHUNK_SIZE - io.out_len;
	return r < 0 ? r : chunk->len > 0;
}

int blob_fill(struct blob *b, struct ring_chunk *chunk, struct err *err)
{
	/* What is plain leaves nothing of a chunk. */
	if (!b->chunk || b->compression == COMPRESSION_NONE) {
		int r = refill(b, err);

		if (r <= 0)
			return r;
	}
	return b->compression == COMPRESSION_NONE ? fill_plain(b, chunk)
						  : fill_decoded(b, chunk, err);
}

void blob_close(struct blob *b)
{
	if (b->threaded) {
		ring_stop(&b->ring);
		pthread_join(b->thread, NULL);
	}
	decoder_close(&b->decoder);
	hash_free(b->hash);
	ring_done(&b->ring);
}
