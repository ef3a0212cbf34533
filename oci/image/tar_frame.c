/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/tar_frame.h"

#include <string.h>

/* libarchive's limit too. */
#define META_MAX ((uint64_t)1024 * 1024)
#define SIZE_LIMIT ((uint64_t)1 << 62)

enum { AT_HEADER, IN_META, IN_SPARSE_MAP, AT_END };

/* Places and lengths of a header's fields: POSIX.1, pax, "ustar Interchange Format", and GNU's. */
enum {
	NAME = 0,
	NAME_LEN = 100,
	SIZE = 124,
	SIZE_LEN = 12,
	CHECKSUM = 148,
	CHECKSUM_LEN = 8,
	TYPE = 156,
	LINK = 157,
	LINK_LEN = 100,
	MAGIC = 257,
	PREFIX = 345,
	PREFIX_LEN = 155,
	GNU_SPARSE = 386,
	GNU_EXTENDED = 482,
	GNU_MAP_EXTENDED = 504,
};

static bool base256(const uint8_t *p, size_t len, uint64_t *ret)
{
	uint64_t n = p[0] & 0x3f;

	if (p[0] & 0x40)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (n >= SIZE_LIMIT >> 8)
			return false;
		n = n << 8 | p[i];
	}
	*ret = n;
	return true;
}

/* Octal, or binary with the highest bit set; at most 12 digits, so that it cannot overflow. */
static bool number(const uint8_t *p, size_t len, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	if (p[0] & 0x80)
		return base256(p, len, ret);
	while (i < len && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (i < len && p[i] == '-')
		return false;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		n = n * 8 + (p[i] - '0');
	*ret = n;
	return true;
}

/* Some old writers summed up signed bytes. */
static bool checksum_right(const uint8_t *h)
{
	uint64_t want;
	int64_t plain = 0, with_sign = 0;

	if (!number(h + CHECKSUM, CHECKSUM_LEN, &want))
		return false;
	for (int i = 0; i < TAR_BLOCK; i++) {
		uint8_t c = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_LEN ? ' ' : h[i];

		plain += c;
		with_sign += (int8_t)c;
	}
	return (int64_t)want == plain || (int64_t)want == with_sign;
}

static bool is_zero(const uint8_t *h)
{
	return h[0] == 0 && memcmp(h, h + 1, TAR_BLOCK - 1) == 0;
}

static bool is_gnu(const uint8_t *h)
{
	return memcmp(h + MAGIC, "ustar  ", 8) == 0;
}

static bool is_ustar(const uint8_t *h)
{
	return memcmp(h + MAGIC, "ustar", 5) == 0 && !is_gnu(h);
}

static void add_field(struct buf *b, const uint8_t *field, size_t max)
{
	buf_add(b, field, strnlen((const char *)field, max));
}

static void take_name(struct tar_frame *f, const uint8_t *h)
{
	buf_reset(&f->name);
	if (f->long_name.len) {
		buf_add(&f->name, f->long_name.data, f->long_name.len);
		return;
	}
	if (is_ustar(h) && h[PREFIX]) {
		add_field(&f->name, h + PREFIX, PREFIX_LEN);
		buf_add(&f->name, "/", 1);
	}
	add_field(&f->name, h + NAME, NAME_LEN);
}

static void take_link(struct tar_frame *f, const uint8_t *h)
{
	buf_reset(&f->link);
	if (f->long_link.len)
		buf_add(&f->link, f->long_link.data, f->long_link.len);
	else
		add_field(&f->link, h + LINK, LINK_LEN);
	buf_reset(&f->long_link);
}

static char take_type(const struct tar_frame *f, const uint8_t *h)
{
	char type = (char)h[TYPE];

	if (type != '\0' && type != '7' && type != '0')
		return type;
	/* Before POSIX.1-1988 that was a directory. */
	return f->name.len && f->name.data[f->name.len - 1] == '/' ? '5' : '0';
}

/* Bytes behind a header that says size, where no pax header says otherwise. */
static uint64_t data_size(const struct tar_frame *f, uint64_t size)
{
	if (f->type == '1')
		return f->pax ? size : 0;
	return f->type >= '2' && f->type <= '6' ? 0 : size;
}

static enum tar_event take_member(struct tar_frame *f, const uint8_t *h, uint64_t size)
{
	bool gnu_sparse = is_gnu(h) && h[GNU_SPARSE];

	if (!is_ustar(h))
		f->pax = false;
	take_name(f, h);
	take_link(f, h);
	f->type = take_type(f, h);
	f->size = f->has_pax_size ? f->pax_size : data_size(f, size);
	/* A directory of ours may be a regular file to the header, and then has data. */
	if (!f->has_pax_size && f->type == '5' && h[TYPE] != '5')
		f->size = size;
	f->sparse = f->pax_sparse || gnu_sparse || f->type == 'S';
	f->has_pax_size = f->pax_sparse = false;
	buf_reset(&f->long_name);
	if (gnu_sparse && h[GNU_EXTENDED]) {
		f->state = IN_SPARSE_MAP;
		return TAR_MORE;
	}
	return TAR_MEMBER;
}

static bool starts_with(const char *s, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(s, prefix, strlen(prefix)) == 0;
}

static bool take_decimal(const char *s, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || n >= SIZE_LIMIT / 10)
			return false;
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = n;
	return len > 0;
}

