/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char dir_path[] = "/tmp/test_file.XXXXXX";
static int dir = -1;

static int set_up(void **state)
{
	(void)state;
	umask(022);
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(dir);
	return rmdir(dir_path);
}

static void put(const char *name, const char *text)
{
	autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static void drop(const char *name)
{
	assert_int_equal(unlinkat(dir, name, 0), 0);
}

static void expect(const char *name, const char *text)
{
	autoarena a = ARENA_INIT;
	struct err err;
	char *data;
	size_t len;

	if (file_read(dir, name, 1 << 20, &a, &data, &len, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(len, strlen(text));
	assert_string_equal(data, text);
}

static void reading(void **state)
{
	autoarena a = ARENA_INIT;
	struct err err;
	char *data;
	size_t len;

	(void)state;
	put("f", "12345");
	expect("f", "12345");
	/* Without wanting the length, and of exactly the most bytes allowed. */
	assert_int_equal(file_read(dir, "f", 5, &a, &data, NULL, &err), 0);
	assert_string_equal(data, "12345");
	put("f", "");
	expect("f", "");
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 1 << 16, &a, &data, &len, &err),
			 0);
	assert_true(len > 100 && strlen(data) == len);
	drop("f");
}

static void sizes_around_a_chunk(void **state)
{
	static const size_t sizes[] = { 4094, 4095, 4096, 4097, 8192, 70000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		autofree char *text = malloc(sizes[i] + 1);

		memset(text, 'x', sizes[i]);
		text[sizes[i]] = '\0';
		put("f", text);
		expect("f", text);
	}
	drop("f");
}

static void too_large(void **state)
{
	static const size_t max[] = { 0, 1, 4999, 4096, 4095 };
	autofree char *text = malloc(5001);
	autoarena a = ARENA_INIT;
	char *data = NULL;
	struct err err;

	(void)state;
	memset(text, 'x', 5000);
	text[5000] = '\0';
	put("f", text);
	for (size_t i = 0; i < ARRAY_SIZE(max); i++) {
		char message[64];

		assert_int_equal(file_read(dir, "f", max[i], &a, &data, NULL, &err), -EFBIG);
		snprintf(message, sizeof(message), "read f: larger than %zu bytes", max[i]);
		assert_string_equal(err.msg, message);
	}
	/* A file that says it is empty. */
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 10, &a, &data, NULL, &err),
			 -EFBIG);
	/* One without an end. */
	assert_int_equal(file_read(AT_FDCWD, "/dev/zero", 10, &a, &data, NULL, &err), -EINVAL);
	assert_null(data);
	drop("f");
}

static void not_files(void **state)
{
	autoarena a = ARENA_INIT;
	char *data = NULL;
	struct err err;

	(void)state;
	assert_int_equal(file_read(dir, "none", 10, &a, &data, NULL, &err), -ENOENT);
	assert_string_equal(err.msg, "open none: No such file or directory");
	assert_int_equal(file_read(dir, ".", 10, &a, &data, NULL, &err), -EISDIR);
	assert_string_equal(err.msg, "read .: Is a directory");
	/* Nobody ever writes to it: blocking would hang here. */
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	alarm(10);
	assert_int_equal(file_read(dir, "fifo", 10, &a, &data, NULL, &err), -EINVAL);
	alarm(0);
	assert_string_equal(err.msg, "read fifo: not a regular file");
	assert_null(data);
	drop("fifo");
}

static void reading_an_open_one(void **state)
{
	autoarena a = ARENA_INIT;
	struct err err;
	char *data;
	size_t len;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "a\0b", 3), 3);
	close(p[1]);
	assert_int_equal(file_read_fd(p[0], "pipe", 10, &a, &data, &len, &err), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(data, "a\0b", 4);
	assert_true(fcntl(p[0], F_GETFD) >= 0);
	close(p[0]);
	assert_int_equal(file_read_fd(-1, "gone", 10, &a, &data, &len, &err), -EBADF);
	assert_string_equal(err.msg, "read gone: Bad file descriptor");
}

