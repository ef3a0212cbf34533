/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static void round_trip(void **state)
{
	static const char *const texts[] = {
		"1",
		"\"\"",
		"null",
		"[]",
		"{}",
		"{\"\":0}",
		"[true,false,null,-1,1.5e3,\"x\"]",
		"{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":18446744073709551615}",
		"[99999999999999999999999999]",
		"\"\xc3\xa9 \xf0\x9f\x98\x80 \\u0001\\n\\\"\\\\\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct json_value *v;
		struct json_writer w;
		struct err err;

		assert_int_equal(json_parse(texts[i], strlen(texts[i]), &a, &v, &err), 0);
		json_writer_init(&w, &b, false);
		json_put_value(&w, v);
		json_writer_done(&w);
		assert_string_equal(b.data, texts[i]);
	}
}

static void escapes_are_decoded(void **state)
{
	const char text[] = "\"\\u00e9\\ud83d\\ude00\\/\\t\\\\ud800\"";
	autoarena a = ARENA_INIT;
	struct json_value *v;
	struct err err;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &a, &v, &err), 0);
	assert_string_equal(v->text, "\xc3\xa9\xf0\x9f\x98\x80/\t\\ud800");
}

static void bad_texts(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "invalid JSON: premature EOF in line 1" },
		{ "[1,\n2", "invalid JSON: premature EOF in line 2" },
		{ "{]", "invalid JSON: invalid object key (must be a string) in line 1" },
		{ "[1] x", "invalid JSON: trailing garbage in line 1" },
		{ "[1] [2]", "invalid JSON: trailing garbage in line 1" },
		{ "01", "invalid JSON: trailing garbage in line 1" },
		{ "[1,]", "invalid JSON: unallowed token at this point in JSON text in line 1" },
		{ "{\"a\":1,}", "invalid JSON: invalid object key (must be a string) in line 1" },
		{ "[1, // x\n2]",
		  "invalid JSON: probable comment found in input text, comments are "
		  "not enabled in line 1" },
		{ "/* x */ 1", "invalid JSON: probable comment found in input text, comments are "
			       "not enabled in line 1" },
		{ "'a'", "invalid JSON: invalid char in json text in line 1" },
		{ "NaN", "invalid JSON: invalid char in json text in line 1" },
		{ "\xef\xbb\xbf{}", "invalid JSON: invalid char in json text in line 1" },
		{ "\"a\nb\"", "invalid JSON: invalid character inside string in line 1" },
		{ "\"\xc0\x80\"", "invalid JSON: not UTF-8" },
		{ "\"\xed\xa0\x80\"", "invalid JSON: not UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", "invalid JSON: not UTF-8" },
		{ "\"\xe2\x82\"", "invalid JSON: not UTF-8" },
		{ "\"\\ud800\"", "invalid JSON: half a surrogate pair in a string" },
		{ "\"\\ud800\\u0041\"", "invalid JSON: half a surrogate pair in a string" },
		{ "\"\\udc00\"", "invalid JSON: half a surrogate pair in a string" },
		{ "{\"p\":{\"args\":[\"a\",\"b\\u0000c\"]}}", "p.args[1]: NUL in a string" },
		{ "{\"p\":[{\"a\\u0000b\":1}]}", "p[0]: NUL in a key" },
		{ "{\"a\":1,\"a\":2}", "a: duplicate key" },
		{ "{\"a\":1,\"\\u0061\":2}", "a: duplicate key" },
		{ "{\"process\":{\"args\":[],\"cwd\":\"/\",\"args\":1}}",
		  "process.args: duplicate key" },
		{ "[0,{\"b.c\":{\"x\":1,\"x\":2}}]", "[1][\"b.c\"].x: duplicate key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct json_value *v = NULL;
		struct err err = { 0 };

		assert_int_equal(json_parse(cases[i].text, strlen(cases[i].text), &a, &v, &err),
				 -EINVAL);
		assert_string_equal(err.msg, cases[i].message);
		assert_null(v);
	}
}

static int parse(const struct buf *b, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct json_value *v;

	return json_parse(buf_str(b), b->len, &a, &v, err);
}

static void repeat(struct buf *b, const char *s, size_t n)
{
	while (n--)
		buf_adds(b, s);
}

static void depth_is_bounded(void **state)
{
	autobuf deep = BUF_INIT;
	autobuf deeper = BUF_INIT;
	struct err err;

	(void)state;
	repeat(&deep, "[", JSON_MAX_DEPTH);
	repeat(&deep, "]", JSON_MAX_DEPTH);
	assert_int_equal(parse(&deep, &err), 0);
	repeat(&deeper, "[", 1000000);
	assert_int_equal(parse(&deeper, &err), -EINVAL);
	assert_string_equal(err.msg, "invalid JSON: nested deeper than 64 levels");
}

