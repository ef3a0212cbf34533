/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/json_private.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Longest piece of a document that a message quotes. */
#define QUOTE_MAX 64

/* Every LIST() has this layout. */
struct any_list {
	void *items;
	size_t count;
};

/* Adds text from the document, which may hold anything, as one short line. */
static void add_shown(struct buf *b, const char *s)
{
	size_t n = 0;

	for (; n < QUOTE_MAX && s[n]; n++) {
		char c = s[n];

		if ((unsigned char)c < 0x20 || c == 0x7f)
			c = '?';
		buf_add(b, &c, 1);
	}
	if (s[n])
		buf_adds(b, "...");
}

static bool plain_key(const char *key)
{
	if (!*key)
		return false;
	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && *key != '_' && *key != '-')
			return false;
	return true;
}

static void add_part(struct buf *b, const struct json_path_part *part)
{
	if (!part->key) {
		buf_addf(b, "[%zu]", part->index);
	} else if (plain_key(part->key)) {
		if (b->len)
			buf_adds(b, ".");
		add_shown(b, part->key);
	} else {
		buf_adds(b, "[\"");
		add_shown(b, part->key);
		buf_adds(b, "\"]");
	}
}

int json_error(struct json_ctx *ctx, const char *fmt, ...)
{
	char message[sizeof(ctx->err->msg)];
	autobuf path = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < ctx->depth && i < ARRAY_SIZE(ctx->parts); i++)
		add_part(&path, &ctx->parts[i]);
	if (path.len)
		return err_set(ctx->err, EINVAL, "%s: %s", path.data, message);
	return err_set(ctx->err, EINVAL, "%s", message);
}

void json_push(struct json_ctx *ctx, const char *key, size_t index)
{
	if (ctx->depth < ARRAY_SIZE(ctx->parts))
		ctx->parts[ctx->depth] = (struct json_path_part){ key, index };
	ctx->depth++;
}

void json_pop(struct json_ctx *ctx)
{
	ctx->depth--;
}

struct arena *json_arena(struct json_ctx *ctx)
{
	return ctx->arena;
}

static int wrong_kind(struct json_ctx *ctx, const struct json_value *v, const char *expected)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	autobuf found = BUF_INIT;

	if (v->kind == JSON_STRING) {
		buf_adds(&found, "\"");
		add_shown(&found, v->text);
		buf_adds(&found, "\"");
	} else if (v->kind == JSON_NUMBER) {
		add_shown(&found, v->text);
	} else {
		buf_adds(&found, names[v->kind]);
	}
	return json_error(ctx, "expected %s, found %s", expected, buf_str(&found));
}

