/* SPDX-License-Identifier: Apache-2.0 */
/* oom: kills that are counted in a file are told, once each time it grew. Plain files in place of
 * groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/containerd-shim-tote-v2/oom.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Two groups, of which the second may have no memory controller. */
struct fixture {
	struct loop loop;
	struct oom oom;
	char dirs[2][40];
	struct cg groups[2];
	struct oom_watch watches[2];
};

static unsigned int told[2];
static struct fixture *current;

static void killed(struct oom_watch *watch)
{
	told[watch - current->watches]++;
}

static void count(const struct fixture *f, int group, unsigned int kills)
{
	autofd fd = openat(f->groups[group].fd, "memory.events",
			   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(dprintf(fd, "low 0\nhigh 0\nmax 9\noom 9\noom_kill %u\n", kills) > 0);
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_init(&f->loop), 0);
	for (int i = 0; i < 2; i++) {
		strcpy(f->dirs[i], "/tmp/test_oom.XXXXXX");
		assert_non_null(mkdtemp(f->dirs[i]));
		f->groups[i] =
			(struct cg){ .path = (char *)"/fake",
				     .fd = open(f->dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
		count(f, i, 0);
	}
	oom_init(&f->oom, &f->loop, killed);
	memset(told, 0, sizeof(told));
	*state = current = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	oom_done(&f->oom);
	loop_done(&f->loop);
	for (int i = 0; i < 2; i++) {
		unlinkat(f->groups[i].fd, "memory.events", 0);
		close(f->groups[i].fd);
		assert_int_equal(rmdir(f->dirs[i]), 0);
	}
	free(f);
	return 0;
}

static void watch_both(struct fixture *f)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(oom_add(&f->oom, &f->watches[i], &f->groups[i]), 0);
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_once(&f->loop, 0), 0);
}

static void test_told(void **state)
{
	struct fixture *f = *state;

	watch_both(f);
	turn(f);
	assert_int_equal(told[0] + told[1], 0);
	count(f, 0, 1);
	turn(f);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 0);
	count(f, 1, 3);
	turn(f);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 1);
	count(f, 0, 2);
	turn(f);
	assert_int_equal(told[0], 2);
}

/* The file changes for other reasons, too. */
static void test_not_grown(void **state)
{
	struct fixture *f = *state;

	count(f, 0, 5);
	watch_both(f);
	count(f, 0, 5);
	turn(f);
	assert_int_equal(told[0], 0);
	count(f, 0, 6);
	turn(f);
	assert_int_equal(told[0], 1);
}

/* Before an exit is told: what the loop has not seen yet, and not twice. */
static void test_check(void **state)
{
	struct fixture *f = *state;

	watch_both(f);
	count(f, 0, 1);
	oom_check(&f->oom, &f->watches[0]);
	assert_int_equal(told[0], 1);
	turn(f);
	oom_check(&f->oom, &f->watches[0]);
	assert_int_equal(told[0], 1);
}

static void test_removed(void **state)
{
	struct fixture *f = *state;

	watch_both(f);
	count(f, 0, 1);
	count(f, 1, 1);
	oom_remove(&f->oom, &f->watches[0]);
	oom_remove(&f->oom, &f->watches[0]);
	oom_check(&f->oom, &f->watches[0]);
	turn(f);
	assert_int_equal(told[0], 0);
	assert_int_equal(told[1], 1);
}

/* Two containers in one group: each is told, and one may go. */
static void test_shared_group(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(oom_add(&f->oom, &f->watches[0], &f->groups[0]), 0);
	assert_int_equal(oom_add(&f->oom, &f->watches[1], &f->groups[0]), 0);
	count(f, 0, 1);
	turn(f);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 1);
	oom_remove(&f->oom, &f->watches[0]);
	count(f, 0, 2);
	turn(f);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 2);
}

static void test_no_controller(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlinkat(f->groups[1].fd, "memory.events", 0), 0);
	watch_both(f);
	assert_null(f->watches[1].link.next);
	oom_check(&f->oom, &f->watches[1]);
	count(f, 0, 1);
	turn(f);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 0);
	oom_remove(&f->oom, &f->watches[1]);
}

/* A group that is removed is not looked at any more, nor its number mixed up with another's. */
static void test_group_gone(void **state)
{
	struct fixture *f = *state;

	watch_both(f);
	assert_int_equal(unlinkat(f->groups[0].fd, "memory.events", 0), 0);
	turn(f);
	assert_int_equal(f->watches[0].wd, -1);
	count(f, 1, 1);
	turn(f);
	assert_int_equal(told[0], 0);
	assert_int_equal(told[1], 1);
	oom_check(&f->oom, &f->watches[0]);
	assert_int_equal(told[0], 0);
	oom_remove(&f->oom, &f->watches[0]);
	assert_int_equal(f->watches[1].wd >= 0, 1);
	count(f, 1, 2);
	turn(f);
	assert_int_equal(told[1], 2);
}

/* Many changes at once are read piece by piece. */
static void test_flood(void **state)
{
	struct fixture *f = *state;

	watch_both(f);
	for (unsigned int i = 1; i <= 1000; i++) {
		count(f, 0, i);
		count(f, 1, i);
	}
	for (int i = 0; i < 20; i++)
		turn(f);
	assert_int_equal(f->watches[0].kills, 1000);
	assert_int_equal(f->watches[1].kills, 1000);
	assert_true(told[0] >= 1 && told[1] >= 1);
}

/* The kernel has no room: kills are found at the end of the container all the same. */
static void test_no_inotify(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, none = { 0, 0 };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(oom_add(&f->oom, &f->watches[0], &f->groups[0]), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	count(f, 0, 1);
	oom_check(&f->oom, &f->watches[0]);
	assert_int_equal(told[0], 1);
	oom_remove(&f->oom, &f->watches[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told),       TEST(test_not_grown),	TEST(test_check),
		TEST(test_removed),    TEST(test_shared_group), TEST(test_no_controller),
		TEST(test_group_gone), TEST(test_flood),	TEST(test_no_inotify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
