/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/unpack.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/hash.h"
#include "tests/image/tar_text.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

struct fixture {
	char path[64];
	int fd, tar_fd;
	struct buf tar;
	struct unpack_opts opts;
	struct unpack_result result;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/unpack.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY);
	f->tar_fd = memfd_create("tar", 0);
	f->opts.extract.root_fd = f->fd;
	f->opts.extract.keep_ids = geteuid() == 0;
	f->opts.stream.fd = f->tar_fd;
	f->opts.stream.split_fd = -1;
	f->opts.stream.max_bytes = 1 << 20;
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
	close(f->tar_fd);
	buf_done(&f->tar);
	free(f);
	return 0;
}

static void write_tar(struct fixture *f)
{
	tar_end(&f->tar);
	assert_int_equal(fd_write_full(f->tar_fd, f->tar.data, f->tar.len), 0);
	f->opts.stream.size = f->tar.len;
}

static int unpack(struct fixture *f)
{
	struct unpack u;
	int r;

	r = unpack_start(&f->opts, &u, &f->err);
	assert_int_equal(r, 0);
	r = unpack_wait(&u, &f->result, &f->err);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
	return r;
}

static void add_file(struct fixture *f, const char *name, const char *text)
{
	tar_add(&f->tar, &(struct tar_member){ .name = name, .data = text });
}

static void test_success(void **state)
{
	struct fixture *f = *state;
	static char digest[DIGEST_SIZE];

	add_file(f, "a", "hello");
	write_tar(f);
	hash_bytes(f->tar.data, f->tar.len, digest);
	f->opts.stream.diff_id = f->opts.stream.digest = digest;
	for (int threads = 0; threads < 2; threads++) {
		f->opts.stream.threads = threads;
		if (unpack(f) < 0)
			fail_msg("%s", f->err.msg);
		assert_string_equal(f->result.stream.diff_id, digest);
		assert_int_equal(f->result.stream.bytes, f->tar.len);
		assert_int_equal(f->result.extract.entries, 1);
		assert_int_equal(faccessat(f->fd, "a", F_OK, 0), 0);
		assert_int_equal(unlinkat(f->fd, "a", 0), 0);
	}
}

static void test_wrong_digest(void **state)
{
	struct fixture *f = *state;
	static char digest[DIGEST_SIZE];

	add_file(f, "a", "hello");
	write_tar(f);
	hash_bytes("other", 5, digest);
	f->opts.stream.diff_id = digest;
	assert_int_equal(unpack(f), -EBADMSG);
	assert_non_null(strstr(f->err.msg, digest));
}

static void test_hostile(void **state)
{
	struct fixture *f = *state;

	add_file(f, "../x", "hello");
	write_tar(f);
	assert_int_equal(unpack(f), -EINVAL);
	assert_non_null(strstr(f->err.msg, "../x"));
}

/* Whoever set it: the child has no CAP_SYS_ADMIN, which the attribute takes. */
static void test_opaque(void **state)
{
	struct fixture *f = *state;
	autofd fd = -1;
	char value[8];

	if (geteuid() != 0) {
		print_message("# skip: only root may set the attribute\n");
		skip();
	}
	tar_add(&f->tar, &(struct tar_member){ .name = "d", .type = '5', .mode = 0755 });
	add_file(f, "d/.wh..wh..opq", "");
	tar_add(&f->tar, &(struct tar_member){ .name = "gone", .type = '5', .mode = 0755 });
	add_file(f, "gone/.wh..wh..opq", "");
	add_file(f, "gone", "a file");
	write_tar(f);
	if (unpack(f) < 0)
		fail_msg("%s", f->err.msg);
	fd = fd_open(f->fd, "d", O_RDONLY);
	assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), 1);
	assert_true(f->result.extract.replaced);
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct unpack u;

	add_file(f, "a", "hello");
	write_tar(f);
	assert_int_equal(unpack_start(&f->opts, &u, &f->err), 0);
	kill(u.pid, SIGSTOP);
	kill(u.pid, SIGKILL);
	/* it may have been done before */
	if (unpack_wait(&u, &f->result, &f->err) < 0)
		assert_non_null(strstr(f->err.msg, "killed by signal 9"));
	assert_int_equal(unpack_start(&f->opts, &u, &f->err), 0);
	unpack_kill(&u);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	unpack_kill(&u);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_nothing_leaks(void **state)
{
	struct fixture *f = *state;
	int before = count_fds();

	add_file(f, "a", "hello");
	write_tar(f);
	for (int i = 0; i < 5; i++)
		unpack(f);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_success), T(test_wrong_digest), T(test_hostile),
		T(test_opaque),	 T(test_killed),       T(test_nothing_leaks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
