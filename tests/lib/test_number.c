/* SPDX-License-Identifier: Apache-2.0 */
/* number: sizes and numbers with a point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/number.h"

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: none */
	} sizes[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "1b", 1 },
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "1kb", 1024 },
		{ "1KiB", 1024 },
		{ "64m", 67108864 },
		{ "1.5g", 1610612736 },
		{ "1.5", 1 },
		{ "1 GB", 1073741824 },
		{ "0.5k", 512 },
		{ "0.000000001p", 1125899 },
		{ "9223372036854775807", INT64_MAX },
		{ "8191p", 8191ll << 50 },
		{ "8191.5p", (8191ll << 50) + (1ll << 49) },
		{ "9223372036854775808", -1 },
		{ "8192p", -1 },
		{ "99999999p", -1 },
		{ "", -1 },
		{ "k", -1 },
		{ ".", -1 },
		{ "1.", -1 },
		{ "1.k", -1 },
		{ "1q", -1 },
		{ "1kk", -1 },
		{ "1ib", -1 },
		{ "-1", -1 },
		{ " 1", -1 },
		{ "1k ", -1 },
		{ "1.2.3", -1 },
		{ "1e3", -1 },
		{ "0x10", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t bytes = 77;
		bool good = number_bytes(sizes[i].text, &bytes);

		if (good != (sizes[i].bytes >= 0) ||
		    bytes != (good ? (uint64_t)sizes[i].bytes : 77))
			fail_msg("%s: %d %llu", sizes[i].text, good, (unsigned long long)bytes);
	}
}

static void test_decimal(void **state)
{
	const char *text = "2.25s", *huge = "3.0";
	uint64_t n = 7;

	(void)state;
	assert_true(number_decimal(&text, 1000, &n));
	assert_int_equal(n, 2250);
	assert_string_equal(text, "s");
	assert_false(number_decimal(&text, 1, &n));
	/* What does not fit leaves both alone. */
	assert_false(number_decimal(&huge, UINT64_MAX / 2, &n));
	assert_int_equal(n, 2250);
	assert_string_equal(huge, "3.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_decimal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
