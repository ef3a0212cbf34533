/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression in pieces of any size, for oci/image/blob.h: gzip with as many members as there
 * are (RFC 1952, 2.2), zstd with as many frames, skippable ones too (RFC 8878, 3.1). Which library
 * decodes is a row of a table, so that tests run all of them.
 */
#ifndef OCI_IMAGE_DECODE_H
#define OCI_IMAGE_DECODE_H

#include "lib/err.h"
#include "oci/image/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read, and the room that is left; decoder_run() moves both on. */
struct decode_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

struct decoder_kind {
	const char *name;
	enum compression compression;
	void *(*open)(void); /* NULL: out of memory */
	/* *ret_boundary: a member has just ended (in) and ends here (out) */
	int (*run)(void *state, struct decode_io *io, bool *boundary, struct err *err);
	void (*close)(void *state);
};

/* Of several that decode the same, the first is the fastest. */
extern const struct decoder_kind decoder_kinds[];
extern const size_t decoder_kind_count;

struct decoder {
	const struct decoder_kind *kind;
	void *state;
	bool boundary;
};

/* The first for a compression that is not COMPRESSION_NONE. */
const struct decoder_kind *decoder_find(enum compression compression);
/* -ENOMEM */
int decoder_open(struct decoder *d, const struct decoder_kind *kind, struct err *err);
/*
 * Decodes until the input is used up or the room is. -EBADMSG with words for what is broken, -EFBIG
 * for a window above 128 MiB, -ENOMEM.
 */
int decoder_run(struct decoder *d, struct decode_io *io, struct err *err);
/* Whether the input may end here. */
bool decoder_at_end(const struct decoder *d);
void decoder_close(struct decoder *d);

#endif