/* The digits of an integer without fraction and exponent; 1 when they exceed 64 bits. */
static int parse_digits(const char *s, uint64_t *ret_value)
{
	uint64_t n = 0;

	for (; *s; s++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return 1;
	*ret_value = n;
	return 0;
}

static bool is_integer(const struct json_value *v)
{
	const char *digits;

	if (v->kind != JSON_NUMBER)
		return false;
	digits = v->text[0] == '-' ? v->text + 1 : v->text;
	return digits[strspn(digits, "0123456789")] == '\0';
}

static int out_of_range(struct json_ctx *ctx, const struct json_value *v, int64_t min, uint64_t max)
{
	return json_error(ctx, "%.*s is out of range (%lld to %llu)", QUOTE_MAX, v->text,
			  (long long)min, (unsigned long long)max);
}

static int read_unsigned(struct json_ctx *ctx, const struct json_value *v, uint64_t max,
			 uint64_t *ret_value)
{
	bool negative;
	uint64_t n;

	if (!is_integer(v))
		return wrong_kind(ctx, v, "an unsigned integer");
	negative = v->text[0] == '-';
	if (parse_digits(v->text + negative, &n) || n > max || (negative && n))
		return out_of_range(ctx, v, 0, max);
	*ret_value = n;
	return 0;
}

static int read_signed(struct json_ctx *ctx, const struct json_value *v, int64_t min, int64_t max,
		       int64_t *ret_value)
{
	bool negative;
	uint64_t n;

	if (!is_integer(v))
		return wrong_kind(ctx, v, "an integer");
	negative = v->text[0] == '-';
	if (parse_digits(v->text + negative, &n) || n > (uint64_t)max + negative)
		return out_of_range(ctx, v, min, (uint64_t)max);
	/* Negated unsigned, since INT64_MIN has no positive counterpart. */
	*ret_value = (int64_t)(negative ? -n : n);
	return 0;
}

int json_string(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	(void)arg;
	if (v->kind != JSON_STRING)
		return wrong_kind(ctx, v, "a string");
	*(char **)out = v->text;
	return 0;
}

int json_bool(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	(void)arg;
	if (v->kind != JSON_BOOL)
		return wrong_kind(ctx, v, "true or false");
	*(bool *)out = v->boolean;
	return 0;
}

int json_opt_bool(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	struct opt_bool *opt = out;
	int r = json_bool(ctx, v, &opt->value, arg);

	opt->set = r == 0;
	return r;
}

/* One reader for the plain type and one for its opt_ struct. */
#define UNSIGNED_READERS(name, type, max)                                                          \
	int json_##name(struct json_ctx *ctx, const struct json_value *v, void *out,               \
			const void *arg)                                                           \
	{                                                                                          \
		uint64_t n;                                                                        \
		int r = read_unsigned(ctx, v, max, &n);                                            \
                                                                                                   \
		(void)arg;                                                                         \
		if (r == 0)                                                                        \
			*(type *)out = (type)n;                                                    \
		return r;                                                                          \
	}                                                                                          \
	int json_opt_##name(struct json_ctx *ctx, const struct json_value *v, void *out,           \
			    const void *arg)                                                       \
	{                                                                                          \
		struct opt_##name *opt = out;                                                      \
		int r = json_##name(ctx, v, &opt->value, arg);                                     \
                                                                                                   \
		opt->set = r == 0;                                                                 \
		return r;                                                                          \
	}

#define SIGNED_READERS(name, type, min, max)                                                       \
	int json_##name(struct json_ctx *ctx, const struct json_value *v, void *out,               \
			const void *arg)                                                           \
	{                                                                                          \
		int64_t n;                                                                         \
		int r = read_signed(ctx, v, min, max, &n);                                         \
                                                                                                   \
		(void)arg;                                                                         \
		if (r == 0)                                                                        \
			*(type *)out = (type)n;                                                    \
		return r;                                                                          \
	}                                                                                          \
	int json_opt_##name(struct json_ctx *ctx, const struct json_value *v, void *out,           \
			    const void *arg)                                                       \
	{                                                                                          \
		struct opt_##name *opt = out;                                                      \
		int r = json_##name(ctx, v, &opt->value, arg);                                     \
                                                                                                   \
		opt->set = r == 0;                                                                 \
		return r;                                                                          \
	}

UNSIGNED_READERS(u16, uint16_t, UINT16_MAX)
UNSIGNED_READERS(u32, uint32_t, UINT32_MAX)
UNSIGNED_READERS(u64, uint64_t, UINT64_MAX)
SIGNED_READERS(i32, int32_t, INT32_MIN, INT32_MAX)
SIGNED_READERS(i64, int64_t, INT64_MIN, INT64_MAX)

int json_enum(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_enum_value *values = arg;
	autobuf message = BUF_INIT;

	if (v->kind != JSON_STRING)
		return wrong_kind(ctx, v, "a string");
	for (const struct json_enum_value *e = values; e->name; e++) {
		if (strcmp(v->text, e->name) == 0) {
			*(int *)out = (int)e->value;
			return 0;
		}
	}
	buf_adds(&message, "\"");
	add_shown(&message, v->text);
	buf_adds(&message, "\" is not one of ");
	for (const struct json_enum_value *e = values; e->name; e++)
		buf_addf(&message, "%s%s", e == values ? "" : ", ", e->name);
	return json_error(ctx, "%s", message.data);
}

int json_value_raw(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	(void)ctx;
	(void)arg;
	*(const struct json_value **)out = v;
	return 0;
}

static bool is_key(const struct json_field *f, const char *key)
{
	if (f->flags & JSON_ANY_CASE)
		return strcasecmp(f->key, key) == 0;
	return f->key[0] == key[0] && strcmp(f->key, key) == 0;
}

static const struct json_field *find_field(const struct json_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];

		if (is_key(f, key))
			return f;
	}
	return NULL;
}

