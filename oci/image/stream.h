/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's blob as its uncompressed tar stream, in one pass and constant memory: read, hash,
 * decode, hash again, and note what it takes to make the same stream again (oci/image/split.h).
 * With threads, reading with the blob's hash, decoding, hashing, and the caller are four stages
 * behind rings, so that the longest, decoding, does nothing else; without, all is done in
 * stream_next().
 */
#ifndef OCI_IMAGE_STREAM_H
#define OCI_IMAGE_STREAM_H

#include "lib/err.h"
#include "oci/image/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* By magic bytes, whatever a media type says: -EOPNOTSUPP "compression X is not supported" for what
 * is known to be something else (xz, bzip2, lz4). */
int compression_sniff(const void *data, size_t len, enum compression *ret, struct err *err);

struct stream_opts {
	int fd;		       /* read by pread(2) */
	uint64_t offset, size; /* of the blob in it */
	const char *digest;    /* the blob's algorithm and what it must be; NULL: only computed, as
				  sha256 */
	const char *diff_id;   /* what the diffID must be */
	bool threads;
	int split_fd;	    /* where what oci/image/split.h needs is written, -1: nowhere */
	bool split_whole;   /* file contents too: for layers whose files cannot be found again by
			       their order */
	uint64_t max_bytes; /* of the uncompressed stream; -EFBIG above it */
	volatile uint64_t
		*progress; /* bytes of the blob that were read, for a bar; NULL: nobody looks */
};

struct stream_result {
	char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
	uint64_t size, bytes; /* of the blob, of the uncompressed stream */
};

struct stream;

/*
 * -ENOMEM and the like; nothing is read yet, and threads begin with the first stream_next(), which
 * is behind a confinement (what cannot have threads goes without). The strings in opts are borrowed
 * until stream_close(). On the heap.
 */
int stream_open(const struct stream_opts *opts, struct stream **ret, struct err *err);
/*
 * The next bytes, valid until the next call. Returns how many, 0 at the end, -errno with words:
 * -EBADMSG what is truncated, broken or followed by garbage; -EFBIG a bomb; -EIO.
 */
ssize_t stream_next(struct stream *s, const void **ret, struct err *err);
/*
 * Reads what is left, and judges: -EBADMSG when digest, size or diff_id are not what they must be,
 * with both in the message. After success the split file is complete.
 */
int stream_finish(struct stream *s, struct stream_result *ret, struct err *err);
void stream_close(struct stream *s);

#endif
