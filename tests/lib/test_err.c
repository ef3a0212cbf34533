/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static void codes_are_negative(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, EINVAL, "bad %s", "thing"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.msg, "bad thing");
	assert_int_equal(err_set(&err, -EBUSY, "x"), -EBUSY);
	assert_int_equal(err_code(&err, EPERM, "open %d", 7), -EPERM);
	assert_string_equal(err.msg, "open 7: Operation not permitted");
	assert_int_equal(err_code(&err, -ENOENT, "open"), -ENOENT);
	assert_string_equal(err.msg, "open: No such file or directory");
	errno = EACCES;
	assert_int_equal(err_errno(&err, "read %s", "f"), -EACCES);
	assert_int_equal(err.code, -EACCES);
	assert_string_equal(err.msg, "read f: Permission denied");
}

static void prefixes_stack(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ENOENT, "no file");
	assert_int_equal(err_prefix(&err, "mount %d", 2), -ENOENT);
	assert_int_equal(err_prefix(&err, "bundle"), -ENOENT);
	assert_string_equal(err.msg, "bundle: mount 2: no file");
}

static void long_texts_are_cut(void **state)
{
	char text[2 * sizeof(((struct err *)0)->msg)];
	struct {
		struct err err;
		char guard[64];
	} e;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(&e, 'g', sizeof(e));
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			err_set(&e.err, EIO, "%s", text);
		else if (i == 1)
			err_code(&e.err, EIO, "%s", text);
		else
			err_prefix(&e.err, "%s", text);
		assert_int_equal(strlen(e.err.msg), sizeof(e.err.msg) - 1);
		for (size_t k = 0; k < sizeof(e.guard); k++)
			assert_int_equal(e.guard[k], 'g');
	}
	assert_int_equal(e.err.code, -EIO);
}

static void every_code_has_a_text(void **state)
{
	(void)state;
	for (int code = -200; code < 5000; code++)
		assert_true(err_text(code)[0] != '\0');
	assert_string_equal(err_text(-EEXIST), "File exists");
	assert_string_equal(err_text(4999), "Unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_negative),
		cmocka_unit_test(prefixes_stack),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(every_code_has_a_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
