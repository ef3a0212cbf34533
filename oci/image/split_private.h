/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer and the reader of oci/image/split.h must agree about. */
#ifndef OCI_IMAGE_SPLIT_PRIVATE_H
#define OCI_IMAGE_SPLIT_PRIVATE_H

#include "oci/image/tar_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPLIT_BYTES = 'b', SPLIT_FILE = 'f' };

#define SPLIT_RECORD 9 /* bytes of a record's kind and length */

enum split_place { SPLIT_HEADER, SPLIT_CONTENT, SPLIT_PADDING, SPLIT_REST };

/* Where in a tar stream we are. */
struct split_walk {
	enum split_place place; /* SPLIT_REST: of what is no tar, or behind its end */
	struct tar_frame frame;
	uint8_t block[TAR_BLOCK];
	size_t block_len;
	uint64_t left, padding; /* of the member */
	bool in_file;		/* the member's content is in a file of its name */
};

#define SPLIT_WALK_INIT                                                                            \
	{                                                                                          \
		.frame = TAR_FRAME_INIT                                                            \
	}

/* Takes as many of the bytes as are at one place; returns how many, 1 at least. */
size_t split_walk(struct split_walk *w, const void *data, size_t len);
/* The same for content that is not at hand; len is at most left. */
void split_walk_content(struct split_walk *w, uint64_t len);
/* A member's name as it is opened below a root. */
const char *split_path(const struct tar_frame *frame);

#endif
