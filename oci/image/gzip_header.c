/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/gzip_header.h"

#include <errno.h>
#include <stdbool.h>
#include <zlib.h>

enum { FIXED, EXTRA_LEN, EXTRA, NAME, COMMENT, CHECKSUM, COMPLETE };
enum { HAS_CHECKSUM = 2, HAS_EXTRA = 4, HAS_NAME = 8, HAS_COMMENT = 16, RESERVED = 0xe0 };

static bool absent(const struct gzip_header *h, int part)
{
	static const uint8_t flag[] = {
		[EXTRA_LEN] = HAS_EXTRA, [EXTRA] = HAS_EXTRA,	    [NAME] = HAS_NAME,
		[COMMENT] = HAS_COMMENT, [CHECKSUM] = HAS_CHECKSUM,
	};

	return !(h->flags & flag[part]) || (part == EXTRA && !h->extra);
}

/* Identification, method (deflate), flags, and six bytes that say nothing to us. */
static bool fixed_right(const struct gzip_header *h, uint8_t byte)
{
	static const uint8_t want[] = { 0x1f, 0x8b, 8 };

	if (h->at < sizeof(want))
		return byte == want[h->at];
	return h->at != sizeof(want) || !(byte & RESERVED);
}

/* Whether this byte is the last one of its part. */
static bool take_byte(struct gzip_header *h, uint8_t byte)
{
	switch (h->part) {
	case FIXED:
		if (h->at == 3)
			h->flags = byte;
		return h->at == 9;
	case EXTRA_LEN:
		h->extra |= (uint32_t)byte << 8 * h->at;
		return h->at == 1;
	case EXTRA:
		return h->at + 1 == h->extra;
	case CHECKSUM:
		h->want |= (uint32_t)byte << 8 * h->at;
		return h->at == 1;
	default:
		return byte == 0;
	}
}

int gzip_header_take(struct gzip_header *h, const uint8_t **in, size_t *len)
{
	for (; *len && h->part != COMPLETE; ++*in, --*len) {
		if (h->part == FIXED && !fixed_right(h, **in))
			return -EINVAL;
		if (h->part != CHECKSUM)
			h->crc = (uint32_t)crc32(h->crc, *in, 1);
		if (!take_byte(h, **in)) {
			h->at++;
			continue;
		}
		h->at = 0;
		do {
			h->part++;
		} while (h->part < COMPLETE && absent(h, h->part));
	}
	if (h->part == COMPLETE && (h->flags & HAS_CHECKSUM) && h->want != (h->crc & 0xffff))
		return -EBADMSG;
	return h->part == COMPLETE;
}
