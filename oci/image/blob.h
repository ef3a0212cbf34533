/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stages of oci/image/stream.h: a blob read from a file and hashed as it lies there, in a
 * thread of its own if there is one, and decompressed by the caller.
 */
#ifndef OCI_IMAGE_BLOB_H
#define OCI_IMAGE_BLOB_H

#include "lib/err.h"
#include "oci/image/decode.h"
#include "oci/image/hash.h"
#include "oci/image/ring.h"
#include "oci/image/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	const struct stream_opts *opts;
	struct ring ring;
	/* Whoever reads has these: others may look at compression when they have the first chunk,
	 * at the rest once nothing more comes. */
	struct hash *hash; /* NULL once taken */
	uint64_t done;	   /* bytes that were read */
	enum compression compression;
	bool same; /* not hashed, as the stream is the blob and hashed with the same algorithm */
	struct err failed;
	pthread_t thread;
	bool threaded;
	/* Whoever decodes has these. */
	struct ring_chunk *chunk; /* of the ring; NULL: none yet, or no more */
	const uint8_t *in;	  /* what of it is left */
	size_t in_len;
	struct decoder decoder;
};

/* opts are borrowed. 0 or -ENOMEM; closed in any case. */
int blob_open(struct blob *b, const struct stream_opts *opts);
/* Begins to read in a thread, if one can be had. */
void blob_start(struct blob *b);
/* Fills an empty chunk, for which it may swap its memory; only the end cuts it short. 1, 0 at the
 * end, or -errno with words. */
int blob_fill(struct blob *b, struct ring_chunk *chunk, struct err *err);
void blob_close(struct blob *b);

#endif
