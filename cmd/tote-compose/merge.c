/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several Compose files as one (compose-spec, "Merge"): maps are merged, lists are added to, single
 * values replaced, but for some keys of a service.
 */
#include "cmd/tote-compose/load.h"

#include "lib/cleanup.h"

#include <string.h>

enum merge_rule {
	MERGE_USUAL,
	MERGE_REPLACE,
	MERGE_PAIRS,  /* a list of "NAME=VALUE" is as good as a map */
	MERGE_NAMES,  /* a list of names is as good as a map */
	MERGE_TARGET, /* members of a list that have the same target are one */
};

static const struct {
	const char *key;
	enum merge_rule rule;
} rules[] = {
	{ "command", MERGE_REPLACE },  { "entrypoint", MERGE_REPLACE },
	{ "test", MERGE_REPLACE },     { "environment", MERGE_PAIRS },
	{ "labels", MERGE_PAIRS },     { "annotations", MERGE_PAIRS },
	{ "sysctls", MERGE_PAIRS },    { "networks", MERGE_NAMES },
	{ "depends_on", MERGE_NAMES }, { "volumes", MERGE_TARGET },
	{ "secrets", MERGE_TARGET },   { "configs", MERGE_TARGET },
	{ "devices", MERGE_TARGET },
};

static enum merge_rule rule_of(const char *key, int depth)
{
	/* services.NAME.KEY, services.NAME.healthcheck.test */
	for (size_t i = 0; i < ARRAY_SIZE(rules) && (depth == 3 || depth == 4); i++)
		if (strcmp(rules[i].key, key) == 0)
			return (depth == 4) == (strcmp(key, "test") == 0) ? rules[i].rule
									  : MERGE_USUAL;
	return MERGE_USUAL;
}

static struct yaml_node **end_of(struct yaml_node *n)
{
	struct yaml_node **end = &n->first;

	while (*end)
		end = &(*end)->next;
	return end;
}

/* {condition: service_started}, of a name in depends_on. */
static void add_condition(struct yaml_node *n, struct arena *a)
{
	struct yaml_node *c = arena_alloc(a, sizeof(*c));

	*c = (struct yaml_node){ .kind = YAML_SCALAR,
				 .file = n->file,
				 .line = n->line,
				 .key = (char *)"condition",
				 .text = (char *)"service_started" };
	n->kind = YAML_MAP;
	n->text = NULL;
	n->first = c;
	n->count = n->height = 1;
}

/* A list as the map that it stands for; the last of a name wins. What is no string stays, for the
 * reader to complain of. */
static void list_to_map(struct yaml_node *n, enum merge_rule rule, struct arena *a)
{
	struct yaml_node *m = n->first, *next;

	if (n->kind != YAML_LIST)
		return;
	for (; m; m = m->next)
		if (m->kind != YAML_SCALAR)
			return;
	m = n->first;
	*n = (struct yaml_node){ .kind = YAML_MAP,
				 .height = n->height,
				 .file = n->file,
				 .line = n->line,
				 .key = n->key,
				 .next = n->next };
	for (; m; m = next) {
		size_t len = rule == MERGE_PAIRS ? strcspn(m->text, "=") : strlen(m->text);
		struct yaml_node *same;

		next = m->next;
		m->key = arena_strndup(a, m->text, len);
		m->plain = m->text[len] != '=';
		m->text = m->text[len] ? m->text + len + 1 : (char *)"";
		same = yaml_get(n, m->key);
		if (rule == MERGE_NAMES && n->key && strcmp(n->key, "depends_on") == 0)
			add_condition(m, a);
		m->next = same ? same->next : NULL;
		if (same)
			*same = *m;
		else
			*end_of(n) = m;
		n->count += !same;
	}
}

/* Where a volume, secret or config is seen inside. */
static const char *target_of(const struct yaml_node *n, struct arena *a)
{
	const struct yaml_node *target = yaml_get(n, "target");
	char *text, *first, *second;

	if (n->kind == YAML_MAP && !target)
		target = yaml_get(n, "source");
	if (n->kind != YAML_SCALAR)
		return target && target->kind == YAML_SCALAR ? target->text : NULL;
	text = arena_strdup(a, n->text);
	first = strsep(&text, ":");
	second = strsep(&text, ":");
	return second ? second : first;
}

static bool is_same(const struct yaml_node *x, const struct yaml_node *y, enum merge_rule rule,
		    struct arena *a)
{
	const char *tx, *ty;

	if (rule == MERGE_TARGET) {
		tx = target_of(x, a);
		ty = target_of(y, a);
		return tx && ty && strcmp(tx, ty) == 0;
	}
	return x->kind == YAML_SCALAR && y->kind == YAML_SCALAR && strcmp(x->text, y->text) == 0;
}

static void merge_lists(struct yaml_node *base, struct yaml_node *over, enum merge_rule rule,
			struct arena *a)
{
	struct yaml_node *m, *next;

	for (m = over->first; m; m = next) {
		struct yaml_node *same = base->first;

		next = m->next;
		while (same && !is_same(same, m, rule, a))
			same = same->next;
		m->next = same ? same->next : NULL;
		if (same)
			*same = *m;
		else
			*end_of(base) = m;
		base->count += !same;
	}
}

static void merge_node(struct yaml_node *base, struct yaml_node *over, int depth, struct arena *a);

static void replace(struct yaml_node *base, const struct yaml_node *over)
{
	struct yaml_node *next = base->next;
	char *key = base->key;

	*base = *over;
	base->next = next;
	base->key = key;
}

static void merge_maps(struct yaml_node *base, struct yaml_node *over, int depth, struct arena *a)
{
	struct yaml_node *m, *next;

	for (m = over->first; m; m = next) {
		struct yaml_node *same = yaml_get(base, m->key);

		next = m->next;
		m->next = NULL;
		if (same) {
			merge_node(same, m, depth + 1, a);
		} else {
			*end_of(base) = m;
			base->count++;
		}
	}
}

static bool other_driver(const struct yaml_node *base, const struct yaml_node *over)
{
	const struct yaml_node *x = yaml_get(base, "driver"), *y = yaml_get(over, "driver");

	return x && y && x->kind == YAML_SCALAR && y->kind == YAML_SCALAR &&
	       strcmp(x->text, y->text) != 0;
}

static void merge_node(struct yaml_node *base, struct yaml_node *over, int depth, struct arena *a)
{
	enum merge_rule rule = rule_of(over->key ? over->key : "", depth);

	if ((rule == MERGE_PAIRS || rule == MERGE_NAMES) &&
	    (base->kind == YAML_LIST || over->kind == YAML_LIST)) {
		list_to_map(base, rule, a);
		list_to_map(over, rule, a);
	}
	/* Options are another driver's. */
	if (depth == 3 && strcmp(over->key, "logging") == 0 && other_driver(base, over))
		rule = MERGE_REPLACE;
	if (yaml_is_null(over) && base->kind != YAML_SCALAR)
		return;
	if (rule == MERGE_REPLACE || base->kind != over->kind || base->kind == YAML_SCALAR)
		replace(base, over);
	else if (base->kind == YAML_MAP)
		merge_maps(base, over, depth, a);
	else
		merge_lists(base, over, rule, a);
}

void merge_trees(struct yaml_node *base, struct yaml_node *over, struct arena *a)
{
	merge_node(base, over, 0, a);
}
