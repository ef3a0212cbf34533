/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string on the heap, always NUL-terminated behind its length. Appending never
 * fails: when memory is out the process ends with exit code 255 (see lib/arena.h).
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stddef.h>

struct buf {
	char *data; /* NULL while empty and never grown */
	size_t len; /* without the NUL */
	size_t size;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for extra bytes behind len (and the NUL) and returns where they start; the caller adds
 * to len. */
char *buf_reserve(struct buf *b, size_t extra);
/* The text, "" when empty; owned by the buffer. */
const char *buf_str(const struct buf *b);
/* Empties the buffer and keeps its memory. */
void buf_reset(struct buf *b);
void buf_done(struct buf *b);

#define autobuf __attribute__((cleanup(buf_done))) struct buf

#endif
