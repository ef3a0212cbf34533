/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/yaml_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

bool yaml_is_null(const struct yaml_node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; n->kind == YAML_SCALAR && n->plain && i < ARRAY_SIZE(words); i++)
		if (strcmp(n->text, words[i]) == 0)
			return true;
	return false;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (map->kind == YAML_MAP)
		for (struct yaml_node *n = map->first; n; n = n->next)
			if (strcmp(n->key, key) == 0)
				return n;
	return NULL;
}

const char *yaml_kind_name(const struct yaml_node *n)
{
	static const char *const names[] = { "a single value", "a list", "a map" };

	return yaml_is_null(n) ? "nothing" : names[n->kind];
}

void yaml_grow(struct yaml_node *parent, const struct yaml_node *member)
{
	if (parent->height <= member->height)
		parent->height = member->height + 1;
}

int yaml_copy(struct yaml_loader *l, const struct yaml_node *n, unsigned int line,
	      struct yaml_node **ret)
{
	struct yaml_node *copy, **end;
	int r = yaml_count_node(l, line);

	if (r < 0)
		return r;
	copy = arena_memdup(l->a, n, sizeof(*n));
	copy->next = NULL;
	copy->first = NULL;
	end = &copy->first;
	for (const struct yaml_node *m = n->first; m; m = m->next, end = &(*end)->next) {
		r = yaml_copy(l, m, line, end);
		if (r < 0)
			return r;
	}
	*ret = copy;
	return 0;
}

static int merge_one(struct yaml_loader *l, struct yaml_node *map, const struct yaml_node *from)
{
	struct yaml_node **end = &map->first;

	if (from->kind != YAML_MAP)
		return yaml_fail(l, from->line, EINVAL, "\"<<\" takes a map, or a list of maps");
	while (*end)
		end = &(*end)->next;
	for (const struct yaml_node *m = from->first; m; m = m->next) {
		int r;

		if (yaml_get(map, m->key))
			continue;
		if (map->count >= YAML_MAX_KEYS)
			return yaml_fail(l, from->line, E2BIG, "more than 4096 keys");
		r = yaml_copy(l, m, from->line, end);
		if (r < 0)
			return r;
		yaml_grow(map, *end);
		end = &(*end)->next;
		map->count++;
	}
	return 0;
}

int yaml_merge(struct yaml_loader *l, struct yaml_node *map, const struct yaml_node *merges)
{
	for (const struct yaml_node *from = merges; from; from = from->next) {
		const struct yaml_node *m = from->kind == YAML_LIST ? from->first : NULL;
		int r = m || from->kind == YAML_LIST ? 0 : merge_one(l, map, from);

		for (; r == 0 && m; m = m->next)
			r = merge_one(l, map, m);
		if (r < 0)
			return r;
	}
	return 0;
}
