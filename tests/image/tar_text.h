/* SPDX-License-Identifier: Apache-2.0 */
/* Small tar streams for tests, member by member. */
#ifndef TESTS_IMAGE_TAR_TEXT_H
#define TESTS_IMAGE_TAR_TEXT_H

#include "lib/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tar_member {
	const char *name;
	char type; /* 0: a regular file */
	const char *data, *link;
	unsigned mode, uid, gid, mtime, major, minor;
};

/* Octal digits that fill a field but for its last byte. */
static inline void tar_number(unsigned char *field, int width, uint64_t value)
{
	for (int i = width - 2; i >= 0; i--, value /= 8)
		field[i] = (unsigned char)('0' + value % 8);
}

static inline void tar_pad(struct buf *b)
{
	static const char zeros[512];

	buf_add(b, zeros, -b->len & 511);
}

static inline void tar_add(struct buf *b, const struct tar_member *m)
{
	size_t size = m->data ? strlen(m->data) : 0;
	unsigned char h[512] = { 0 };
	unsigned sum = 0;

	snprintf((char *)h, 100, "%s", m->name);
	tar_number(h + 100, 8, m->mode ? m->mode : 0644);
	tar_number(h + 108, 8, m->uid);
	tar_number(h + 116, 8, m->gid);
	tar_number(h + 124, 12, size);
	tar_number(h + 136, 12, m->mtime ? m->mtime : 1000000000);
	memset(h + 148, ' ', 8);
	h[156] = (unsigned char)(m->type ? m->type : '0');
	snprintf((char *)h + 157, 100, "%s", m->link ? m->link : "");
	memcpy(h + 257, "ustar\00000", 8);
	tar_number(h + 329, 8, m->major);
	tar_number(h + 337, 8, m->minor);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	tar_number(h + 148, 7, sum);
	h[154] = 0;
	buf_add(b, h, sizeof(h));
	buf_add(b, m->data, size);
	tar_pad(b);
}

/* One pax record for the member that follows. */
static inline void tar_pax(struct buf *b, const char *key, const char *value, size_t len)
{
	struct buf text = BUF_INIT;
	size_t body = strlen(key) + len + 3, n = body + 1;
	struct tar_member m = { .name = "pax", .type = 'x' };
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", n) + body != n)
		n++;
	buf_addf(&text, "%zu %s=", n, key);
	buf_add(&text, value, len);
	buf_add(&text, "\n", 1);
	m.data = text.data;
	/* as the value may hold NULs, the size is put right by hand */
	if (strlen(text.data) == text.len) {
		tar_add(b, &m);
	} else {
		autobuf spaces = BUF_INIT;

		for (size_t i = 0; i < text.len; i++)
			buf_add(&spaces, "x", 1);
		m.data = spaces.data;
		tar_add(b, &m);
		memcpy(b->data + b->len - (text.len + 511) / 512 * 512, text.data, text.len);
	}
	buf_done(&text);
}

static inline void tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

#endif