static int check_required(struct json_ctx *ctx, const struct json_value *v,
			  const struct json_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];
		const struct json_value *member;

		if (!(f->flags & JSON_REQUIRED))
			continue;
		for (member = v->first; member; member = member->next)
			if (is_key(f, member->key) && member->kind != JSON_NULL)
				break;
		if (!member) {
			json_push(ctx, f->key, 0);
			return json_error(ctx, "missing");
		}
	}
	return 0;
}

int json_object(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_table *table = arg;
	int r;

	if (v->kind != JSON_OBJECT)
		return wrong_kind(ctx, v, "an object");
	for (const struct json_value *m = v->first; m; m = m->next) {
		const struct json_field *f = find_field(table, m->key);

		if (!f || m->kind == JSON_NULL)
			continue;
		json_push(ctx, m->key, 0);
		r = f->read(ctx, m, (char *)out + f->offset, f->arg);
		if (r < 0)
			return r;
		json_pop(ctx);
	}
	r = check_required(ctx, v, table);
	if (r < 0)
		return r;
	return table->check ? table->check(ctx, out) : 0;
}

int json_object_ptr(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_table *table = arg;
	void *object;
	int r;

	if (v->kind != JSON_OBJECT)
		return wrong_kind(ctx, v, "an object");
	object = arena_alloc(ctx->arena, table->size);
	r = json_object(ctx, v, object, table);
	if (r < 0)
		return r;
	*(void **)out = object;
	return 0;
}

int json_list(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_list_of *of = arg;
	struct any_list list = { NULL, 0 };

	if (v->kind != JSON_ARRAY)
		return wrong_kind(ctx, v, "an array");
	list.items = arena_calloc(ctx->arena, v->count, of->size);
	for (const struct json_value *m = v->first; m; m = m->next) {
		int r;

		json_push(ctx, NULL, list.count);
		r = of->read(ctx, m, (char *)list.items + list.count * of->size, of->arg);
		if (r < 0)
			return r;
		json_pop(ctx);
		list.count++;
	}
	*(struct any_list *)out = list;
	return 0;
}

int json_strv(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	struct strv list = { NULL, 0 };

	(void)arg;
	if (v->kind != JSON_ARRAY)
		return wrong_kind(ctx, v, "an array of strings");
	list.items = arena_calloc(ctx->arena, v->count + 1, sizeof(*list.items));
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (m->kind != JSON_STRING) {
			json_push(ctx, NULL, list.count);
			return wrong_kind(ctx, m, "a string");
		}
		list.items[list.count++] = m->text;
	}
	*(struct strv *)out = list;
	return 0;
}

int json_map(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	struct key_value_list list = { NULL, 0 };

	(void)arg;
	if (v->kind != JSON_OBJECT)
		return wrong_kind(ctx, v, "an object of strings");
	list.items = arena_calloc(ctx->arena, v->count, sizeof(*list.items));
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (m->kind == JSON_NULL)
			continue;
		if (m->kind != JSON_STRING) {
			json_push(ctx, m->key, 0);
			return wrong_kind(ctx, m, "a string");
		}
		list.items[list.count++] = (struct key_value){ m->key, m->text };
	}
	*(struct key_value_list *)out = list;
	return 0;
}

int json_map_list(struct json_ctx *ctx, const struct json_value *v, void *out, const void *arg)
{
	const struct json_list_of *of = arg;
	struct any_list list = { NULL, 0 };

	if (v->kind != JSON_OBJECT)
		return wrong_kind(ctx, v, "an object");
	list.items = arena_calloc(ctx->arena, v->count, of->size);
	for (const struct json_value *m = v->first; m; m = m->next) {
		char *item = (char *)list.items + list.count * of->size;
		int r;

		if (m->kind == JSON_NULL)
			continue;
		json_push(ctx, m->key, 0);
		*(char **)item = m->key;
		r = of->read(ctx, m, item, of->arg);
		if (r < 0)
			return r;
		json_pop(ctx);
		list.count++;
	}
	*(struct any_list *)out = list;
	return 0;
}

int json_decode(const struct json_value *root, const struct json_table *table, struct arena *a,
		void *out, struct err *err)
{
	struct json_ctx ctx = { .arena = a, .err = err };

	return json_object(&ctx, root, out, table);
}
