/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include "lib/json_private.h"
#include "lib/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

/* Up to this many members comparing each with each is faster than sorting them. */
#define FEW_KEYS 16

static void *yajl_malloc(void *ctx, size_t size)
{
	void *p = malloc(size);

	(void)ctx;
	if (!p)
		_exit(255);
	return p;
}

static void *yajl_realloc(void *ctx, void *p, size_t size)
{
	(void)ctx;
	p = realloc(p, size);
	if (!p)
		_exit(255);
	return p;
}

static void yajl_release(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

yajl_alloc_funcs json_yajl_memory = {
	.malloc = yajl_malloc,
	.realloc = yajl_realloc,
	.free = yajl_release,
};

struct level {
	struct json_value *value; /* the open array or object */
	struct json_value *last;  /* its newest member */
};

struct parser {
	struct arena *arena;
	struct err *err;
	char *pool; /* where the next string goes */
	char *key;  /* read, its value still to come */
	struct json_value *root;
	size_t depth;
	struct level levels[JSON_MAX_DEPTH];
};

static size_t index_in_parent(const struct parser *p, size_t level)
{
	const struct json_value *parent = p->levels[level - 1].value;

	return parent->count ? parent->count - 1 : 0;
}

/* Fails with the path to the open container, and to its member key if not NULL. */
static int parser_error(const struct parser *p, const char *key, const char *what)
{
	struct json_ctx ctx = { .arena = p->arena, .err = p->err };

	for (size_t i = 1; i < p->depth; i++) {
		const struct json_value *v = p->levels[i].value;

		json_push(&ctx, v->key, v->key ? 0 : index_in_parent(p, i));
	}
	if (key)
		json_push(&ctx, key, 0);
	else if (p->depth && p->levels[p->depth - 1].value->kind == JSON_ARRAY)
		json_push(&ctx, NULL, p->levels[p->depth - 1].value->count);
	json_error(&ctx, "%s", what);
	return 0;
}

/*
 * Strings and numbers share one piece of memory as long as the text: a string loses its quotes and
 * gains a NUL, a number is followed by a delimiter, and a decoded escape is shorter than a written
 * one.
 */
static char *pool_add(struct parser *p, const void *data, size_t len)
{
	char *s = p->pool;

	memcpy(s, data, len);
	s[len] = '\0';
	p->pool += len + 1;
	return s;
}

static struct json_value *value_add(struct parser *p, enum json_kind kind)
{
	struct json_value *v = arena_alloc(p->arena, sizeof(*v));
	struct level *level;

	v->kind = kind;
	v->key = p->key;
	p->key = NULL;
	if (!p->depth) {
		p->root = v;
		return v;
	}
	level = &p->levels[p->depth - 1];
	if (level->last)
		level->last->next = v;
	else
		level->value->first = v;
	level->last = v;
	level->value->count++;
	return v;
}

static int on_null(void *ctx)
{
	value_add(ctx, JSON_NULL);
	return 1;
}

static int on_boolean(void *ctx, int boolean)
{
	value_add(ctx, JSON_BOOL)->boolean = boolean;
	return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	value_add(ctx, JSON_NUMBER)->text = pool_add(ctx, text, len);
	return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;

	if (memchr(text, '\0', len))
		return parser_error(p, p->key, "NUL in a string");
	value_add(p, JSON_STRING)->text = pool_add(p, text, len);
	return 1;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;

	if (memchr(text, '\0', len))
		return parser_error(p, NULL, "NUL in a key");
	p->key = pool_add(p, text, len);
	return 1;
}

static int container_open(struct parser *p, enum json_kind kind)
{
	struct json_value *v;

	if (p->depth == JSON_MAX_DEPTH) {
		err_set(p->err, EINVAL, "invalid JSON: nested deeper than %d levels",
			JSON_MAX_DEPTH);
		return 0;
	}
	v = value_add(p, kind);
	p->levels[p->depth++] = (struct level){ .value = v };
	return 1;
}

static int on_start_object(void *ctx)
{
	return container_open(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return container_open(ctx, JSON_ARRAY);
}

static const char *duplicate_of_few(const struct json_value *object)
{
	for (const struct json_value *v = object->first; v; v = v->next)
		for (const struct json_value *w = v->next; w; w = w->next)
			if (v->key[0] == w->key[0] && strcmp(v->key, w->key) == 0)
				return w->key;
	return NULL;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *duplicate_of_many(const struct json_value *object)
{
	const char **keys = yajl_malloc(NULL, object->count * sizeof(*keys));
	const char *duplicate = NULL;
	size_t n = 0;

	for (const struct json_value *v = object->first; v; v = v->next)
		keys[n++] = v->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n && !duplicate; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			duplicate = keys[i];
	free(keys);
	return duplicate;
}

static int on_end_object(void *ctx)
{
	struct parser *p = ctx;
	const struct json_value *object = p->levels[p->depth - 1].value;
	const char *duplicate =
		object->count <= FEW_KEYS ? duplicate_of_few(object) : duplicate_of_many(object);

	if (duplicate)
		return parser_error(p, duplicate, "duplicate key");
	p->depth--;
	return 1;
}

static int on_end_array(void *ctx)
{
	struct parser *p = ctx;

	p->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_object,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

/* The code unit of an escape \uXXXX at s, or -1. */
static int escape_unit(const char *s, const char *end)
{
	int unit = 0;

	if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		if (!isxdigit((unsigned char)s[i]))
			return -1;
		unit = unit * 16 + (s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
	}
	return unit;
}

/*
 * yajl turns half a surrogate pair into "?" or into bytes that are not UTF-8, so such escapes are
 * looked for first. A backslash occurs in strings only; whatever else is wrong with one yajl
 * reports.
 */
static bool surrogates_paired(const char *text, size_t len)
{
	const char *end = text + len;
	const char *s = text;

	while (s < end && (s = memchr(s, '\\', (size_t)(end - s)))) {
		int unit = escape_unit(s, end);

		if (unit < 0xd800 || unit > 0xdfff) {
			s += 2;
			continue;
		}
		if (unit > 0xdbff)
			return false;
		unit = escape_unit(s + 6, end);
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		s += 12;
	}
	return true;
}

static size_t line_of(const char *text, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static int syntax_error(yajl_handle h, const char *text, size_t offset, struct err *err)
{
	char *why = (char *)yajl_get_error(h, 0, NULL, 0);
	const char *shown = strstr(why, ": ");

	why[strcspn(why, ".\n")] = '\0';
	err_set(err, EINVAL, "invalid JSON: %s in line %zu", shown ? shown + 2 : why,
		line_of(text, offset));
	yajl_free_error(h, (unsigned char *)why);
	return -EINVAL;
}

static int run_yajl(struct parser *p, const char *text, size_t len)
{
	yajl_handle h = yajl_alloc(&callbacks, &json_yajl_memory, p);
	yajl_status status;
	size_t offset = len;
	int r = 0;

	/* The text as a whole has been checked, and more strictly than yajl does. */
	yajl_config(h, yajl_dont_validate_strings, 1);
	status = yajl_parse(h, (const unsigned char *)text, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(h);
	else
		offset = yajl_get_bytes_consumed(h);
	if (status == yajl_status_client_canceled)
		r = -EINVAL;
	else if (status != yajl_status_ok)
		r = syntax_error(h, text, offset, p->err);
	yajl_free(h);
	return r;
}

int json_parse(const char *text, size_t len, struct arena *a, struct json_value **ret_value,
	       struct err *err)
{
	struct parser p = { .arena = a, .err = err };
	int r;

	if (len > JSON_MAX_SIZE)
		return err_set(err, EINVAL, "invalid JSON: larger than %zu bytes", JSON_MAX_SIZE);
	if (!utf8_valid(text, len))
		return err_set(err, EINVAL, "invalid JSON: not UTF-8");
	if (!surrogates_paired(text, len))
		return err_set(err, EINVAL, "invalid JSON: half a surrogate pair in a string");
	p.pool = arena_alloc(a, len + 1);
	r = run_yajl(&p, text, len);
	if (r < 0)
		return r;
	*ret_value = p.root;
	return 0;
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	if (object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json_value *v = object->first; v; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}
