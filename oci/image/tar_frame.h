/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only the framing of a tar stream: where members begin, what they are called, how many bytes
 * follow. For finding members in an uncompressed archive without reading its data, and for
 * oci/image/split.h. What layers contain is read by libarchive.
 */
#ifndef OCI_IMAGE_TAR_FRAME_H
#define OCI_IMAGE_TAR_FRAME_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK 512

struct tar_frame {
	/* of the member whose header was just completed */
	char type;	 /* '0' for every kind of regular file, else the typeflag */
	bool sparse;	 /* a GNU sparse file of any kind: its data is a map and pieces */
	uint64_t size;	 /* bytes of data that follow, padded to TAR_BLOCK */
	struct buf name; /* whole: of ustar's prefix, GNU's L or pax's path */
	/* internal */
	struct buf meta;
	uint64_t meta_left, pax_size;
	int state;
	bool has_pax_size;
	struct buf long_name;
};

enum tar_event {
	TAR_MORE,   /* the block belonged to a header that goes on (pax, GNU long names) */
	TAR_MEMBER, /* a member's header is complete: size bytes of data follow, padded; skip them,
		       then go on */
	TAR_END,    /* two blocks of zeros */
	TAR_BROKEN, /* no tar header: wrong checksum or an impossible size */
};

#define TAR_FRAME_INIT                                                                             \
	{                                                                                          \
		.name = BUF_INIT, .meta = BUF_INIT, .long_name = BUF_INIT                          \
	}

/* Takes the next block of TAR_BLOCK bytes that is not data of a member. */
enum tar_event tar_frame_block(struct tar_frame *f, const void *block);
void tar_frame_done(struct tar_frame *f);

#endif
