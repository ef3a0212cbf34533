/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a list the item of a name is, for lists that others decide the length of: a look through
 * all of them for each would be quadratic. Lives in an arena.
 */
#ifndef LIB_STRMAP_H
#define LIB_STRMAP_H

#include "lib/arena.h"

struct strmap_entry;

/* Zeroed: empty. */
struct strmap {
	struct strmap_entry **buckets;
	size_t bucket_count, count;
};

/* The number kept for a key, which is copied; 0 for a new one. Valid until the arena is done. */
size_t *strmap_at(struct strmap *m, const char *key, struct arena *a);
/* 0: there is none. */
size_t strmap_get(const struct strmap *m, const char *key);

#endif
