/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include "lib/json_private.h"
#include "lib/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

static void print(void *ctx, const char *text, size_t len)
{
	buf_add(ctx, text, len);
}

void json_writer_init(struct json_writer *w, struct buf *out, bool pretty)
{
	w->out = out;
	w->gen = yajl_gen_alloc(&json_yajl_memory);
	yajl_gen_config(w->gen, yajl_gen_print_callback, print, out);
	if (pretty) {
		yajl_gen_config(w->gen, yajl_gen_beautify, 1);
		yajl_gen_config(w->gen, yajl_gen_indent_string, "\t");
	}
}

void json_writer_done(struct json_writer *w)
{
	yajl_gen_free(w->gen);
	w->gen = NULL;
}

void json_begin_object(struct json_writer *w)
{
	yajl_gen_map_open(w->gen);
}

void json_end_object(struct json_writer *w)
{
	yajl_gen_map_close(w->gen);
}

void json_begin_array(struct json_writer *w)
{
	yajl_gen_array_open(w->gen);
}

void json_end_array(struct json_writer *w)
{
	yajl_gen_array_close(w->gen);
}

void json_key(struct json_writer *w, const char *key)
{
	json_put_string(w, key);
}

static void put_repaired(struct json_writer *w, const char *s, size_t len)
{
	autobuf b = BUF_INIT;

	while (len) {
		size_t n = utf8_char(s, len);

		if (n)
			buf_add(&b, s, n);
		else
			buf_adds(&b, "\xef\xbf\xbd");
		s += n ? n : 1;
		len -= n ? n : 1;
	}
	yajl_gen_string(w->gen, (const unsigned char *)b.data, b.len);
}

void json_put_string(struct json_writer *w, const char *s)
{
	size_t len;

	if (!s) {
		json_put_null(w);
		return;
	}
	len = strlen(s);
	if (utf8_valid(s, len))
		yajl_gen_string(w->gen, (const unsigned char *)s, len);
	else
		put_repaired(w, s, len);
}

void json_put_bool(struct json_writer *w, bool v)
{
	yajl_gen_bool(w->gen, v);
}

void json_put_i64(struct json_writer *w, int64_t v)
{
	yajl_gen_integer(w->gen, v);
}

void json_put_u64(struct json_writer *w, uint64_t v)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, v);

	yajl_gen_number(w->gen, text, (size_t)len);
}

void json_put_null(struct json_writer *w)
{
	yajl_gen_null(w->gen);
}

/* Recursion ends: json_parse() built the value, so it is at most JSON_MAX_DEPTH deep. */
static void put_members(struct json_writer *w, const struct json_value *v)
{
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (v->kind == JSON_OBJECT)
			json_key(w, m->key);
		json_put_value(w, m);
	}
}

void json_put_value(struct json_writer *w, const struct json_value *v)
{
	switch (v->kind) {
	case JSON_NULL:
		json_put_null(w);
		break;
	case JSON_BOOL:
		json_put_bool(w, v->boolean);
		break;
	case JSON_NUMBER:
		yajl_gen_number(w->gen, v->text, strlen(v->text));
		break;
	case JSON_STRING:
		json_put_string(w, v->text);
		break;
	case JSON_ARRAY:
		json_begin_array(w);
		put_members(w, v);
		json_end_array(w);
		break;
	case JSON_OBJECT:
		json_begin_object(w);
		put_members(w, v);
		json_end_object(w);
		break;
	}
}

void json_pair_string(struct json_writer *w, const char *key, const char *s)
{
	json_key(w, key);
	json_put_string(w, s);
}

void json_pair_u64(struct json_writer *w, const char *key, uint64_t v)
{
	json_key(w, key);
	json_put_u64(w, v);
}

void json_pair_i64(struct json_writer *w, const char *key, int64_t v)
{
	json_key(w, key);
	json_put_i64(w, v);
}

void json_pair_bool(struct json_writer *w, const char *key, bool v)
{
	json_key(w, key);
	json_put_bool(w, v);
}

void json_pair_strv(struct json_writer *w, const char *key, const struct strv *v)
{
	json_key(w, key);
	json_begin_array(w);
	for (size_t i = 0; i < v->count; i++)
		json_put_string(w, v->items[i]);
	json_end_array(w);
}
