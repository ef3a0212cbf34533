/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/arena.h"
#include "lib/strmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define MANY 5000

static void keeps_what_is_put_in(void **state)
{
	autoarena a = ARENA_INIT;
	struct strmap m = { 0 };
	char key[32];

	(void)state;
	assert_int_equal(strmap_get(&m, "none"), 0);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "key-%zu", i);
		assert_int_equal(*strmap_at(&m, key, &a), 0);
		*strmap_at(&m, key, &a) = i + 1;
	}
	assert_int_equal(m.count, MANY);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "key-%zu", i);
		assert_int_equal(strmap_get(&m, key), i + 1);
	}
	assert_int_equal(strmap_get(&m, ""), 0);
	*strmap_at(&m, "", &a) = 7;
	assert_int_equal(strmap_get(&m, ""), 7);
}

/* The place of one is as good after others came. */
static void places_stay(void **state)
{
	autoarena a = ARENA_INIT;
	struct strmap m = { 0 };
	size_t *first = strmap_at(&m, "first", &a);
	char key[32];

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		strmap_at(&m, key, &a);
	}
	*first = 42;
	assert_int_equal(strmap_get(&m, "first"), 42);
}

static void arrays_grow(void **state)
{
	autoarena a = ARENA_INIT;
	size_t *items = NULL, moves = 0;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		size_t *before = items;

		items = arena_grow(&a, items, i, sizeof(*items));
		moves += items != before;
		assert_int_equal(items[i], 0);
		items[i] = i;
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(items[i], i);
	assert_int_equal(moves, 14); /* 1, 2, 4 ... 8192 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_put_in),
		cmocka_unit_test(places_stay),
		cmocka_unit_test(arrays_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
