/* SPDX-License-Identifier: Apache-2.0 */
#include "compose_test.h"

/* Plain scalars as they are, others in quotes. */
static void dump(const struct yaml_node *n, struct buf *b)
{
	const struct yaml_node *m;

	if (n->kind == YAML_SCALAR) {
		buf_addf(b, n->plain ? "%s" : "'%s'", n->text);
		return;
	}
	buf_adds(b, n->kind == YAML_MAP ? "{" : "[");
	for (m = n->first; m; m = m->next) {
		if (m->key)
			buf_addf(b, "%s: ", m->key);
		dump(m, b);
		buf_adds(b, m->next ? ", " : "");
	}
	buf_adds(b, n->kind == YAML_MAP ? "}" : "]");
}

static const struct {
	const char *text, *tree;
} good[] = {
	{ "", "{}" },
	{ "# only this\n", "{}" },
	{ "~", "{}" },
	{ "a: 1", "{a: 1}" },
	{ "a: \"1\"", "{a: '1'}" },
	{ "a: '1'\nb: !!str 2", "{a: '1', b: '2'}" },
	{ "a: !!int 3", "{a: 3}" },
	{ "a: yes\nb: no\nc: null", "{a: yes, b: no, c: null}" },
	{ "a:\nb: ~", "{a: , b: ~}" },
	{ "- a\n- [b, c]\n- {d: e}", "[a, [b, c], {d: e}]" },
	{ "a: |\n  x\n  y\n", "{a: 'x\ny\n'}" },
	{ "a: >-\n  x\n  y\n", "{a: 'x y'}" },
	{ "a: &x [1, 2]\nb: *x\n", "{a: [1, 2], b: [1, 2]}" },
	{ "a: &x 1\nb: &x 2\nc: *x", "{a: 1, b: 2, c: 2}" },
	{ "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}" },
	{ "a: &x {p: 1}\nb: &y {p: 2, r: 4}\nc: {<<: [*x, *y], s: 5}",
	  "{a: {p: 1}, b: {p: 2, r: 4}, c: {s: 5, p: 1, r: 4}}" },
	{ "a: {<<: {p: 1}, p: 2}", "{a: {p: 2}}" },
	{ "\"<<\": 1", "{<<: 1}" },
	{ "a: &x {p: &y 1, q: *y}\nb: *x", "{a: {p: 1, q: 1}, b: {p: 1, q: 1}}" },
	{ "---\na: 1\n...\n", "{a: 1}" },
	{ "{a: , b: }", "{a: , b: }" },
	{ "22:22", "22:22" },
	{ "a: \xc3\xa9", "{a: \xc3\xa9}" },
};

static void documents_become_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct yaml_node *root;
		struct err err = { 0, "" };

		if (yaml_load(good[i].text, strlen(good[i].text), "f", &a, &root, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		dump(root, &b);
		assert_string_equal(buf_str(&b), good[i].tree);
	}
}

static const struct {
	const char *text, *words;
} bad[] = {
	{ "a: 1\nb: 2\na: 3", "f:3: the key \"a\" is in line 1 already" },
	{ "x:\n  a: 1\n  \"a\": 2", "f:3: the key \"a\" is in line 2 already" },
	{ "a: *x", "f:1: there is no anchor \"x\" before this" },
	{ "a: 1\nb: &x [*x]", "f:2: the alias \"x\" contains itself" },
	{ "a: !reset null", "f:1: the tag !reset is not supported" },
	{ "a:\n  b: !override [1]", "f:2: the tag !override is not supported" },
	{ "a: !secret 1", "f:1: unknown tag \"!secret\"" },
	{ "a: !!binary aGk=", "f:1: unknown tag \"tag:yaml.org,2002:binary\"" },
	{ "a: 1\n---\nb: 2", "f:2: a second document in one file" },
	{ "? [a]\n: 1", "f:1: a key has to be a plain word" },
	{ "a: {<<: 1}", "f:1: \"<<\" takes a map, or a list of maps" },
	{ "a: {<<: [[]]}", "f:1: \"<<\" takes a map, or a list of maps" },
	{ "a: [1",
	  "f:2: did not find expected ',' or ']', while parsing a flow sequence from line 1" },
	{ "a: 'x", "f:1: " },
	{ "a:\n\tb: 1", "f:2: " },
	{ "a: b: c", "f:1: " },
	{ "a: \"\\0\"", "f:1: a NUL character" },
	{ "a: \xff", "f:1: " },
};

