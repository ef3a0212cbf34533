/* SPDX-License-Identifier: Apache-2.0 */
/* instance_record.c: what an exit changes, and that it all comes back from disk. */
#include "cmd/tote-supervise/instance_record.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIN ((int64_t)60000)

struct fixture {
	struct instance_record r;
	struct arena a;
};

static void take(struct fixture *f, uint32_t run, int reason, int32_t code, int64_t now)
{
	struct instance_exit e = { .run = run, .reason = reason, .code = code, .ended = now };
	char words[32];

	snprintf(words, sizeof(words), "run %u", run);
	e.message = words;
	instance_record_take(&f->r, &f->a, &e, now, 500);
}

static void test_back_off(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	for (uint32_t run = 1; run <= 12; run++) {
		take(&f, run, EXIT_ENDED, 1, 1000);
		assert_int_equal(f.r.failures, run);
		assert_int_equal(f.r.due, 1000 + (run < 12 ? 100 << (run - 1) : 204800));
		assert_int_equal(f.r.degraded, run >= CRASH_LOOP);
	}
	arena_done(&f.a);
}

static void test_nothing_twice(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	take(&f, 1, EXIT_ENDED, 1, 0);
	take(&f, 1, EXIT_ENDED, 1, 5000);
	assert_int_equal(f.r.failures, 1);
	assert_int_equal(f.r.exits.count, 1);
	assert_int_equal(f.r.due, 100);
	arena_done(&f.a);
}

static void test_last_eight(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	for (uint32_t run = 1; run <= 20; run++)
		take(&f, run, EXIT_ENDED, (int32_t)run, 0);
	assert_int_equal(f.r.exits.count, RECORD_EXITS);
	for (size_t n = 0; n < RECORD_EXITS; n++)
		assert_int_equal(f.r.exits.items[n].run, 13 + n);
	assert_string_equal(f.r.exits.items[7].message, "run 20");
	assert_string_equal(f.r.exits.items[0].message, "run 13");
	assert_int_equal(instance_record_last(&f.r)->code, 20);
	arena_done(&f.a);
}

static void test_asked_is_no_failure(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	take(&f, 1, EXIT_ASKED, 143, 100);
	assert_int_equal(f.r.failures, 0);
	assert_int_equal(f.r.due, 0);
	/* But one that was ended for its health is. */
	f.r.unhealthy = 2;
	take(&f, 2, EXIT_ASKED, 143, 100);
	assert_int_equal(f.r.failures, 1);
	assert_int_equal(f.r.due, 200);
	arena_done(&f.a);
}

static void test_forgotten_after_ten_minutes(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	for (uint32_t run = 1; run <= 6; run++)
		take(&f, run, EXIT_ENDED, 1, 0);
	instance_record_health(&f.r, 7, HEALTH_STATE_STARTING, 1 * MIN);
	assert_false(instance_record_recovered(&f.r, 7, 100 * MIN));
	instance_record_health(&f.r, 7, HEALTH_STATE_HEALTHY, 2 * MIN);
	/* Said again it is no news. */
	instance_record_health(&f.r, 7, HEALTH_STATE_HEALTHY, 5 * MIN);
	assert_false(instance_record_recovered(&f.r, 7, 12 * MIN - 1));
	assert_true(instance_record_recovered(&f.r, 7, 12 * MIN));
	assert_false(instance_record_recovered(&f.r, 8, 12 * MIN));
	take(&f, 7, EXIT_ENDED, 1, 12 * MIN);
	assert_int_equal(f.r.failures, 1);
	assert_false(f.r.degraded);
	/* One that was unhealthy in between begins anew. */
	instance_record_health(&f.r, 8, HEALTH_STATE_HEALTHY, 20 * MIN);
	instance_record_health(&f.r, 8, HEALTH_STATE_UNHEALTHY, 29 * MIN);
	take(&f, 8, EXIT_ENDED, 1, 31 * MIN);
	assert_int_equal(f.r.failures, 2);
	arena_done(&f.a);
}

static void test_on_disk(void **state)
{
	char path[] = "/tmp/test_record.XXXXXX";
	struct fixture f = { 0 };
	autoarena a = ARENA_INIT;
	struct instance_record r;
	struct err err;
	autofd dir = -1;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(instance_record_load(dir, &a, &r, &err), -ENOENT);
	take(&f, 1, EXIT_NOT_CREATED, 125, 7);
	take(&f, 2, EXIT_UNKNOWN, -1, 7);
	f.r.tried = 3;
	f.r.held = 3;
	f.r.again = 2;
	f.r.update_due = INT64_MAX / 2;
	f.r.note = (char *)"an \"update\"";
	instance_record_health(&f.r, 3, HEALTH_STATE_UNHEALTHY, 8);
	assert_int_equal(instance_record_save(dir, &f.r, &err), 0);
	assert_int_equal(instance_record_load(dir, &a, &r, &err), 0);
	assert_int_equal(r.run, 2);
	assert_int_equal(r.tried, 3);
	assert_int_equal(r.held, 3);
	assert_int_equal(r.again, 2);
	assert_int_equal(r.failures, 2);
	assert_int_equal(r.due, f.r.due);
	assert_int_equal(r.update_due, INT64_MAX / 2);
	assert_int_equal(r.health, HEALTH_STATE_UNHEALTHY);
	assert_int_equal(r.health_run, 3);
	assert_string_equal(r.note, "an \"update\"");
	assert_int_equal(r.exits.count, 2);
	assert_int_equal(r.exits.items[0].reason, EXIT_NOT_CREATED);
	assert_int_equal(r.exits.items[1].reason, EXIT_UNKNOWN);
	assert_int_equal(r.exits.items[1].code, -1);
	assert_string_equal(r.exits.items[1].message, "run 2");
	/* A broken one is none. */
	assert_int_equal(file_replace(dir, INSTANCE_RECORD, "{\"run\":", 7, 0600, &err), 0);
	assert_int_equal(instance_record_load(dir, &a, &r, &err), -EINVAL);
	assert_int_equal(r.run, 0);
	arena_done(&f.a);
	tree_remove(AT_FDCWD, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_nothing_twice),
		cmocka_unit_test(test_last_eight),
		cmocka_unit_test(test_asked_is_no_failure),
		cmocka_unit_test(test_forgotten_after_ten_minutes),
		cmocka_unit_test(test_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
