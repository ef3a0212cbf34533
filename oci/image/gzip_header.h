/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a gzip member (RFC 1952, 2.3), in pieces of any size. For oci/image/decode.c: ISA-L
 * 2.30 reads one wrongly that has a checksum of its own and is cut by the end of the input.
 */
#ifndef OCI_IMAGE_GZIP_HEADER_H
#define OCI_IMAGE_GZIP_HEADER_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed before each member. */
struct gzip_header {
	int part;
	uint8_t flags;
	uint32_t at, extra; /* in the part; of the extra field */
	uint32_t crc, want;
};

/* Moves in and len on. 1: complete, 0: it goes on, -EINVAL: none, -EBADMSG: its checksum is wrong.
 */
int gzip_header_take(struct gzip_header *h, const uint8_t **in, size_t *len);

#endif
