/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/extract.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "tests/image/tar_text.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#define ROOT_ONLY()                                                                                \
	do {                                                                                       \
		if (geteuid() != 0) {                                                              \
			print_message("# skip: only root may\n");                                  \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

struct fixture {
	char path[64];
	int fd;
	struct buf tar;
	struct extract_opts opts;
	struct extract_result result;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/extract.XXXXXX" : "/tmp/extract.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY);
	f->opts = (struct extract_opts){ .root_fd = f->fd, .keep_ids = geteuid() == 0 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	if (pid == 0)
		execlp("rm", "rm", "-rf", f->path, (char *)NULL);
	waitpid(pid, NULL, 0);
	close(f->fd);
	buf_done(&f->tar);
	free(f);
	return 0;
}

struct source {
	const struct buf *tar;
	size_t at;
};

/* In odd pieces, so that nothing depends on where they end. */
static ssize_t pull(void *arg, const void **ret, struct err *err)
{
	struct source *s = arg;
	size_t n = s->tar->len - s->at;

	(void)err;
	n = n < 7777 ? n : 7777;
	*ret = s->tar->data + s->at;
	s->at += n;
	return (ssize_t)n;
}

static int extract(struct fixture *f)
{
	struct source s = { .tar = &f->tar };
	struct extract *x;
	int r;

	tar_end(&f->tar);
	assert_int_equal(extract_new(&f->opts, &x, &f->err), 0);
	r = extract_archive(x, pull, &s, &f->err);
	if (r == 0)
		r = extract_finish(x, &f->result, &f->err);
	extract_free(x);
	buf_reset(&f->tar);
	return r;
}

#define ADD(f, ...) tar_add(&(f)->tar, &(struct tar_member){ __VA_ARGS__ })
#define DIR_(f, n, ...) ADD(f, .name = n, .type = '5', .mode = 0755, ##__VA_ARGS__)

static struct stat stat_of(const struct fixture *f, const char *path)
{
	struct stat st = { 0 };

	if (fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, err_text(errno));
	return st;
}

