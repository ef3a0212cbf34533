/* SPDX-License-Identifier: Apache-2.0 */
#include "compose_test.h"

static const struct {
	const char *text, *value;
} good[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "$SET", "value" },
	{ "a${SET}b", "avalueb" },
	{ "$SET/$SET", "value/value" },
	{ "$SET-x", "value-x" },
	{ "$UNSET", "" },
	{ "[$EMPTY]", "[]" },
	{ "$$SET", "$SET" },
	{ "$$", "$" },
	{ "$$$SET", "$value" },
	{ "${UNSET:-d}", "d" },
	{ "${UNSET-d}", "d" },
	{ "${EMPTY:-d}", "d" },
	{ "${EMPTY-d}", "" },
	{ "${SET:-d}", "value" },
	{ "${SET:+r}", "r" },
	{ "${SET+r}", "r" },
	{ "${EMPTY:+r}", "" },
	{ "${EMPTY+r}", "r" },
	{ "${UNSET+r}", "" },
	{ "${SET:?e}", "value" },
	{ "${SET?e}", "value" },
	{ "${EMPTY?e}", "" },
	{ "${UNSET:-${SET}}", "value" },
	{ "${UNSET:-${UNSET2:-${N}}}", "3" },
	{ "${UNSET:-a:b-c?d+e}", "a:b-c?d+e" },
	{ "${UNSET:-$$x}", "$x" },
	{ "${UNSET-}", "" },
	{ "${UNSET:-{\"a\"}", "{\"a\"" },
	{ "${UNSET:-x}}", "x}" },
	{ "${SET:-${UNSET:?never}}", "value" },
	{ "${UNSET+${UNSET:?never}}", "" },
	{ "x_$SET_", "x_" },
	{ "}", "}" },
};

static void values_are_put_in(void **state)
{
	autoarena a = ARENA_INIT;
	struct variables v;

	(void)state;
	test_variables(&v, &a);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct interpolation in;
		const char *value;
		struct err err = { 0, "" };

		interpolation_init(&in, &v, &a);
		if (interpolate(&in, good[i].text, &value, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_string_equal(value, good[i].value);
	}
}

static const struct {
	const char *text, *words;
} bad[] = {
	{ "$", "no name behind \"$\": write $$ for a dollar sign" },
	{ "a$ b", "no name behind \"$\"" },
	{ "$1", "no name behind \"$\"" },
	{ "${}", "no name behind \"${\"" },
	{ "${1}", "no name behind \"${\"" },
	{ "${SET", "expected \"}\" or one of" },
	{ "${SET!x}", "expected \"}\" or one of" },
	{ "${SET:x}", "expected \"}\" or one of" },
	{ "${SET:", "expected \"}\" or one of" },
	{ "${UNSET:-x", "\"${UNSET\" has no \"}\"" },
	{ "${UNSET:?say it}", "the variable UNSET is not set: say it" },
	{ "${UNSET?}", "the variable UNSET is not set" },
	{ "${EMPTY:?$SET}", "the variable EMPTY is empty: value" },
	{ "${UNSET:-$}", "no name behind" },
};

static void what_cannot_be_is_told(void **state)
{
	autoarena a = ARENA_INIT;
	struct variables v;

	(void)state;
	test_variables(&v, &a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct interpolation in;
		const char *value;
		struct err err = { 0, "" };
		int r;

		interpolation_init(&in, &v, &a);
		r = interpolate(&in, bad[i].text, &value, &err);
		if (r != -EINVAL || strncmp(err.msg, bad[i].words, strlen(bad[i].words)) != 0)
			fail_msg("%s: %d %s", bad[i].text, r, err.msg);
	}
}

static void what_is_missing_is_collected_once(void **state)
{
	autoarena a = ARENA_INIT;
	struct interpolation in;
	const char *value;
	struct variables v;
	struct err err;

	(void)state;
	test_variables(&v, &a);
	interpolation_init(&in, &v, &a);
	assert_int_equal(interpolate(&in, "$X ${X} $Y $SET ${Z:-d}", &value, &err), 0);
	assert_int_equal(in.missing.count, 2);
	assert_string_equal(in.missing.items[0].key, "X");
	assert_string_equal(in.missing.items[1].key, "Y");
}

/* A value of 4 KiB, a hundred thousand times. */
static void growth_is_limited(void **state)
{
	autoarena a = ARENA_INIT;
	autobuf text = BUF_INIT, large = BUF_INIT;
	struct interpolation in;
	const char *value;
	struct variables v;
	struct err err;

	(void)state;
	test_variables(&v, &a);
	for (int i = 0; i < 4096; i++)
		buf_adds(&large, "x");
	variables_add(&v, "L", buf_str(&large));
	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "$L");
	interpolation_init(&in, &v, &a);
	assert_int_equal(interpolate(&in, buf_str(&text), &value, &err), -E2BIG);
	buf_reset(&text);
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "${U:-");
	interpolation_init(&in, &v, &a);
	assert_int_equal(interpolate(&in, buf_str(&text), &value, &err), -E2BIG);
}

