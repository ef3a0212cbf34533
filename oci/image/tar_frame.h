/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only the framing of a tar stream: where members begin, what they are called, how many bytes
 * follow. For finding members in an uncompressed archive without reading its data, and for
 * oci/image/split.h. What layers contain is read by libarchive; where writers differ about how much
 * data follows a header, this does as libarchive 3.6 does.
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
	bool sparse;	 /* a sparse file of any kind: its data is a map and pieces */
	uint64_t size;	 /* bytes of data that follow, padded to TAR_BLOCK; below 2^62 */
	struct buf name; /* whole: of ustar's prefix, GNU's L or pax's path; may hold NULs */
	struct buf link; /* of a link: where it leads, of the header, GNU's K or pax's linkpath */
	/* internal */
	int state;
	bool pax; /* libarchive's "format": a hard link of ustar has no data, one of pax may */
	char meta_type;
	uint64_t meta_left;
	struct buf meta, long_name, long_link;
	bool has_pax_size, pax_sparse;
	uint64_t pax_size;
};

enum tar_event {
	TAR_MORE,   /* the block belonged to a header that goes on (pax, GNU long names) */
	TAR_MEMBER, /* a member's header is complete: size bytes of data follow, padded; skip them,
		       then go on */
	TAR_END,    /* a block of zeros (one is enough for libarchive) */
	TAR_BROKEN, /* no tar header: wrong checksum or an impossible size */
};

#define TAR_FRAME_INIT                                                                             \
	{                                                                                          \
		.name = BUF_INIT, .link = BUF_INIT, .meta = BUF_INIT, .long_name = BUF_INIT        \
	}

/* Takes the next block of TAR_BLOCK bytes that is not data of a member. */
enum tar_event tar_frame_block(struct tar_frame *f, const void *block);
void tar_frame_done(struct tar_frame *f);

#endif