static bool exists(const struct fixture *f, const char *path)
{
	struct stat st;

	return fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_whiteout(const struct fixture *f, const char *path)
{
	struct stat st = stat_of(f, path);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(const struct fixture *f, const char *path)
{
	autofd fd = fd_open(f->fd, path, O_RDONLY | O_DIRECTORY);
	char value[8];

	return fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

static void assert_content(const struct fixture *f, const char *path, const char *text)
{
	autofd fd = fd_open(f->fd, path, O_RDONLY | O_NOFOLLOW);
	char data[256] = "";

	assert_true(fd >= 0);
	assert_true(fd_read_full(fd, data, sizeof(data) - 1) >= 0);
	assert_string_equal(data, text);
}

static void put(const struct fixture *f, const char *path, const char *text)
{
	autofd fd = fd_create(f->fd, path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static void test_kinds(void **state)
{
	struct fixture *f = *state;
	char link[32] = "";

	ROOT_ONLY();
	DIR_(f, "./");
	DIR_(f, "./d/", .mtime = 5);
	ADD(f, .name = "./d/file", .data = "hello", .mode = 0640, .uid = 7, .gid = 8, .mtime = 11);
	ADD(f, .name = "/d/hard", .type = '1', .link = "./d/file");
	ADD(f, .name = "d//link", .type = '2', .link = "/not/there", .uid = 9, .mtime = 12);
	ADD(f, .name = "d/fifo", .type = '6', .mode = 0600);
	ADD(f, .name = "d/null", .type = '3', .mode = 0666, .major = 1, .minor = 3);
	ADD(f, .name = "d/loop", .type = '4', .mode = 0660, .major = 7, .minor = 1);
	assert_int_equal(extract(f), 0);
	assert_false(f->result.needs_lower);
	assert_false(f->result.replaced);
	assert_int_equal(f->result.entries, 8);
	assert_int_equal(f->result.bytes, 5);
	assert_content(f, "d/file", "hello");
	assert_int_equal(stat_of(f, "d/file").st_mode, S_IFREG | 0640);
	assert_int_equal(stat_of(f, "d/file").st_uid, 7);
	assert_int_equal(stat_of(f, "d/file").st_gid, 8);
	assert_int_equal(stat_of(f, "d/file").st_mtim.tv_sec, 11);
	assert_int_equal(stat_of(f, "d/file").st_nlink, 2);
	assert_int_equal(stat_of(f, "d/hard").st_ino, stat_of(f, "d/file").st_ino);
	assert_int_equal(stat_of(f, "d/link").st_uid, 9);
	assert_int_equal(stat_of(f, "d/link").st_mtim.tv_sec, 12);
	assert_int_equal(readlinkat(f->fd, "d/link", link, sizeof(link) - 1), 10);
	assert_string_equal(link, "/not/there");
	assert_int_equal(stat_of(f, "d/fifo").st_mode, S_IFIFO | 0600);
	assert_int_equal(stat_of(f, "d/null").st_rdev, makedev(1, 3));
	assert_int_equal(stat_of(f, "d/loop").st_mode, S_IFBLK | 0660);
	assert_int_equal(stat_of(f, "d").st_mtim.tv_sec, 5);
}

/* More directories than are kept open, visited again and again; through a link as well. */
static void test_directory_times(void **state)
{
	struct fixture *f = *state;
	char name[64];

	DIR_(f, "./", .mtime = 3);
	ADD(f, .name = "link", .type = '2', .link = "d1");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "d%d/", i);
		DIR_(f, name, .mtime = 100 + (unsigned)i);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 40; i++) {
			snprintf(name, sizeof(name), "d%d/file%d", i, round);
			ADD(f, .name = name);
			snprintf(name, sizeof(name), "link/file%d.%d", i, round);
			ADD(f, .name = name);
		}
	ADD(f, .name = "top");
	assert_int_equal(extract(f), 0);
	assert_true(exists(f, "d1/file39.2"));
	assert_int_equal(stat_of(f, ".").st_mtim.tv_sec, 3);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(stat_of(f, name).st_mtim.tv_sec, 100 + i);
	}
}

static void test_names_refused(void **state)
{
	static const char *const names[] = { "..",	"../x",	   "a/../x",   "/../x",
					     "a/..",	".wh.",	   ".wh..",    ".wh...",
					     "a/.wh..", ".wh.a/b", "a/../../b" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		DIR_(f, "a");
		ADD(f, .name = names[i]);
		assert_int_equal(extract(f), -EINVAL);
		assert_non_null(strstr(f->err.msg, names[i]));
	}
}

static void test_setuid_and_capabilities(void **state)
{
	static const char cap[20] = "\x01\x00\x00\x02\x00\x04";
	struct fixture *f = *state;
	char value[64];

	ROOT_ONLY();
	ADD(f, .name = "su", .data = "x", .mode = 04755, .uid = 5);
	tar_pax(&f->tar, "SCHILY.xattr.security.capability", cap, sizeof(cap));
	ADD(f, .name = "ping", .data = "x", .mode = 0755, .uid = 5);
	DIR_(f, "sg", .gid = 9);
	ADD(f, .name = "sgd", .type = '5', .mode = 02775, .gid = 9);
	ADD(f, .name = "sgd/file");
	ADD(f, .name = "sgd/dir", .type = '5', .mode = 0755);
	assert_int_equal(extract(f), 0);
	assert_int_equal(stat_of(f, "su").st_mode, S_IFREG | 04755);
	assert_int_equal(stat_of(f, "sgd/file").st_gid, 0);
	assert_int_equal(stat_of(f, "sgd/dir").st_gid, 0);
	assert_int_equal(stat_of(f, "sgd/dir").st_mode, S_IFDIR | 0755);
	fchdir(f->fd);
	assert_int_equal(getxattr("ping", "security.capability", value, sizeof(value)), 20);
	assert_memory_equal(value, cap, 20);
	chdir("/");
}

static void test_xattrs_dropped(void **state)
{
	static const char *const dropped[] = { "trusted.overlay.opaque",
					       "trusted.overlay.redirect",
					       "trusted.x",
					       "user.overlay.opaque",
					       "security.ima",
					       "security.selinux" };
	struct fixture *f = *state;
	char value[64];

	ROOT_ONLY();
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		char key[64];

		snprintf(key, sizeof(key), "SCHILY.xattr.%s", dropped[i]);
		tar_pax(&f->tar, key, "y", 1);
		DIR_(f, "d");
	}
	tar_pax(&f->tar, "SCHILY.xattr.user.kept", "a\0b", 3);
	ADD(f, .name = "file");
	assert_int_equal(extract(f), 0);
	fchdir(f->fd);
	assert_int_equal(listxattr("d", value, sizeof(value)), 0);
	assert_int_equal(getxattr("file", "user.kept", value, sizeof(value)), 3);
	assert_memory_equal(value, "a\0b", 3);
	chdir("/");
}

static void test_whiteouts(void **state)
{
	struct fixture *f = *state;

	ROOT_ONLY();
	DIR_(f, "a", .mtime = 77);
	ADD(f, .name = "a/.wh.gone");
	ADD(f, .name = "a/new", .data = "1");
	ADD(f, .name = "a/.wh.new");
	ADD(f, .name = "a/.wh.later");
	ADD(f, .name = "a/later", .data = "2");
	DIR_(f, "a/before");
	ADD(f, .name = "a/.wh.before");
	ADD(f, .name = "a/.wh.after");
	DIR_(f, "a/after");
	ADD(f, .name = ".wh..wh.plnk/1", .data = "x");
	ADD(f, .name = ".wh..wh.aufs");
	assert_int_equal(extract(f), 0);
	assert_true(is_whiteout(f, "a/gone"));
	assert_content(f, "a/new", "1");
	assert_content(f, "a/later", "2");
	assert_true(is_opaque(f, "a/before"));
	assert_true(is_opaque(f, "a/after"));
	assert_false(is_opaque(f, "a"));
	assert_false(exists(f, ".wh..wh.plnk"));
	assert_int_equal(stat_of(f, "a").st_mtim.tv_sec, 77);
	assert_true(f->result.replaced); /* the content of 1 was not written */
}

static void test_opaque(void **state)
{
	struct fixture *f = *state;

	ROOT_ONLY();
	DIR_(f, "a", .mtime = 77);
	ADD(f, .name = "a/.wh.x");
	DIR_(f, "a/b", .mtime = 78);
	ADD(f, .name = "a/b/.wh.y");
	ADD(f, .name = "a/kept", .data = "1");
	ADD(f, .name = "a/.wh..wh..opq");
	ADD(f, .name = "a/.wh.z");
	ADD(f, .name = ".wh.w");
	assert_int_equal(extract(f), 0);
	assert_true(is_opaque(f, "a"));
	assert_content(f, "a/kept", "1");
	assert_false(exists(f, "a/x"));
	assert_false(exists(f, "a/z"));
	assert_false(exists(f, "a/b/y"));
	assert_true(is_whiteout(f, "w"));
	assert_int_equal(stat_of(f, "a").st_mtim.tv_sec, 77);
	assert_int_equal(stat_of(f, "a/b").st_mtim.tv_sec, 78);
	assert_false(f->result.needs_lower);
}

static void test_opaque_root_needs_lower(void **state)
{
	struct fixture *f = *state;

	ADD(f, .name = ".wh..wh..opq");
	assert_int_equal(extract(f), 0);
	assert_true(f->result.needs_lower);
}

static void test_opaque_is_noted(void **state)
{
	struct fixture *f = *state;
	autofd memory = memfd_create("x", 0);
	char text[32];

	f->opts.opaque_fd = memory;
	DIR_(f, "a");
	DIR_(f, "a/b");
	ADD(f, .name = "a/.wh..wh..opq");
	ADD(f, .name = "a/.wh.b");
	assert_int_equal(extract(f), 0);
	assert_int_equal(pread(memory, text, sizeof(text), 0), 6);
	assert_memory_equal(text, "a\0a/b", 6);
}

static void test_replaced(void **state)
{
	struct fixture *f = *state;

	DIR_(f, "a");
	DIR_(f, "a/b");
	ADD(f, .name = "a/b/c", .data = "1");
	ADD(f, .name = "a", .data = "file");
	assert_int_equal(extract(f), 0);
	assert_content(f, "a", "file");
	assert_true(f->result.replaced);
	DIR_(f, "a");
	ADD(f, .name = "a/b", .data = "2");
	assert_int_equal(extract(f), 0);
	assert_content(f, "a/b", "2");
	ADD(f, .name = "a", .type = '5', .mode = 0700);
	assert_int_equal(extract(f), 0);
	assert_int_equal(stat_of(f, "a").st_mode, S_IFDIR | 0700);
	assert_content(f, "a/b", "2");
	assert_false(f->result.replaced);
}

static void test_links_are_not_followed(void **state)
{
	struct fixture *f = *state;

	ADD(f, .name = "target", .data = "old");
	ADD(f, .name = "link", .type = '2', .link = "target");
	ADD(f, .name = "hard", .type = '1', .link = "link");
	ADD(f, .name = "link", .data = "new");
	assert_int_equal(extract(f), 0);
	assert_content(f, "target", "old");
	assert_content(f, "link", "new");
	assert_true(S_ISLNK(stat_of(f, "hard").st_mode));
	assert_int_equal(stat_of(f, "target").st_nlink, 1);
}

static void test_through_links(void **state)
{
	struct fixture *f = *state;

	DIR_(f, "usr");
	DIR_(f, "usr/lib");
	ADD(f, .name = "lib", .type = '2', .link = "/usr/lib");
	ADD(f, .name = "up", .type = '2', .link = "../../../usr");
	ADD(f, .name = "lib/a", .data = "1");
	ADD(f, .name = "up/b", .data = "2");
	assert_int_equal(extract(f), 0);
	assert_content(f, "usr/lib/a", "1");
	assert_content(f, "usr/b", "2");
	assert_false(f->result.needs_lower);
}

/* The cache must not remember where a link led that is another one now. */
static void test_link_replaced(void **state)
{
	struct fixture *f = *state;

	DIR_(f, "one");
	DIR_(f, "two");
	ADD(f, .name = "link", .type = '2', .link = "one");
	ADD(f, .name = "link/a", .data = "1");
	ADD(f, .name = "link", .type = '2', .link = "two");
	ADD(f, .name = "link/b", .data = "2");
	assert_int_equal(extract(f), 0);
	assert_content(f, "one/a", "1");
	assert_content(f, "two/b", "2");
	assert_false(exists(f, "one/b"));
}

static void test_needs_lower(void **state)
{
	struct fixture *f = *state;

	ADD(f, .name = "a/b/c", .data = "1");
	assert_int_equal(extract(f), 0);
	assert_true(f->result.needs_lower);
	assert_false(f->result.broken_link);
	assert_int_equal(stat_of(f, "a/b").st_mode, S_IFDIR | 0755);
	assert_content(f, "a/b/c", "1");
	ADD(f, .name = "x", .type = '1', .link = "nowhere/file");
	assert_int_equal(extract(f), 0);
	assert_true(f->result.broken_link);
	assert_false(exists(f, "x"));
	ADD(f, .name = "dangling", .type = '2', .link = "lower/dir");
	ADD(f, .name = "dangling/x", .data = "1");
	assert_int_equal(extract(f), 0);
	assert_true(f->result.needs_lower);
}

static void test_merged(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "d", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "d/sub", 0700), 0);
	put(f, "d/old", "old");
	put(f, "d/sub/x", "x");
	put(f, "file", "lower");
	assert_int_equal(mkdirat(f->fd, "o", 0700), 0);
	put(f, "o/old", "old");
	f->opts.merged = true;
	for (int pass = 0; pass < 2; pass++) {
		f->opts.whiteouts_only = pass == 0;
		ADD(f, .name = "d/new", .data = "new");
		ADD(f, .name = "d/.wh.old");
		ADD(f, .name = "d/.wh.sub");
		ADD(f, .name = "o/fresh", .data = "1");
		ADD(f, .name = "o/.wh..wh..opq");
		ADD(f, .name = "o/.wh.fresh");
		ADD(f, .name = "hard", .type = '1', .link = "file");
		ADD(f, .name = "none/.wh.x");
		assert_int_equal(extract(f), 0);
	}
	assert_false(f->result.needs_lower);
	assert_false(exists(f, "d/old"));
	assert_false(exists(f, "d/sub"));
	assert_false(exists(f, "o/old"));
	assert_false(exists(f, "none"));
	assert_content(f, "o/fresh", "1");
	assert_content(f, "d/new", "new");
	assert_int_equal(stat_of(f, "d").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(f, "file").st_nlink, 2);
	ADD(f, .name = "x", .type = '1', .link = "nothing");
	assert_int_equal(extract(f), -EINVAL);
}