static void size_is_bounded(void **state)
{
	autobuf b = BUF_INIT;
	struct err err;

	(void)state;
	buf_adds(&b, "1");
	repeat(&b, " ", JSON_MAX_SIZE - 1);
	assert_int_equal(parse(&b, &err), 0);
	buf_adds(&b, " ");
	assert_int_equal(parse(&b, &err), -EINVAL);
	assert_string_equal(err.msg, "invalid JSON: larger than 4194304 bytes");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Comparing each of 300,000 keys with each would take minutes. */
static void many_keys_are_cheap(void **state)
{
	autobuf b = BUF_INIT;
	double start = seconds();
	struct err err;

	(void)state;
	buf_adds(&b, "{\"k7\":0");
	for (int i = 0; i < 300000; i++)
		buf_addf(&b, ",\"x%d\":0", i);
	buf_adds(&b, ",\"k7\":1}");
	assert_int_equal(parse(&b, &err), -EINVAL);
	assert_string_equal(err.msg, "k7: duplicate key");
	assert_true(seconds() - start < 10);
}

struct inner {
	uint32_t n;
	char *s;
};

struct named {
	char *key;
	struct opt_u32 n;
};

struct all {
	bool flag;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	int32_t i32;
	int64_t i64;
	struct opt_bool opt_flag;
	struct opt_u16 opt_u16;
	struct opt_u64 opt_u64;
	struct opt_i32 opt_i32;
	struct opt_i64 opt_i64;
	int color;
	char *text;
	struct inner in;
	struct inner *ptr, *none;
	LIST(struct inner) list;
	LIST(uint32_t) numbers;
	struct strv strings;
	struct key_value_list map;
	LIST(struct named) named;
	const struct json_value *raw;
};

static int check_inner(struct json_ctx *ctx, void *out)
{
	const struct inner *in = out;

	if (in->n == 13)
		return json_error(ctx, "no luck with %u", in->n);
	return 0;
}

static const struct json_field inner_fields[] = {
	{ "n", json_u32, offsetof(struct inner, n), JSON_REQUIRED, NULL },
	{ "s", json_string, offsetof(struct inner, s), 0, NULL },
};

static const struct json_table inner_table = { inner_fields, 2, sizeof(struct inner), check_inner };

static const struct json_field named_fields[] = {
	{ "n", json_opt_u32, offsetof(struct named, n), 0, NULL },
};

static const struct json_field go_fields[] = {
	{ "oneName", json_u32, offsetof(struct inner, n), JSON_REQUIRED | JSON_ANY_CASE, NULL },
	{ "s", json_string, offsetof(struct inner, s), 0, NULL },
};

static const struct json_table go_table = { go_fields, 2, sizeof(struct inner), NULL };

static const struct json_table named_table = { named_fields, 1, sizeof(struct named), NULL };

static const struct json_list_of inner_list = { json_object, sizeof(struct inner), &inner_table };
static const struct json_list_of named_list = { json_object, sizeof(struct named), &named_table };
static const struct json_list_of number_list = { json_u32, sizeof(uint32_t), NULL };

static const struct json_enum_value colors[] = { { "red", 1 }, { "green", 2 }, { NULL, 0 } };

#define ALL(name, reader, arg)                                                                     \
	{                                                                                          \
#name, reader, offsetof(struct all, name), 0, arg                                  \
	}

static const struct json_field all_fields[] = {
	ALL(flag, json_bool, NULL),
	ALL(u16, json_u16, NULL),
	ALL(u32, json_u32, NULL),
	ALL(u64, json_u64, NULL),
	ALL(i32, json_i32, NULL),
	ALL(i64, json_i64, NULL),
	ALL(opt_flag, json_opt_bool, NULL),
	ALL(opt_u16, json_opt_u16, NULL),
	ALL(opt_u64, json_opt_u64, NULL),
	ALL(opt_i32, json_opt_i32, NULL),
	ALL(opt_i64, json_opt_i64, NULL),
	ALL(color, json_enum, colors),
	ALL(text, json_string, NULL),
	ALL(in, json_object, &inner_table),
	ALL(ptr, json_object_ptr, &inner_table),
	ALL(none, json_object_ptr, &inner_table),
	ALL(list, json_list, &inner_list),
	ALL(numbers, json_list, &number_list),
	ALL(strings, json_strv, NULL),
	ALL(map, json_map, NULL),
	ALL(named, json_map_list, &named_list),
	ALL(raw, json_value_raw, NULL),
};

static const struct json_table all_table = { all_fields, ARRAY_SIZE(all_fields), sizeof(struct all),
					     NULL };

/* 'single' quotes in text stand for double ones. */
static int decode(const char *text, struct arena *a, struct all *ret, struct err *err)
{
	char *json = arena_strdup(a, text);
	struct json_value *v;
	int r;

	for (char *c = json; (c = strchr(c, '\''));)
		*c = '"';
	r = json_parse(json, strlen(json), a, &v, err);
	return r < 0 ? r : json_decode(v, &all_table, a, ret, err);
}

static void names_in_any_case(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t n;
	} cases[] = {
		{ "{\"oneName\":1}", 0, 1 },	      { "{\"OneName\":2,\"S\":3}", 0, 2 },
		{ "{\"ONENAME\":null}", -EINVAL, 0 }, { "{\"OneNames\":4}", -EINVAL, 0 },
		{ "{\"OneName\":-5}", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct json_value *v;
		struct inner in = { 0 };
		struct err err;

		assert_int_equal(json_parse(cases[i].text, strlen(cases[i].text), &a, &v, &err), 0);
		assert_int_equal(json_decode(v, &go_table, &a, &in, &err), cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(in.n, cases[i].n);
		assert_null(in.s);
	}
}

static void scalars_are_decoded(void **state)
{
	autoarena a = ARENA_INIT;
	struct all x = { .u32 = 7 };
	struct err err;

	(void)state;
	assert_int_equal(decode("{'flag':true,'u16':65535,'u32':null,'u64':18446744073709551615,"
				"'i32':-2147483648,'i64':-9223372036854775808,'opt_flag':false,"
				"'opt_u16':0,'opt_i32':-0,'opt_i64':9223372036854775807,"
				"'color':'green','text':'hi','unknown':[{}]}",
				&a, &x, &err),
			 0);
	assert_true(x.flag);
	assert_int_equal(x.u16, 65535);
	assert_int_equal(x.u32, 7);
	assert_true(x.u64 == UINT64_MAX);
	assert_int_equal(x.i32, INT32_MIN);
	assert_true(x.i64 == INT64_MIN);
	assert_true(x.opt_flag.set && !x.opt_flag.value);
	assert_true(x.opt_u16.set && x.opt_u16.value == 0);
	assert_false(x.opt_u64.set);
	assert_true(x.opt_i32.set && x.opt_i32.value == 0);
	assert_true(x.opt_i64.set && x.opt_i64.value == INT64_MAX);
	assert_int_equal(x.color, 2);
	assert_string_equal(x.text, "hi");
}

static void structures_are_decoded(void **state)
{
	autoarena a = ARENA_INIT;
	struct all x = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(decode("{'in':{'n':1,'s':'one'},'ptr':{'n':2},'none':null,"
				"'list':[{'n':3},{'n':4,'s':'four'}],'numbers':[5,6],"
				"'strings':['a','b'],'map':{'k':'v','gone':null,'l':'w'},"
				"'named':{'eth0':{'n':7},'eth1':{},'eth2':null},'raw':[1]}",
				&a, &x, &err),
			 0);
	assert_int_equal(x.in.n, 1);
	assert_int_equal(x.ptr->n, 2);
	assert_null(x.ptr->s);
	assert_null(x.none);
	assert_int_equal(x.list.count, 2);
	assert_string_equal(x.list.items[1].s, "four");
	assert_int_equal(x.numbers.items[1], 6);
	assert_int_equal(x.strings.count, 2);
	assert_null(x.strings.items[2]);
	assert_int_equal(x.map.count, 2);
	assert_string_equal(x.map.items[1].value, "w");
	assert_int_equal(x.named.count, 2);
	assert_string_equal(x.named.items[1].key, "eth1");
	assert_int_equal(x.named.items[0].n.value, 7);
	assert_int_equal(x.raw->kind, JSON_ARRAY);
}

static void wrong_values(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "[]", "expected an object, found an array" },
		{ "{'u32':'abc'}", "u32: expected an unsigned integer, found \"abc\"" },
		{ "{'u32':1.0}", "u32: expected an unsigned integer, found 1.0" },
		{ "{'u32':1e3}", "u32: expected an unsigned integer, found 1e3" },
		{ "{'u32':true}", "u32: expected an unsigned integer, found a boolean" },
		{ "{'u32':4294967296}", "u32: 4294967296 is out of range (0 to 4294967295)" },
		{ "{'u32':-1}", "u32: -1 is out of range (0 to 4294967295)" },
		{ "{'u16':65536}", "u16: 65536 is out of range (0 to 65535)" },
		{ "{'u64':18446744073709551616}",
		  "u64: 18446744073709551616 is out of range (0 to 18446744073709551615)" },
		{ "{'i32':2147483648}",
		  "i32: 2147483648 is out of range (-2147483648 to 2147483647)" },
		{ "{'i64':-9223372036854775809}",
		  "i64: -9223372036854775809 is out of range (-9223372036854775808 to "
		  "9223372036854775807)" },
		{ "{'opt_i64':{}}", "opt_i64: expected an integer, found an object" },
		{ "{'flag':1}", "flag: expected true or false, found 1" },
		{ "{'text':[]}", "text: expected a string, found an array" },
		{ "{'color':'blue'}", "color: \"blue\" is not one of red, green" },
		{ "{'color':1}", "color: expected a string, found 1" },
		{ "{'in':{}}", "in.n: missing" },
		{ "{'in':{'n':null}}", "in.n: missing" },
		{ "{'in':{'n':13}}", "in: no luck with 13" },
		{ "{'ptr':'x'}", "ptr: expected an object, found \"x\"" },
		{ "{'list':{}}", "list: expected an array, found an object" },
		{ "{'list':[{'n':1},null]}", "list[1]: expected an object, found null" },
		{ "{'list':[{'n':1},{'n':13}]}", "list[1]: no luck with 13" },
		{ "{'strings':'x'}", "strings: expected an array of strings, found \"x\"" },
		{ "{'strings':['a',1]}", "strings[1]: expected a string, found 1" },
		{ "{'map':{'net.core.x':1}}", "map[\"net.core.x\"]: expected a string, found 1" },
		{ "{'map':[]}", "map: expected an object of strings, found an array" },
		{ "{'named':{'eth0':{'n':'x'}}}",
		  "named.eth0.n: expected an unsigned integer, found \"x\"" },
		{ "{'named':[]}", "named: expected an object, found an array" },
		{ "{'flag':'a\\u0007b\\n'}", "flag: expected true or false, found \"a?b?\"" },
		{ "{'flag':'0123456789012345678901234567890123456789012345678901234567890123456789'"
		  "}",
		  "flag: expected true or false, found "
		  "\"0123456789012345678901234567890123456789012345678901234567890123...\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct all x = { 0 };
		struct err err = { 0 };

		assert_int_equal(decode(cases[i].text, &a, &x, &err), -EINVAL);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(err.code, -EINVAL);
	}
}

static void write_document(struct json_writer *w)
{
	char *args[] = { (char *)"a", (char *)"\"b\"", NULL };
	const struct strv strv = { args, 2 };

	json_begin_object(w);
	json_pair_string(w, "s", "x\xffy\n");
	json_pair_string(w, "none", NULL);
	json_pair_u64(w, "u", UINT64_MAX);
	json_pair_i64(w, "i", INT64_MIN);
	json_pair_bool(w, "b", true);
	json_pair_strv(w, "v", &strv);
	json_key(w, "e");
	json_begin_array(w);
	json_end_array(w);
	json_end_object(w);
}

static void compact_output(void **state)
{
	autobuf b = BUF_INIT;
	struct json_writer w;

	(void)state;
	buf_adds(&b, "> ");
	json_writer_init(&w, &b, false);
	write_document(&w);
	json_writer_done(&w);
	assert_string_equal(b.data, "> {\"s\":\"x\xef\xbf\xbdy\\n\",\"none\":null,"
				    "\"u\":18446744073709551615,\"i\":-9223372036854775808,"
				    "\"b\":true,\"v\":[\"a\",\"\\\"b\\\"\"],\"e\":[]}");
}

static void pretty_output(void **state)
{
	autobuf b = BUF_INIT;
	struct json_writer w;

	(void)state;
	json_writer_init(&w, &b, true);
	json_begin_object(&w);
	json_pair_u64(&w, "a", 1);
	json_end_object(&w);
	json_writer_done(&w);
	assert_string_equal(b.data, "{\n\t\"a\": 1\n}\n");
}

static void utf8_characters(void **state)
{
	static const struct {
		const char *s;
		size_t len;
	} cases[] = {
		{ "a", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xc2", 0 },
		{ "\xc2\x41", 0 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xe1\x80\x41", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xff", 0 },
		{ "\xf1\x80\x80", 0 },
		{ "\xed\xa0\x80", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf8_char(cases[i].s, strlen(cases[i].s)), cases[i].len);
	assert_true(utf8_valid("0123456789\xc3\xa9", 12));
	assert_false(utf8_valid("0123456789\xc3", 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(escapes_are_decoded),
		cmocka_unit_test(bad_texts),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(many_keys_are_cheap),
		cmocka_unit_test(names_in_any_case),
		cmocka_unit_test(scalars_are_decoded),
		cmocka_unit_test(structures_are_decoded),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(compact_output),
		cmocka_unit_test(pretty_output),
		cmocka_unit_test(utf8_characters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
