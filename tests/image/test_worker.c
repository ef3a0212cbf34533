/* SPDX-License-Identifier: Apache-2.0 */
/* What a confined process says is believed only as far as it can be true. */
#include "oci/image/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define BEHIND "what lies behind it"

static int say(void *arg, struct err *err)
{
	/* Words without an end. */
	memset(err->msg, 'A', sizeof(err->msg));
	err->code = -EIO;
	return *(int *)arg;
}

static int wait_for(int result, struct err *err)
{
	const struct confine_opts confine = { .root_fd = -1 };
	struct worker w = WORKER_INIT;

	assert_int_equal(worker_start(&confine, say, &result, &w, err), 0);
	return worker_wait(&w, err);
}

static void words_end(void **state)
{
	struct {
		struct err err;
		char behind[64];
	} s = { .behind = BEHIND };

	(void)state;
	assert_int_equal(wait_for(-EIO, &s.err), -EIO);
	assert_int_equal(s.err.code, -EIO);
	assert_int_equal(strnlen(s.err.msg, sizeof(s.err.msg)), sizeof(s.err.msg) - 1);
	assert_string_equal(s.behind, BEHIND);
}

static void results_are_errnos(void **state)
{
	static const int odd[] = { 1, 77, -4096, INT32_MIN, INT32_MAX };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		assert_int_equal(wait_for(odd[i], &err), -EBADMSG);
		assert_int_equal(err.code, -EBADMSG);
	}
	assert_int_equal(wait_for(0, &err), 0);
	assert_int_equal(wait_for(-ENOSPC, &err), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_end),
		cmocka_unit_test(results_are_errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