static void test_refused(void **state)
{
	static const struct tar_member members[] = {
		{ .name = "x", .type = '3' },
		{ .name = "x", .type = '1', .link = "d" },
		{ .name = "x", .type = '1', .link = "../x" },
		{ .name = "x", .type = '2', .link = "" },
		{ .name = "/", .data = "1" },
		{ .name = "file/x" },
		{ .name = "loop/x" },
	};
	struct fixture *f = *state;

	ROOT_ONLY();
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		DIR_(f, "d");
		ADD(f, .name = "file");
		ADD(f, .name = "loop", .type = '2', .link = "loop");
		tar_add(&f->tar, &members[i]);
		if (extract(f) != -EINVAL)
			fail_msg("%zu was taken", i);
	}
}

static void test_ids_refused(void **state)
{
	struct fixture *f = *state;

	tar_pax(&f->tar, "uid", "4294967295", 10);
	ADD(f, .name = "x");
	assert_int_equal(extract(f), -EINVAL);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;

	f->opts.max_entries = 3;
	ADD(f, .name = "a/b/c");
	assert_int_equal(extract(f), 0);
	ADD(f, .name = "d/e/f/g");
	assert_int_equal(extract(f), -EFBIG);
	f->opts.max_bytes = 4;
	ADD(f, .name = "four", .data = "1234");
	assert_int_equal(extract(f), 0);
	ADD(f, .name = "five", .data = "12345");
	assert_int_equal(extract(f), -EFBIG);
}

