/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bitlist.h"
#include "lib/cleanup.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define BITS (sizeof(unsigned long) * CHAR_BIT)
#define LONGS (BITLIST_MAX / BITS)

static int bit(const unsigned long *mask, size_t n)
{
	return mask[n / BITS] >> n % BITS & 1;
}

/* Members as a string of their own: those below 80, where the masks differ at all. */
static void lists(void **state)
{
	static const struct {
		const char *text;
		int top;
		const char *members;
	} cases[] = {
		{ "", 0, "" },
		{ "   ", 0, "" },
		{ "0", 1, "0 " },
		{ "7", 8, "7 " },
		{ "0-3,7", 8, "0 1 2 3 7 " },
		{ " 0 - 3 , 7 ", 8, "0 1 2 3 7 " },
		{ "7,0", 8, "0 7 " },
		{ "5-5", 6, "5 " },
		{ "3,3,2-4", 5, "2 3 4 " },
		{ "63-64", 65, "63 64 " },
		{ "007", 8, "7 " },
		{ "1,", 2, "1 " },
	};
	unsigned long mask[LONGS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char members[512] = "";

		memset(mask, 0xff, sizeof(mask));
		assert_int_equal(bitlist_parse(cases[i].text, mask), cases[i].top);
		for (size_t n = 0; n < BITLIST_MAX; n++)
			if (bit(mask, n))
				sprintf(members + strlen(members), "%zu ", n);
		assert_string_equal(members, cases[i].members);
	}
}

static void whole_range(void **state)
{
	/* One more, as a guard. */
	unsigned long mask[LONGS + 1];

	(void)state;
	memset(mask, 0, sizeof(mask));
	assert_int_equal(bitlist_parse("0-4095", mask), BITLIST_MAX);
	for (size_t i = 0; i < LONGS; i++)
		assert_true(mask[i] == ULONG_MAX);
	assert_true(mask[LONGS] == 0);
	assert_int_equal(bitlist_parse("4095", mask), BITLIST_MAX);
	assert_true(mask[LONGS - 1] == 1UL << (BITS - 1));
}

static void refused(void **state)
{
	static const char *const bad[] = {
		",",	",1",	 "1,,2", "-",	 "-1",	   "1-",
		"3-1",	"1-2-3", "a",	 "1a",	 "1 2",	   "0x1",
		"+1",	"1\n",	 "1\t",	 "4096", "0-4096", "99999999999999999999",
		"1--2", "1;2",	 "1.5",	 "0-",	 "1- ,2",
	};
	unsigned long mask[LONGS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (bitlist_parse(bad[i], mask) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(whole_range),
		cmocka_unit_test(refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
