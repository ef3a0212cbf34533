/* SPDX-License-Identifier: Apache-2.0 */
/* Whether it will fit, before anything is written: a full disk in the middle costs time, and flash
 * its life. */
#include "oci/image/load_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <zstd.h>

/* What layers are compressed to, for those that do not say. */
#define USUAL_RATIO 3
#define MARGIN_PERCENT 5

/* RFC 1952: the size modulo 2^32 is at the end. */
static uint64_t gzip_bytes(const struct extent *e)
{
	unsigned char size[4];
	uint64_t bytes;

	if (e->size < sizeof(size) ||
	    fd_pread_full(e->fd, size, sizeof(size), e->offset + e->size - sizeof(size)) !=
		    sizeof(size))
		return 0;
	bytes = (uint64_t)size[0] | (uint64_t)size[1] << 8 | (uint64_t)size[2] << 16 |
		(uint64_t)size[3] << 24;
	/* Of several members it is that of the last one; above 4 GiB a remainder. */
	return bytes < e->size ? 0 : bytes;
}

static uint64_t uncompressed_bytes(const struct extent *e)
{
	unsigned char magic[18];
	ssize_t n = fd_pread_full(e->fd, magic, sizeof(magic), e->offset);
	unsigned long long size;

	if (n < 4)
		return e->size;
	if (magic[0] == 0x1f && magic[1] == 0x8b) {
		size = gzip_bytes(e);
		return size ? size : e->size * USUAL_RATIO;
	}
	if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) != 0)
		return e->size;
	size = ZSTD_getFrameContentSize(magic, (size_t)n);
	return size < (1ULL << 62) ? size : e->size * USUAL_RATIO;
}

int load_check_space(struct load *l)
{
	uint64_t needed = 0, there;
	struct statvfs fs;

	/* Names alone are given also when nearly nothing is free. */
	if (!l->jobs.count)
		return 0;
	for_each (j, &l->jobs) {
		struct extent e;
		int r = layout_find(l->opts->layout, j->source->member, &e, l->err);

		if (r < 0)
			return r;
		needed += uncompressed_bytes(&e);
		close(e.fd);
	}
	needed += needed / 100 * MARGIN_PERCENT + l->opts->reserve;
	if (fstatvfs(l->opts->store->fd, &fs) < 0)
		return err_errno(l->err, "statvfs %s", l->opts->store->path);
	there = (uint64_t)fs.f_bavail * fs.f_frsize;
	l->room = there > l->opts->reserve ? there - l->opts->reserve : 0;
	if (needed <= there)
		return 0;
	return err_set(l->err, ENOSPC,
		       "image store %s: about %llu MiB are needed, %llu MiB are free",
		       l->opts->store->path, (unsigned long long)(needed >> 20) + 1,
		       (unsigned long long)there >> 20);
}

/* A bomb says that it is small: it must not fill the disk before that shows. */
uint64_t load_max_bytes(const struct load *l)
{
	return l->room < l->opts->max_bytes ? l->room : l->opts->max_bytes;
}
