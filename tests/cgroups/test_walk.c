/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over directories that are no groups: the order, any depth, few descriptors, an end in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/cg.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Deeper than any path can name. */
#define DEEP 3000

static char place[] = "/tmp/test_walk.XXXXXX";
static int top = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(place + strlen(place) - 6, "XXXXXX");
	if (!mkdtemp(place))
		return -1;
	top = fd_open(AT_FDCWD, place, O_RDONLY | O_DIRECTORY);
	return top < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(top);
	return tree_remove(AT_FDCWD, place);
}

static void make(const char *path)
{
	assert_int_equal(mkdirat(top, path, 0755), 0);
}

/* a/b/c, a/d, e and a file, which is nothing to walk over. */
static void make_some(void)
{
	autofd file = fd_create(top, "cgroup.procs", O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(file >= 0);
	make("a");
	make("a/b");
	make("a/b/c");
	make("a/d");
	make("e");
}

static void make_deep(void)
{
	int at = fcntl(top, F_DUPFD_CLOEXEC, 0);

	for (int i = 0; i < DEEP; i++) {
		int next;

		assert_int_equal(mkdirat(at, "deeper", 0755), 0);
		assert_int_equal(mkdirat(at, "beside", 0755), 0);
		next = fd_open(at, "deeper", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
}

/* Where in the text the path is, which must be there once. */
static const char *once(const char *text, const char *path)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "%s\n", path);
	at = strstr(text, line);
	assert_non_null(at);
	assert_null(strstr(at + 1, line));
	return at;
}

static void test_down(void **state)
{
	autowalk w = { .fd = -1 };
	autobuf seen = BUF_INIT;
	char path[64];
	struct stat st;
	int r, count = 0;

	(void)state;
	make_some();
	for (r = cg_walk_first(&w, top, CG_DOWN, NULL); r > 0; r = cg_walk_next(&w)) {
		assert_int_equal(cg_walk_path(&w, path, sizeof(path)), 0);
		buf_addf(&seen, "<%s>\n", path);
		/* fd is the one of which the path is told. */
		if (strcmp(path, "/a/b") == 0)
			assert_int_equal(fstatat(w.fd, "c", &st, 0), 0);
		count++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(cg_walk_next(&w), 0);
	assert_int_equal(count, 6);
	assert_ptr_equal(once(buf_str(&seen), "<>"), buf_str(&seen));
	assert_true(once(buf_str(&seen), "</a>") < once(buf_str(&seen), "</a/b>"));
	assert_true(once(buf_str(&seen), "</a/b>") < once(buf_str(&seen), "</a/b/c>"));
	assert_true(once(buf_str(&seen), "</a>") < once(buf_str(&seen), "</a/d>"));
	once(buf_str(&seen), "</e>");
}

static void test_up(void **state)
{
	autowalk w = { .fd = -1 };
	int r, count = 0;

	(void)state;
	make_some();
	for (r = cg_walk_first(&w, top, CG_UP, NULL); r > 0; r = cg_walk_next(&w)) {
		/* Nothing is left in it by now. */
		assert_int_equal(unlinkat(w.fd, w.name, AT_REMOVEDIR), 0);
		count++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(count, 5);
	assert_int_equal(unlinkat(top, "cgroup.procs", 0), 0);
	assert_int_equal(rmdir(place), 0);
	assert_int_equal(mkdir(place, 0755), 0);
}

/* The walk's own descriptors are counted by what is left to it. */
static void test_deep(void **state)
{
	autowalk w = { .fd = -1 }, up = { .fd = -1 };
	struct rlimit limit, few;
	char path[32];
	int r, count = 0, removed = 0, too_long = 0;

	(void)state;
	make_deep();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)dup(top) + 3;
	close((int)few.rlim_cur - 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (r = cg_walk_first(&w, top, CG_DOWN, NULL); r > 0; r = cg_walk_next(&w), count++)
		too_long += cg_walk_path(&w, path, sizeof(path)) == -ENAMETOOLONG;
	if (r == 0) {
		cg_walk_done(&w);
		w = (struct cg_walk){ .fd = -1 };
		for (r = cg_walk_first(&up, top, CG_UP, NULL); r > 0; r = cg_walk_next(&up))
			removed += unlinkat(up.fd, up.name, AT_REMOVEDIR) == 0;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(r, 0);
	assert_int_equal(count, 1 + 2 * DEEP);
	assert_int_equal(removed, 2 * DEEP);
	/* "/deeper/deeper/deeper/deeper" fits. */
	assert_int_equal(too_long, count - 1 - 2 * 4);
}

/* What goes away while the walk is on its way, also from under its feet, is no error. */
static void test_gone_meanwhile(void **state)
{
	autowalk w = { .fd = -1 };
	char path[64];
	int r, after = 0;

	(void)state;
	make_some();
	for (r = cg_walk_first(&w, top, CG_DOWN, NULL); r > 0; r = cg_walk_next(&w)) {
		assert_int_equal(cg_walk_path(&w, path, sizeof(path)), 0);
		if (strcmp(path, "/a/b") == 0) {
			assert_int_equal(unlinkat(top, "a/b/c", AT_REMOVEDIR), 0);
			assert_int_equal(unlinkat(top, "a/b", AT_REMOVEDIR), 0);
			unlinkat(top, "a/d", AT_REMOVEDIR);
			unlinkat(top, "a", AT_REMOVEDIR);
		}
		after += strcmp(path, "/a/b/c") == 0;
	}
	assert_int_equal(r, 0);
	assert_int_equal(after, 0);
}

static void test_in_time(void **state)
{
	struct deadline past = { 1 }, later = deadline_in(1000000);
	autowalk w = { .fd = -1 }, up = { .fd = -1 }, fine = { .fd = -1 };

	(void)state;
	make_some();
	assert_int_equal(cg_walk_first(&w, top, CG_DOWN, &past), 1);
	assert_int_equal(cg_walk_next(&w), -ETIMEDOUT);
	assert_int_equal(cg_walk_first(&up, top, CG_UP, &past), -ETIMEDOUT);
	assert_int_equal(cg_walk_first(&fine, top, CG_UP, &later), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_time, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
