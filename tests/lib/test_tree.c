/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define DEEP 3000

static char place[] = "/tmp/test_tree.XXXXXX";
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

static void make_file(int dir, const char *name, const char *text)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

/* Deeper than any path can name. */
static void make_deep(int dir)
{
	int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

	for (int i = 0; i < DEEP; i++) {
		int next;

		assert_int_equal(mkdirat(at, "deeper", 0755), 0);
		next = fd_open(at, "deeper", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		if (i % 100 == 0)
			make_file(next, "file", "x");
		close(at);
		at = next;
	}
	close(at);
}

static bool is_there(const char *path)
{
	return faccessat(top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_remove(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(top, "t", 0755), 0);
	assert_int_equal(mkdirat(top, "kept", 0755), 0);
	make_file(top, "kept/file", "x");
	assert_int_equal(mkdirat(top, "t/a", 0), 0);
	make_file(top, "t/file", "x");
	assert_int_equal(symlinkat("../kept", top, "t/link"), 0);
	assert_int_equal(mknodat(top, "t/fifo", S_IFIFO | 0600, 0), 0);
	for (int i = 0; i < 500; i++) {
		char name[64];

		snprintf(name, sizeof(name), "t/a/a-file-with-a-longer-name-%d", i);
		make_file(top, name, "");
	}
	assert_int_equal(tree_remove(top, "t"), 0);
	assert_false(is_there("t"));
	assert_true(is_there("kept/file"));
	assert_int_equal(tree_remove(top, "t"), 0);
	assert_int_equal(tree_remove(top, "kept/file"), 0);
	assert_false(is_there("kept/file"));
}

static void test_remove_deep(void **state)
{
	autofd t = -1;

	(void)state;
	assert_int_equal(mkdirat(top, "t", 0755), 0);
	t = fd_open(top, "t", O_RDONLY | O_DIRECTORY);
	make_deep(t);
	make_file(t, ".deep-0", "a name that the removal wants itself");
	assert_int_equal(tree_remove(top, "t"), 0);
	assert_false(is_there("t"));
}

static void test_usage(void **state)
{
	uint64_t bytes = 0, more = 0;
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(mkdirat(top, "u", 0755), 0);
	assert_int_equal(tree_usage(top, "u", &bytes), 0);
	assert_int_equal(mkdirat(top, "u/d", 0755), 0);
	make_file(top, "u/d/file", text);
	assert_int_equal(tree_usage(top, "u", &more), 0);
	assert_true(more >= bytes + sizeof(text));
	assert_int_equal(tree_usage(top, "none", &bytes), -ENOENT);
}

static void test_copy(void **state)
{
	autofd from = -1, to = -1;
	struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
	struct stat a, b;
	char text[8] = "";

	(void)state;
	assert_int_equal(mkdirat(top, "from", 0711), 0);
	assert_int_equal(mkdirat(top, "to", 0700), 0);
	assert_int_equal(mkdirat(top, "from/d", 01777), 0);
	assert_int_equal(fchmodat(top, "from/d", 01777, 0), 0);
	make_file(top, "from/d/file", "text");
	assert_int_equal(fchmodat(top, "from/d/file", 04751, 0), 0);
	assert_int_equal(linkat(top, "from/d/file", top, "from/hard", 0), 0);
	assert_int_equal(symlinkat("/nowhere", top, "from/soft"), 0);
	assert_int_equal(mknodat(top, "from/fifo", S_IFIFO | 0622, 0), 0);
	assert_int_equal(utimensat(top, "from/d/file", times, 0), 0);
	assert_int_equal(utimensat(top, "from/d", times, 0), 0);
	from = fd_open(top, "from", O_RDONLY | O_DIRECTORY);
	to = fd_open(top, "to", O_RDONLY | O_DIRECTORY);
	assert_int_equal(tree_copy(from, to, NULL), 0);
	assert_int_equal(fstat(to, &a), 0);
	assert_int_equal(a.st_mode & 07777, 0711);
	assert_int_equal(fstatat(to, "d", &a, 0), 0);
	assert_int_equal(a.st_mode & 07777, 01777);
	assert_int_equal(a.st_mtim.tv_sec, 2000);
	assert_int_equal(fstatat(to, "d/file", &a, 0), 0);
	assert_int_equal(a.st_mode & 07777, 04751);
	assert_int_equal(a.st_mtim.tv_nsec, 2);
	assert_int_equal(fstatat(to, "hard", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(readlinkat(to, "soft", text, sizeof(text)), 8);
	assert_memory_equal(text, "/nowhere", 8);
	assert_int_equal(fstatat(to, "fifo", &a, 0), 0);
	assert_true(S_ISFIFO(a.st_mode));
	/* Into what is not empty it must not go. */
	assert_int_equal(tree_copy(from, to, NULL), -EEXIST);
}

static void test_copy_interrupted(void **state)
{
	autofd from = -1, to = -1;
	volatile int interrupted = 0;

	(void)state;
	assert_int_equal(mkdirat(top, "from", 0755), 0);
	assert_int_equal(mkdirat(top, "to", 0755), 0);
	make_file(top, "from/file", "text");
	from = fd_open(top, "from", O_RDONLY | O_DIRECTORY);
	to = fd_open(top, "to", O_RDONLY | O_DIRECTORY);
	interrupted = 15;
	assert_int_equal(tree_copy(from, to, &interrupted), -EINTR);
	assert_false(is_there("to/file"));
	interrupted = 0;
	assert_int_equal(tree_copy(from, to, &interrupted), 0);
	assert_true(is_there("to/file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remove_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_usage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_copy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_copy_interrupted, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