static void test_times(void **state)
{
	struct fixture *f = *state;

	tar_pax(&f->tar, "mtime", "-1.5", 4);
	ADD(f, .name = "a");
	tar_pax(&f->tar, "mtime", "7.123456789", 11);
	ADD(f, .name = "b");
	assert_int_equal(extract(f), 0);
	assert_int_equal(stat_of(f, "b").st_mtim.tv_sec, 7);
	assert_int_equal(stat_of(f, "b").st_mtim.tv_nsec, 123456789);
	assert_true(stat_of(f, "a").st_mtim.tv_sec < 0);
}

static void test_sparse(void **state)
{
	struct fixture *f = *state;
	autofd fd = -1;
	char end[5] = "";

	tar_add(&f->tar, &(struct tar_member){ .name = "pax",
					       .type = 'x',
					       .data = "26 GNU.sparse.numblocks=2\n"
						       "32 GNU.sparse.map=0,0,8388608,4\n"
						       "27 GNU.sparse.size=8388618\n" });
	ADD(f, .name = "sparse", .data = "data");
	if (extract(f) < 0)
		fail_msg("%s", f->err.msg);
	assert_int_equal(stat_of(f, "sparse").st_size, 8388618);
	assert_true(stat_of(f, "sparse").st_blocks < 64);
	fd = fd_open(f->fd, "sparse", O_RDONLY);
	assert_int_equal(pread(fd, end, 4, 8388608), 4);
	assert_string_equal(end, "data");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_kinds),
		T(test_directory_times),
		T(test_names_refused),
		T(test_setuid_and_capabilities),
		T(test_xattrs_dropped),
		T(test_whiteouts),
		T(test_opaque),
		T(test_opaque_root_needs_lower),
		T(test_opaque_is_noted),
		T(test_replaced),
		T(test_links_are_not_followed),
		T(test_through_links),
		T(test_link_replaced),
		T(test_needs_lower),
		T(test_merged),
		T(test_refused),
		T(test_ids_refused),
		T(test_limits),
		T(test_times),
		T(test_sparse),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
