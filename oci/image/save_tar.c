/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/save_tar.h"

#include "lib/buf.h"
#include "lib/fd.h"
#include "oci/image/tar_frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* POSIX ustar, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100],
		magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155],
		rest[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

#define OCTAL_MAX ((uint64_t)077777777777)

static const char zeros[2 * TAR_BLOCK];

static int put(struct save_tar *t, const void *data, size_t len, struct err *err)
{
	int r = fd_write_full(t->fd, data, len);

	return r < 0 ? err_code(err, r, "write the archive") : 0;
}

/* Above 8 GiB in base 256, as GNU tar began and everybody reads. */
static void put_size(struct header *h, uint64_t size)
{
	if (size <= OCTAL_MAX) {
		snprintf(h->size, sizeof(h->size), "%011llo", (unsigned long long)size);
		return;
	}
	h->size[0] = (char)0x80;
	for (size_t i = sizeof(h->size) - 1; i > 0; i--, size >>= 8)
		h->size[i] = (char)(size & 0xff);
}

static int put_header(struct save_tar *t, const char *name, char type, uint64_t size,
		      struct err *err)
{
	struct header h = { .mode = "0000644",
			    .uid = "0000000",
			    .gid = "0000000",
			    .mtime = "00000000000",
			    .sum = "        ",
			    .type = type,
			    .magic = "ustar",
			    .version = { '0', '0' } };
	const unsigned char *bytes = (const unsigned char *)&h;
	size_t len = strlen(name);
	unsigned int sum = 0;

	memcpy(h.name, name, len < sizeof(h.name) ? len : sizeof(h.name));
	put_size(&h, size);
	/* The checksum's own eight bytes count as blanks. */
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += bytes[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum);
	return put(t, &h, sizeof(h), err);
}

/* A pax record: its own length stands in front, and counts its own digits. */
static void path_record(const char *name, struct buf *out)
{
	size_t rest = strlen(" path=\n") + strlen(name), len = rest + 1;
	char text[24];

	while (rest + (size_t)snprintf(text, sizeof(text), "%zu", len) > len)
		len++;
	buf_addf(out, "%zu path=%s\n", len, name);
}

/* Only names of sha512 digests are so long. */
static int put_long_name(struct save_tar *t, const char *name, struct err *err)
{
	struct buf record = BUF_INIT;
	int r;

	path_record(name, &record);
	r = put_header(t, "pax", 'x', record.len, err);
	if (r == 0)
		r = put(t, record.data, record.len, err);
	if (r == 0)
		r = put(t, zeros, -record.len % TAR_BLOCK, err);
	buf_done(&record);
	return r;
}

int save_tar_member(struct save_tar *t, const char *name, uint64_t size, struct err *err)
{
	int r = strlen(name) > sizeof(((struct header *)0)->name) ? put_long_name(t, name, err) : 0;

	t->left = size;
	t->padding = -size % TAR_BLOCK;
	return r < 0 ? r : put_header(t, name, '0', size, err);
}

int save_tar_add(struct save_tar *t, const void *data, size_t len, struct err *err)
{
	int r;

	if (len > t->left)
		return err_set(err, EFBIG, "a member of the archive is larger than announced");
	r = put(t, data, len, err);
	t->left -= len;
	if (r == 0 && !t->left)
		r = put(t, zeros, t->padding, err);
	return r;
}

int save_tar_file(struct save_tar *t, const char *name, const void *data, size_t len,
		  struct err *err)
{
	int r = save_tar_member(t, name, len, err);

	return r < 0 ? r : save_tar_add(t, data, len, err);
}

int save_tar_finish(struct save_tar *t, struct err *err)
{
	return put(t, zeros, sizeof(zeros), err);
}