static void peeking(void **state)
{
	char text[6];

	(void)state;
	put("f", "abc\n");
	assert_int_equal(file_peek(dir, "f", text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	put("f", "a\n\n");
	assert_int_equal(file_peek(dir, "f", text, sizeof(text)), 2);
	assert_string_equal(text, "a\n");
	put("f", "\n");
	assert_int_equal(file_peek(dir, "f", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	put("f", "");
	assert_int_equal(file_peek(dir, "f", text, sizeof(text)), 0);
	put("f", "abcdefgh\n");
	assert_int_equal(file_peek(dir, "f", text, sizeof(text)), 5);
	assert_string_equal(text, "abcde");
	assert_int_equal(file_peek(dir, "none", text, sizeof(text)), -ENOENT);
	assert_int_equal(file_peek(dir, ".", text, sizeof(text)), -EISDIR);
	drop("f");
}

/* The kernel hands it out in pieces of a page or less. */
static void long_pseudo_files(void **state)
{
	autoarena a = ARENA_INIT;
	char text[3 * 4096 + 1], *data;
	struct err err;
	size_t len;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/smaps", 1 << 20, &a, &data, &len, &err),
			 0);
	assert_true(len >= sizeof(text));
	assert_int_equal(file_peek(AT_FDCWD, "/proc/self/smaps", text, sizeof(text)),
			 sizeof(text) - 1);
}

static void poking(void **state)
{
	(void)state;
	put("f", "12345");
	assert_int_equal(file_poke(dir, "f", "ab"), 0);
	/* As with a pseudo file: written at the start, nothing cut. */
	expect("f", "ab345");
	assert_int_equal(file_poke(dir, "none", "x"), -ENOENT);
	assert_int_equal(faccessat(dir, "none", F_OK, 0), -1);
	assert_int_equal(file_poke(AT_FDCWD, "/proc/self/oom_score_adj", "x"), -EINVAL);
	drop("f");
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

static void replacing(void **state)
{
	char longest[NAME_MAX + 1], path[64];
	struct err err;

	(void)state;
	assert_int_equal(file_replace(dir, "f", "one", 3, 0600, &err), 0);
	expect("f", "one");
	assert_int_equal(mode_of("f"), S_IFREG | 0600);
	assert_int_equal(file_replace(dir, "f", "two!", 4, 0644, &err), 0);
	expect("f", "two!");
	assert_int_equal(mode_of("f"), S_IFREG | 0644);
	assert_int_equal(file_replace(dir, "f", "", 0, 0600, &err), 0);
	expect("f", "");
	assert_int_equal(faccessat(dir, ".f.tmp", F_OK, 0), -1);
	/* The link is replaced, not what it points to. */
	snprintf(path, sizeof(path), "%s/f", dir_path);
	assert_int_equal(symlinkat(path, dir, "link"), 0);
	assert_int_equal(file_replace(dir, "link", "new", 3, 0600, &err), 0);
	expect("f", "");
	assert_int_equal(mode_of("link"), S_IFREG | 0600);
	memset(longest, 'x', NAME_MAX);
	longest[NAME_MAX] = '\0';
	assert_int_equal(file_replace(dir, longest, "x", 1, 0600, &err), -ENAMETOOLONG);
	assert_int_equal(file_replace(-1, "x", "x", 1, 0600, &err), -EBADF);
	assert_string_equal(err.msg, "create x: Bad file descriptor");
	drop("f");
	drop("link");
}

static void remains_are_in_nobodys_way(void **state)
{
	char path[64];
	struct err err;

	(void)state;
	/* Of a writer that was killed. */
	put(".f.tmp", "a longer text than the new one");
	assert_int_equal(fchmodat(dir, ".f.tmp", 0666, 0), 0);
	assert_int_equal(file_replace(dir, "f", "new", 3, 0600, &err), 0);
	expect("f", "new");
	assert_int_equal(mode_of("f"), S_IFREG | 0600);
	/* Put there to block us, or to have us write elsewhere. */
	assert_int_equal(mkfifoat(dir, ".f.tmp", 0600), 0);
	alarm(10);
	assert_int_equal(file_replace(dir, "f", "newer", 5, 0600, &err), 0);
	alarm(0);
	expect("f", "newer");
	put("victim", "untouched");
	snprintf(path, sizeof(path), "%s/victim", dir_path);
	assert_int_equal(symlinkat(path, dir, ".f.tmp"), 0);
	assert_int_equal(file_replace(dir, "f", "sym", 3, 0600, &err), 0);
	assert_int_equal(linkat(dir, "victim", dir, ".f.tmp", 0), 0);
	assert_int_equal(file_replace(dir, "f", "hard", 4, 0600, &err), 0);
	expect("f", "hard");
	expect("victim", "untouched");
	drop("victim");
	drop("f");
}

static void failed_writes_keep_the_old(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	put("f", "old");
	assert_int_equal(mkdirat(dir, "d", 0700), 0);
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = { 4, 4 };
		struct err err;

		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
			_exit(1);
		/* As a full disk: part of it could be written. */
		if (file_replace(dir, "f", "much more", 9, 0600, &err) != -EFBIG)
			_exit(2);
		if (file_replace(dir, "d", "x", 1, 0600, &err) != -EISDIR)
			_exit(3);
		_exit(strcmp(err.msg, "rename d: Is a directory") ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect("f", "old");
	assert_int_equal(faccessat(dir, ".f.tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, ".d.tmp", F_OK, 0), -1);
	assert_int_equal(unlinkat(dir, "d", AT_REMOVEDIR), 0);
	drop("f");
}

/* A reader sees one text or the other, whole, while they are exchanged. */
static void readers_see_whole_files(void **state)
{
	static char text[2][20000];
	int status;
	pid_t pid;

	(void)state;
	memset(text[0], 'a', sizeof(text[0]));
	memset(text[1], 'b', sizeof(text[1]) / 2);
	put("f", "");
	assert_int_equal(file_replace(dir, "f", text[0], sizeof(text[0]), 0600, &(struct err){ 0 }),
			 0);
	pid = fork();
	if (pid == 0)
		for (int i = 0;; i ^= 1) {
			size_t len = i ? sizeof(text[1]) / 2 : sizeof(text[0]);

			if (file_replace(dir, "f", text[i], len, 0600, &(struct err){ 0 }) < 0)
				_exit(1);
		}
	for (int i = 0; i < 500; i++) {
		autoarena a = ARENA_INIT;
		struct err err;
		char *data;
		size_t len;

		assert_int_equal(file_read(dir, "f", 1 << 20, &a, &data, &len, &err), 0);
		assert_int_equal(len, data[0] == 'a' ? sizeof(text[0]) : sizeof(text[1]) / 2);
		assert_memory_equal(data, text[data[0] != 'a'], len);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	unlinkat(dir, ".f.tmp", 0);
	drop("f");
}

static void cleaning_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "dev", "/dev" },	 { "//dev/", "/dev" }, { "/./dev", "/dev" },
		{ "/x/../dev", "/dev" }, { "/x/..", "/" },     { "/../../a/.b", "/a/.b" },
		{ "/long/../a", "/a" },	 { "", "/" },	       { "/a//b/..c/.", "/a/b/..c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;

		assert_string_equal(file_clean_path(cases[i][0], &a), cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(cleaning_paths),
		cmocka_unit_test(sizes_around_a_chunk),
		cmocka_unit_test(too_large),
		cmocka_unit_test(not_files),
		cmocka_unit_test(reading_an_open_one),
		cmocka_unit_test(peeking),
		cmocka_unit_test(long_pseudo_files),
		cmocka_unit_test(poking),
		cmocka_unit_test(replacing),
		cmocka_unit_test(remains_are_in_nobodys_way),
		cmocka_unit_test(failed_writes_keep_the_old),
		cmocka_unit_test(readers_see_whole_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
