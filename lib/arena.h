/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory with one lifetime: allocate piecemeal, free at once. A spec, a plan and a JSON document
 * each live in one. Allocation never fails: when memory is out the process ends (exit code 255), as
 * nothing useful could follow.
 */
#ifndef LIB_ARENA_H
#define LIB_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks; /* newest first */
};

#define ARENA_INIT                                                                                 \
	{                                                                                          \
		NULL                                                                               \
	}

/* Zeroed memory, aligned for any type; valid until arena_done(). */
void *arena_alloc(struct arena *a, size_t size);
/* An array of n zeroed elements; ends the process when n * size overflows. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/*
 * Room for one more in an array of count that was made here from NULL: where it is now. It doubles
 * when it is full, so that many single additions cost no more than one array; what is new is zeroed.
 */
void *arena_grow(struct arena *a, void *items, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
void *arena_memdup(struct arena *a, const void *p, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *a);

#define autoarena __attribute__((cleanup(arena_done))) struct arena

#endif