/* One "key=value" of a pax header; false: its size is none. */
static bool take_pax_record(struct tar_frame *f, const char *s, size_t len)
{
	if (starts_with(s, len, "path=")) {
		buf_reset(&f->long_name);
		buf_add(&f->long_name, s + 5, len - 5);
	} else if (starts_with(s, len, "linkpath=")) {
		buf_reset(&f->long_link);
		buf_add(&f->long_link, s + 9, len - 9);
	} else if (starts_with(s, len, "size=")) {
		f->has_pax_size = take_decimal(s + 5, len - 5, &f->pax_size);
		return f->has_pax_size;
	} else if (starts_with(s, len, "GNU.sparse.") || starts_with(s, len, "SCHILY.realsize=") ||
		   starts_with(s, len, "SUN.holesdata=")) {
		f->pax_sparse = true;
	}
	return true;
}

/* "LENGTH key=value\n", the length of all of it. What comes behind a malformed one is not read. */
static bool take_pax(struct tar_frame *f)
{
	const char *p = buf_str(&f->meta), *end = p + f->meta.len;

	while (p < end) {
		const char *space = memchr(p, ' ', (size_t)(end - p));
		uint64_t len;

		if (!space || !take_decimal(p, (size_t)(space - p), &len))
			return true;
		if (len > (uint64_t)(end - p) || p + len < space + 2 || p[len - 1] != '\n')
			return true;
		if (!take_pax_record(f, space + 1, (size_t)(p + len - 1 - (space + 1))))
			return false;
		p += len;
	}
	return true;
}

static enum tar_event end_meta(struct tar_frame *f)
{
	f->state = AT_HEADER;
	if (f->meta_type == 'x' && !take_pax(f))
		return TAR_BROKEN;
	if (f->meta_type == 'L' || f->meta_type == 'K') {
		struct buf *text = f->meta_type == 'L' ? &f->long_name : &f->long_link;

		buf_reset(text);
		buf_adds(text, buf_str(&f->meta));
	}
	return TAR_MORE;
}

/* Headers that say something about the next: pax's, and long names of GNU. */
static enum tar_event begin_meta(struct tar_frame *f, char type, uint64_t size)
{
	f->meta_type = type == 'X' ? 'x' : type;
	f->meta_left = size;
	buf_reset(&f->meta);
	if (f->meta_type == 'x' || type == 'g')
		f->pax = true;
	if (f->meta_type != 'g' && size > META_MAX)
		return TAR_BROKEN;
	f->state = IN_META;
	return size ? TAR_MORE : end_meta(f);
}

static enum tar_event take_meta(struct tar_frame *f, const uint8_t *block)
{
	size_t n = f->meta_left < TAR_BLOCK ? (size_t)f->meta_left : TAR_BLOCK;

	if (f->meta_type != 'g')
		buf_add(&f->meta, block, n);
	f->meta_left -= n;
	return f->meta_left ? TAR_MORE : end_meta(f);
}

static enum tar_event take_header(struct tar_frame *f, const uint8_t *h)
{
	uint64_t size;

	if (is_zero(h)) {
		f->state = AT_END;
		return TAR_END;
	}
	if (!checksum_right(h) || !number(h + SIZE, SIZE_LEN, &size))
		return TAR_BROKEN;
	if (h[TYPE] && strchr("xXgLK", h[TYPE]))
		return begin_meta(f, (char)h[TYPE], size);
	return take_member(f, h, size);
}

enum tar_event tar_frame_block(struct tar_frame *f, const void *block)
{
	const uint8_t *b = block;

	switch (f->state) {
	case AT_HEADER:
		return take_header(f, b);
	case IN_META:
		return take_meta(f, b);
	case IN_SPARSE_MAP:
		if (b[GNU_MAP_EXTENDED])
			return TAR_MORE;
		f->state = AT_HEADER;
		return TAR_MEMBER;
	default:
		return TAR_END;
	}
}

void tar_frame_done(struct tar_frame *f)
{
	buf_done(&f->name);
	buf_done(&f->meta);
	buf_done(&f->long_name);
	buf_done(&f->link);
	buf_done(&f->long_link);
}
