/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/yaml_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

static const char *event_anchor(const yaml_event_t *e)
{
	return (const char *)(e->type == YAML_SCALAR_EVENT ? e->data.scalar.anchor
			      : e->type == YAML_SEQUENCE_START_EVENT
				      ? e->data.sequence_start.anchor
				      : e->data.mapping_start.anchor);
}

static const char *event_tag(const yaml_event_t *e)
{
	return (const char *)(e->type == YAML_SCALAR_EVENT	     ? e->data.scalar.tag
			      : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
								     : e->data.mapping_start.tag);
}

int yaml_fail(struct yaml_loader *l, unsigned int line, int code, const char *words)
{
	return err_set(l->err, code, "%s:%u: %s", l->file, line, words);
}

static int next_event(struct yaml_loader *l, yaml_event_t *ret)
{
	if (yaml_parser_parse(&l->parser, ret))
		return 0;
	/* Its text is NULL when memory was out. */
	err_set(l->err, EINVAL, "%s:%zu: %s", l->file, l->parser.problem_mark.line + 1,
		l->parser.problem ? l->parser.problem : "cannot be read");
	if (l->parser.context) {
		struct err what = *l->err;

		err_set(l->err, EINVAL, "%.300s, %s from line %zu", what.msg, l->parser.context,
			l->parser.context_mark.line + 1);
	}
	return -EINVAL;
}

static unsigned int line_of(const yaml_event_t *e)
{
	return (unsigned int)e->start_mark.line + 1;
}

int yaml_count_node(struct yaml_loader *l, unsigned int line)
{
	if (++l->nodes <= YAML_MAX_NODES)
		return 0;
	return yaml_fail(l, line, E2BIG, "more than 100000 values, those of aliases included");
}

static int new_node(struct yaml_loader *l, const yaml_event_t *e, enum yaml_kind kind,
		    struct yaml_node **ret)
{
	int r = yaml_count_node(l, line_of(e));
	struct yaml_node *n;

	if (r < 0)
		return r;
	n = arena_alloc(l->a, sizeof(*n));
	n->kind = kind;
	n->file = l->file;
	n->line = line_of(e);
	*ret = n;
	return 0;
}

#define CORE_TAG "tag:yaml.org,2002:"

/* Tags that say what is to be seen anyway; "!!str" makes a string of what looks like something
 * else. */
static int check_tag(struct yaml_loader *l, const yaml_event_t *e, bool *ret_string)
{
	static const char *const known[] = { "str", "int", "float", "bool", "null", "map", "seq" };
	const char *tag = event_tag(e);

	*ret_string = tag && (strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0);
	if (!tag || strcmp(tag, "!") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(tag, CORE_TAG, strlen(CORE_TAG)) == 0 &&
		    strcmp(tag + strlen(CORE_TAG), known[i]) == 0)
			return 0;
	if (strcmp(tag, "!reset") == 0 || strcmp(tag, "!override") == 0)
		return err_set(l->err, EINVAL,
			       "%s:%u: the tag %s is not supported: leave the value out of the "
			       "file that it is taken from",
			       l->file, line_of(e), tag);
	return err_set(l->err, EINVAL, "%s:%u: unknown tag \"%.100s\"", l->file, line_of(e), tag);
}

static int add_anchor(struct yaml_loader *l, const yaml_event_t *e, struct yaml_node *n)
{
	const char *name = event_anchor(e);

	if (!name)
		return 0;
	if (l->anchor_count == YAML_MAX_ANCHORS)
		return yaml_fail(l, line_of(e), E2BIG, "more than 1000 anchors");
	l->anchors[l->anchor_count++] =
		(struct yaml_anchor){ arena_strdup(l->a, name), n, n->kind == YAML_SCALAR };
	return 0;
}

/* A name may be given again: the last one counts. */
static struct yaml_anchor *find_anchor(struct yaml_loader *l, const char *name)
{
	for (size_t i = l->anchor_count; i > 0; i--)
		if (strcmp(l->anchors[i - 1].name, name) == 0)
			return &l->anchors[i - 1];
	return NULL;
}

static int too_deep(struct yaml_loader *l, unsigned int line)
{
	return yaml_fail(l, line, E2BIG, "more than 64 levels");
}

static int load_alias(struct yaml_loader *l, const yaml_event_t *e, int depth,
		      struct yaml_node **ret)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct yaml_anchor *anchor = find_anchor(l, name);

	if (!anchor)
		return err_set(l->err, EINVAL, "%s:%u: there is no anchor \"%.100s\" before this",
			       l->file, line_of(e), name);
	if (!anchor->done)
		return err_set(l->err, EINVAL, "%s:%u: the alias \"%.100s\" contains itself",
			       l->file, line_of(e), name);
	/* Aliases of what holds aliases get deeper with each line. */
	if (depth + anchor->node->height > YAML_MAX_DEPTH)
		return too_deep(l, line_of(e));
	return yaml_copy(l, anchor->node, line_of(e), ret);
}

static int load_scalar(struct yaml_loader *l, const yaml_event_t *e, bool string,
		       struct yaml_node **ret)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	int r = new_node(l, e, YAML_SCALAR, ret);

	if (r < 0)
		return r;
	if (memchr(text, '\0', len))
		return yaml_fail(l, line_of(e), EINVAL, "a NUL character");
	(*ret)->text = arena_strndup(l->a, text, len);
	(*ret)->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !string;
	return add_anchor(l, e, *ret);
}

static int load_list(struct yaml_loader *l, const yaml_event_t *start, int depth,
		     struct yaml_node **ret)
{
	struct yaml_node **end;
	int r = new_node(l, start, YAML_LIST, ret);

