/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/strmap.h"

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

struct strmap_entry {
	struct strmap_entry *next;
	uint64_t hash;
	size_t value;
	char key[];
};

/* FNV-1a from a start that differs in each process: nobody can prepare keys that all collide. */
static uint64_t hash_key(const char *key)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t h = 0xcbf29ce484222325, start = 0;

	if (random)
		memcpy(&start, random, sizeof(start));
	h ^= start;
	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3;
	/* The low bits, which choose the bucket, know little of the high ones. */
	return h ^ h >> 32;
}

static struct strmap_entry *find(const struct strmap *m, const char *key, uint64_t hash)
{
	struct strmap_entry *e = m->bucket_count ? m->buckets[hash % m->bucket_count] : NULL;

	while (e && (e->hash != hash || strcmp(e->key, key) != 0))
		e = e->next;
	return e;
}

static void insert(struct strmap *m, struct strmap_entry *e)
{
	struct strmap_entry **bucket = &m->buckets[e->hash % m->bucket_count];

	e->next = *bucket;
	*bucket = e;
}

static void grow(struct strmap *m, struct arena *a)
{
	struct strmap old = *m;

	m->bucket_count = old.bucket_count ? old.bucket_count * 2 : 16;
	m->buckets = arena_calloc(a, m->bucket_count, sizeof(struct strmap_entry *));
	for (size_t i = 0; i < old.bucket_count; i++)
		for (struct strmap_entry *e = old.buckets[i], *next; e; e = next) {
			next = e->next;
			insert(m, e);
		}
}

size_t *strmap_at(struct strmap *m, const char *key, struct arena *a)
{
	uint64_t hash = hash_key(key);
	struct strmap_entry *e = find(m, key, hash);

	if (e)
		return &e->value;
	if (m->count == m->bucket_count)
		grow(m, a);
	e = arena_alloc(a, sizeof(*e) + strlen(key) + 1);
	e->hash = hash;
	memcpy(e->key, key, strlen(key) + 1);
	insert(m, e);
	m->count++;
	return &e->value;
}

size_t strmap_get(const struct strmap *m, const char *key)
{
	const struct strmap_entry *e = find(m, key, hash_key(key));

	return e ? e->value : 0;
}