static void what_is_wrong_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct yaml_node *root = NULL;
		struct err err = { 0, "" };
		int r = yaml_load(bad[i].text, strlen(bad[i].text), "f", &a, &root, &err);

		if (r != -EINVAL || strncmp(err.msg, bad[i].words, strlen(bad[i].words)) != 0)
			fail_msg("%s: %d %s", bad[i].text, r, r < 0 ? err.msg : "good");
	}
}

static int load_text(const struct buf *b, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct yaml_node *root;

	return yaml_load(buf_str(b), b->len, "f", &a, &root, err);
}

/* Ten lines of ten aliases each: a thousand million values. */
static void laughs_are_limited(void **state)
{
	autobuf b = BUF_INIT;
	struct err err;

	(void)state;
	buf_adds(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&b, "*a%d, ", i - 1);
		buf_adds(&b, "]\n");
	}
	assert_int_equal(load_text(&b, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "more than 100000 values"));
}

static void nest(struct buf *b, int levels)
{
	for (int i = 0; i < levels; i++)
		buf_adds(b, "[");
	for (int i = 0; i < levels; i++)
		buf_adds(b, "]");
}

static void depth_is_limited(void **state)
{
	struct err err;

	(void)state;
	for (int levels = 64; levels <= 65; levels++) {
		autobuf b = BUF_INIT;

		nest(&b, levels);
		assert_int_equal(load_text(&b, &err), levels == 64 ? 0 : -E2BIG);
	}
	assert_string_equal(err.msg, "f:1: more than 64 levels");
}

/* Each alias is in another list: 40 levels and 40 are too many. */
static void depth_of_aliases_is_limited(void **state)
{
	autobuf b = BUF_INIT;
	struct err err;

	(void)state;
	buf_adds(&b, "a: &a ");
	nest(&b, 40);
	buf_adds(&b, "\nb: ");
	for (int i = 0; i < 40; i++)
		buf_adds(&b, "[");
	buf_adds(&b, "*a");
	for (int i = 0; i < 40; i++)
		buf_adds(&b, "]");
	assert_int_equal(load_text(&b, &err), -E2BIG);
	assert_string_equal(err.msg, "f:2: more than 64 levels");
}

static void numbers_of_things_are_limited(void **state)
{
	autobuf values = BUF_INIT, anchors = BUF_INIT, keys = BUF_INIT, large = BUF_INIT;
	struct err err;

	(void)state;
	for (int i = 0; i < 100001; i++)
		buf_adds(&values, "- x\n");
	assert_int_equal(load_text(&values, &err), -E2BIG);
	for (int i = 0; i < 1001; i++)
		buf_addf(&anchors, "- &a%d x\n", i);
	assert_int_equal(load_text(&anchors, &err), -E2BIG);
	assert_string_equal(err.msg, "f:1001: more than 1000 anchors");
	for (int i = 0; i < 4097; i++)
		buf_addf(&keys, "k%d: x\n", i);
	assert_int_equal(load_text(&keys, &err), -E2BIG);
	assert_string_equal(err.msg, "f:4097: more than 4096 keys");
	while (large.len <= YAML_MAX_SIZE)
		buf_adds(&large, "# nothing\n");
	assert_int_equal(load_text(&large, &err), -E2BIG);
}

static void lines_are_those_of_keys(void **state)
{
	static const char text[] = "a:\n  - b\n  - c: 1\n    d:\n      e\n";
	autoarena a = ARENA_INIT;
	struct yaml_node *root, *list;
	struct err err;

	(void)state;
	assert_int_equal(yaml_load(text, strlen(text), "f", &a, &root, &err), 0);
	list = yaml_get(root, "a");
	assert_int_equal(list->line, 1);
	assert_int_equal(list->first->line, 2);
	assert_int_equal(list->first->next->line, 3);
	assert_int_equal(yaml_get(list->first->next, "d")->line, 4);
	assert_null(yaml_get(root, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_become_trees),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(laughs_are_limited),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(depth_of_aliases_is_limited),
		cmocka_unit_test(numbers_of_things_are_limited),
		cmocka_unit_test(lines_are_those_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