	if (r == 0)
		r = add_anchor(l, start, *ret);
	if (r < 0)
		return r;
	for (end = &(*ret)->first;; end = &(*end)->next) {
		r = yaml_load_next(l, depth + 1, YAML_SEQUENCE_END_EVENT, end);
		if (r < 0 || !*end)
			return r;
		(*ret)->count++;
		yaml_grow(*ret, *end);
	}
}

/* The list of members is built behind *end; keys that were there before are an error. */
static int add_member(struct yaml_loader *l, struct yaml_node *map, struct yaml_node *key,
		      struct yaml_node *value, struct yaml_node ***end)
{
	const struct yaml_node *before = yaml_get(map, key->text);

	if (before)
		return err_set(l->err, EINVAL, "%s:%u: the key \"%.100s\" is in line %u already",
			       l->file, key->line, key->text, before->line);
	if (map->count >= YAML_MAX_KEYS)
		return yaml_fail(l, key->line, E2BIG, "more than 4096 keys");
	value->key = key->text;
	value->line = key->line;
	**end = value;
	*end = &value->next;
	map->count++;
	yaml_grow(map, value);
	return 0;
}

static int load_map(struct yaml_loader *l, const yaml_event_t *start, int depth,
		    struct yaml_node **ret)
{
	struct yaml_node **end, *key, *value, *merges = NULL, **merges_end = &merges;
	int r = new_node(l, start, YAML_MAP, ret);

	if (r == 0)
		r = add_anchor(l, start, *ret);
	end = r == 0 ? &(*ret)->first : NULL;
	while (r == 0) {
		key = value = NULL;
		r = yaml_load_next(l, depth + 1, YAML_MAPPING_END_EVENT, &key);
		if (r < 0 || !key)
			break;
		if (key->kind != YAML_SCALAR)
			return yaml_fail(l, key->line, EINVAL, "a key has to be a plain word");
		r = yaml_load_next(l, depth + 1, YAML_NO_EVENT, &value);
		if (r < 0)
			break;
		if (key->plain && strcmp(key->text, "<<") == 0) {
			value->line = key->line;
			*merges_end = value;
			merges_end = &value->next;
		} else {
			r = add_member(l, *ret, key, value, &end);
		}
	}
	return r < 0 ? r : yaml_merge(l, *ret, merges);
}

static int load_event(struct yaml_loader *l, const yaml_event_t *e, int depth,
		      struct yaml_node **ret)
{
	bool string = false;
	size_t anchor = l->anchor_count;
	int r;

	if (depth > YAML_MAX_DEPTH)
		return too_deep(l, line_of(e));
	if (e->type == YAML_ALIAS_EVENT)
		return load_alias(l, e, depth, ret);
	r = check_tag(l, e, &string);
	if (r < 0)
		return r;
	if (e->type == YAML_SCALAR_EVENT)
		return load_scalar(l, e, string, ret);
	r = e->type == YAML_SEQUENCE_START_EVENT ? load_list(l, e, depth, ret)
						 : load_map(l, e, depth, ret);
	if (r == 0 && event_anchor(e))
		l->anchors[anchor].done = true;
	return r;
}

int yaml_load_next(struct yaml_loader *l, int depth, yaml_event_type_t end, struct yaml_node **ret)
{
	yaml_event_t e;
	int r = next_event(l, &e);

	if (r < 0)
		return r;
	*ret = NULL;
	if (e.type != end || end == YAML_NO_EVENT)
		r = load_event(l, &e, depth, ret);
	yaml_event_delete(&e);
	return r;
}

/* What frames a document: of that type, else words. */
static int expect(struct yaml_loader *l, yaml_event_type_t type, const char *words)
{
	yaml_event_t e;
	int r = next_event(l, &e);

	if (r < 0)
		return r;
	if (e.type != type)
		r = e.type == YAML_STREAM_END_EVENT ? 1 : yaml_fail(l, line_of(&e), EINVAL, words);
	yaml_event_delete(&e);
	return r;
}

static int load_document(struct yaml_loader *l, struct yaml_node **ret)
{
	int r = expect(l, YAML_STREAM_START_EVENT, "no document");

	if (r == 0)
		r = expect(l, YAML_DOCUMENT_START_EVENT, "no document");
	if (r == 0)
		r = yaml_load_next(l, 1, YAML_NO_EVENT, ret);
	if (r == 0)
		r = expect(l, YAML_DOCUMENT_END_EVENT, "no end of the document");
	if (r == 0)
		r = expect(l, YAML_STREAM_END_EVENT, "a second document in one file");
	return r < 0 ? r : 0;
}

int yaml_load(const char *text, size_t len, const char *file, struct arena *a,
	      struct yaml_node **ret, struct err *err)
{
	struct yaml_loader l = { .a = a, .file = file, .err = err };
	struct yaml_node *root = NULL;
	int r;

	if (len > YAML_MAX_SIZE)
		return err_set(err, E2BIG, "%s: larger than 4 MiB", file);
	if (!yaml_parser_initialize(&l.parser))
		return err_code(err, ENOMEM, "%s", file);
	/* It decodes UTF-16 as well, which nobody means to write. */
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
	l.anchors = arena_calloc(a, YAML_MAX_ANCHORS, sizeof(*l.anchors));
	r = load_document(&l, &root);
	yaml_parser_delete(&l.parser);
	if (r < 0)
		return r;
	if (!root || yaml_is_null(root)) {
		root = arena_alloc(a, sizeof(*root));
		*root = (struct yaml_node){ .kind = YAML_MAP, .file = file, .line = 1 };
	}
	*ret = root;
	return 0;
}