static void trees_are_changed_in_values_only(void **state)
{
	static const char text[] = "$SET: $SET\nb: [\"$N\", 3]\nc: ${EMPTY}\n";
	autoarena a = ARENA_INIT;
	struct yaml_node *root;
	struct interpolation in;
	struct variables v;
	struct err err;

	(void)state;
	test_variables(&v, &a);
	interpolation_init(&in, &v, &a);
	assert_int_equal(yaml_load(text, strlen(text), "f", &a, &root, &err), 0);
	assert_int_equal(interpolate_tree(&in, root, &err), 0);
	assert_string_equal(root->first->key, "$SET");
	assert_string_equal(root->first->text, "value");
	assert_string_equal(yaml_get(root, "b")->first->text, "3");
	/* Empty by a variable is an empty string, and not nothing. */
	assert_false(yaml_is_null(yaml_get(root, "c")));
	assert_int_equal(yaml_load("a: 1\nb: $", 9, "f", &a, &root, &err), 0);
	assert_int_equal(interpolate_tree(&in, root, &err), -EINVAL);
	assert_true(strncmp(err.msg, "f:2: no name", 12) == 0);
}

static const struct {
	const char *text, *values; /* NAME=VALUE| */
} files[] = {
	{ "", "" },
	{ "A=1", "A=1|" },
	{ "A=1\nB=2\n", "B=2|A=1|" },
	{ "\n# c\n  A = 1  \n", "A=1|" },
	{ "export A=1", "A=1|" },
	{ "A=a b # c", "A=a b|" },
	{ "A=a#b", "A=a#b|" },
	{ "A='a # $SET'", "A=a # $SET|" },
	{ "A=\"a\\n$SET\"", "A=a\nvalue|" },
	{ "A=\"\\$SET\"", "A=$SET|" },
	{ "A=$SET", "A=value|" },
	{ "A=1\nB=$A", "B=1|A=1|" },
	{ "A=1\nA=2\nB=$A", "B=2|A=2|A=1|" },
	{ "A=\"x\ny\"\nB=1", "B=1|A=x\ny|" },
	{ "A=", "A=|" },
	{ "A=# nothing", "A=|" },
	{ "SET", "SET=value|" },
	{ "UNSET", "" },
	{ "A: yaml", "A=yaml|" },
	{ "A=1\r\nB=2\r\n", "B=2|A=1|" },
	{ "\xef\xbb\xbf"
	  "A=1",
	  "A=1|" },
};

static void files_of_variables_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct variables known, v = { .a = &a };
		struct err err = { 0, "" };

		test_variables(&known, &a);
		if (variables_parse(files[i].text, "f", &known, &v, &err) < 0)
			fail_msg("%s: %s", files[i].text, err.msg);
		for (size_t k = 0; k < v.count; k++)
			buf_addf(&b, "%s=%s|", v.items[k].key, v.items[k].value);
		assert_string_equal(buf_str(&b), files[i].values);
	}
}

static const struct {
	const char *text, *words;
} bad_files[] = {
	{ "A=1\n=2", "f:2: a line without a name" },
	{ "A='x", "f:1: a quotation mark without a second one" },
	{ "A=1\nB=\"x\n", "f:3: a quotation mark without a second one" },
	{ "A='x'y", "f:1: something behind the quotation mark" },
	{ "A B=1", "f:1: expected NAME=VALUE" },
	{ "A=\n\nB=${X:?no}", "f:3: the variable X is not set: no" },
};

static void bad_files_of_variables_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		autoarena a = ARENA_INIT;
		struct variables known, v = { .a = &a };
		struct err err = { 0, "" };

		test_variables(&known, &a);
		assert_int_equal(variables_parse(bad_files[i].text, "f", &known, &v, &err),
				 -EINVAL);
		assert_string_equal(err.msg, bad_files[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_put_in),
		cmocka_unit_test(what_cannot_be_is_told),
		cmocka_unit_test(what_is_missing_is_collected_once),
		cmocka_unit_test(growth_is_limited),
		cmocka_unit_test(trees_are_changed_in_values_only),
		cmocka_unit_test(files_of_variables_are_read),
		cmocka_unit_test(bad_files_of_variables_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
