/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stage of oci/image/stream.h: a blob read from a file, hashed as it lies there, and
 * decompressed.
 */
#ifndef OCI_IMAGE_BLOB_H
#define OCI_IMAGE_BLOB_H

#include "lib/err.h"
#include "oci/image/decode.h"
#include "oci/image/hash.h"
#include "oci/image/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	const struct stream_opts *opts;
	struct hash *hash; /* NULL once taken */
	uint8_t *in;
	size_t in_pos, in_len;
	uint64_t done; /* bytes that were read */
	enum compression compression;
	struct decoder decoder;
	bool begun;
	bool same; /* not hashed, as the stream is the blob and hashed with the same algorithm */
};

/* opts are borrowed. */
void blob_open(struct blob *b, const struct stream_opts *opts);
/* Fills data, which only the end cuts short. Returns how much, or -errno with words. */
ssize_t blob_fill(struct blob *b, void *data, size_t size, struct err *err);
void blob_close(struct blob *b);

#endif
