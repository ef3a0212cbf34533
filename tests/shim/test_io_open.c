/* SPDX-License-Identifier: Apache-2.0 */
/* Opening standard streams: as in the server, it is done by a forked worker, whose descriptors are
 * looked at from here. */
#include "cmd/containerd-shim-tote-v2/io_private.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char dir[] = "/tmp/tote-io-XXXXXX";

/* What the worker found, shared with it. */
struct found {
	volatile int done;
	int result;
	struct err err;
	struct io_fds fds;
	pid_t logger;
	int open; /* descriptors more than before */
};

static struct found *found;
static pid_t worker;
static int worker_fd;
static bool without_standard; /* the worker has no descriptors 0 to 2 */
static const struct io_owner root = { 0, 0 };

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return found != MAP_FAILED && mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int begin(void **state)
{
	(void)state;
	worker = 0;
	worker_fd = -1;
	without_standard = false;
	memset(found, 0, sizeof(*found));
	io_limits = (struct io_limits){ 30000, 10000 };
	return mkfifo(in_dir("in"), 0600) | mkfifo(in_dir("out"), 0600) |
	       mkfifo(in_dir("err"), 0600);
}

static void end_worker(void)
{
	if (!worker)
		return;
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
	close(worker_fd);
	worker = 0;
}

static int end(void **state)
{
	(void)state;
	end_worker();
	/* Loggers that were given up are our children, too, and must have been killed. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	return unlink(in_dir("in")) | unlink(in_dir("out")) | unlink(in_dir("err"));
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Runs it in a worker that stays. */
static void begin_open(const struct io_paths *paths, const struct io_owner *owner)
{
	worker = fork();
	assert_true(worker >= 0);
	if (worker) {
		worker_fd = (int)syscall(SYS_pidfd_open, worker, 0);
		assert_true(worker_fd >= 0);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3 && without_standard; i++)
		close(i);
	found->open = -count_fds();
	found->fds = (struct io_fds)IO_FDS_NONE;
	found->result =
		io_open(paths, owner, "box", "shop", &found->fds, &found->logger, &found->err);
	found->open += count_fds();
	found->done = 1;
	for (;;)
		pause();
}

static bool is_done(int ms)
{
	struct deadline until = deadline_in(ms);

	while (!found->done && !deadline_passed(&until))
		usleep(1000);
	return found->done;
}

static void do_open(const struct io_paths *paths, const struct io_owner *owner)
{
	begin_open(paths, owner);
	assert_true(is_done(20000));
}

static void expect_ok(void)
{
	if (found->result)
		print_error("%s\n", found->err.msg);
	assert_int_equal(found->result, 0);
}

static void expect_error(int code, const char *words)
{
	assert_int_equal(found->result, code);
	assert_int_equal(found->err.code, code);
	if (!strstr(found->err.msg, words))
		print_error("%s\n", found->err.msg);
	assert_non_null(strstr(found->err.msg, words));
	assert_int_equal(found->open, 0);
}

/* One of the worker's descriptors, as our own. */
static int fetch(int fd)
{
	int r = (int)syscall(SYS_pidfd_getfd, worker_fd, fd, 0);

	assert_true(r >= 0);
	return r;
}

static void expect_path(int fd, const char *path)
{
	char link[64], target[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", worker, fd);
	n = readlink(link, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_string_equal(target, path);
}

static void expect_flags(int fd, int flags, bool blocking, bool kept)
{
	char path[64], text[256] = "";
	unsigned int value;
	int info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", worker, fd);
	info = fd_open(AT_FDCWD, path, O_RDONLY);
	assert_true(info >= 0);
	assert_true(fd_read_full(info, text, sizeof(text) - 1) > 0);
	close(info);
	value = (unsigned int)strtoul(strstr(text, "flags:") + 6, NULL, 8);
	assert_int_equal(value & O_ACCMODE, flags & O_ACCMODE);
	assert_int_equal(value & O_APPEND, flags & O_APPEND);
	assert_int_equal(value & O_NONBLOCK, blocking ? 0 : O_NONBLOCK);
	assert_int_equal(value & O_CLOEXEC, kept ? 0 : O_CLOEXEC);
}

static void nothing(void **state)
{
	(void)state;
	do_open(&(struct io_paths){ .in = "", .out = NULL, .err = "" }, &root);
	expect_ok();
	for (int i = 0; i < 3; i++)
		expect_path(i, "/dev/null");
	for (size_t i = 0; i < IO_FDS; i++)
		assert_int_equal(((int *)&found->fds)[i], -1);
	assert_int_equal(found->open, 0);
	assert_int_equal(found->logger, 0);
}

static void three_fifos(void **state)
{
	int out, err, in;
	struct io_owner owner = { 1000, 1001 };
	struct stat st;
	char c;

	(void)state;
	out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY | O_NONBLOCK);
	err = fd_open(AT_FDCWD, in_dir("err"), O_RDONLY | O_NONBLOCK);
	do_open(&(struct io_paths){ in_dir("in"), in_dir("out"), in_dir("err") }, &owner);
	expect_ok();
	in = fd_open(AT_FDCWD, in_dir("in"), O_WRONLY | O_NONBLOCK);
	assert_true(out >= 0 && err >= 0 && in >= 0);
	expect_path(found->fds.in_from, in_dir("in"));
	expect_path(found->fds.in_keep, in_dir("in"));
	expect_path(found->fds.out_to, in_dir("out"));
	expect_path(found->fds.out_keep, in_dir("out"));
	expect_path(found->fds.err_to, in_dir("err"));
	expect_path(found->fds.err_keep, in_dir("err"));
	assert_int_equal(found->fds.terminal, -1);
	expect_flags(found->fds.in_from, O_RDONLY, false, false);
	expect_flags(found->fds.in_keep, O_WRONLY, false, false);
	expect_flags(found->fds.in_to, O_WRONLY, false, false);
	expect_flags(found->fds.out_from, O_RDONLY, false, false);
	expect_flags(found->fds.out_to, O_WRONLY, false, false);
	expect_flags(found->fds.out_keep, O_RDONLY, false, false);
	for (int i = 0; i < 3; i++) {
		int fd = fetch(i);

		expect_flags(i, i ? O_WRONLY : O_RDONLY, true, true);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(S_ISFIFO(st.st_mode));
		assert_int_equal(st.st_uid, 1000);
		assert_int_equal(st.st_gid, 1001);
		close(fd);
	}
	assert_int_equal(found->open, 9);

	/* And they are joined the right way round. */
	for (int i = 0; i < 3; i++) {
		int from = fetch(i == 0 ? 0 : i == 1 ? found->fds.out_from : found->fds.err_from);
		int to = fetch(i == 0 ? found->fds.in_to : i);

		assert_int_equal(write(to, &"abc"[i], 1), 1);
		assert_int_equal(read(from, &c, 1), 1);
		assert_int_equal(c, "abc"[i]);
		close(from);
		close(to);
	}
	close(out);
	close(err);
	close(in);
}

static void only_output(void **state)
{
	int out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY | O_NONBLOCK);

	(void)state;
	do_open(&(struct io_paths){ .out = in_dir("out") }, &root);
	expect_ok();
	expect_path(0, "/dev/null");
	expect_path(2, "/dev/null");
	assert_int_equal(found->fds.in_to, -1);
	assert_int_equal(found->fds.err_from, -1);
	assert_int_equal(found->open, 3);
	close(out);
}

/* The library makes it later. */
static void with_a_terminal(void **state)
{
	int out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY | O_NONBLOCK);

	(void)state;
	do_open(&(struct io_paths){ in_dir("in"), in_dir("out"), in_dir("err"), true }, &root);
	expect_ok();
	for (int i = 0; i < 3; i++)
		expect_path(i, "/dev/null");
	expect_path(found->fds.in_from, in_dir("in"));
	expect_path(found->fds.out_to, in_dir("out"));
	assert_int_equal(found->fds.in_to, -1);
	assert_int_equal(found->fds.out_from, -1);
	assert_int_equal(found->fds.err_to, -1);
	assert_int_equal(found->open, 4);
	close(out);
}

static void closed_standard_streams(void **state)
{
	int out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY | O_NONBLOCK);

	(void)state;
	without_standard = true;
	do_open(&(struct io_paths){ .in = in_dir("in"), .out = in_dir("out") }, &root);
	expect_ok();
	assert_true(found->fds.in_from > 2 && found->fds.out_to > 2 && found->fds.in_to > 2);
	expect_flags(0, O_RDONLY, true, true);
	expect_flags(1, O_WRONLY, true, true);
	expect_path(2, "/dev/null");
	close(out);
}

/* A reader that comes later, and blocks in open(2). */
static void a_late_reader(void **state)
{
	pid_t reader;
	int status;

	(void)state;
	begin_open(&(struct io_paths){ .out = in_dir("out"), .err = in_dir("err") }, &root);
	assert_false(is_done(100));
	/* The other way round from how we look. */
	reader = fork();
	if (!reader) {
		int err = fd_open(AT_FDCWD, in_dir("err"), O_RDONLY);
		int out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY);

		_exit(err < 0 || out < 0);
	}
	assert_true(is_done(5000));
	expect_ok();
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
}

static void no_reader(void **state)
{
	int64_t before = deadline_now_ms();
	int out = fd_open(AT_FDCWD, in_dir("out"), O_RDONLY | O_NONBLOCK);

	(void)state;
	io_limits.reader_ms = 300;
	do_open(&(struct io_paths){ in_dir("in"), in_dir("out"), in_dir("err") }, &root);
	assert_true(deadline_now_ms() - before >= 300);
	assert_true(deadline_now_ms() - before < 20000);
	expect_error(-ETIMEDOUT, "open stderr ");
	assert_non_null(strstr(found->err.msg, "nobody reads it"));
	close(out);
}

static void no_such_fifo(void **state)
{
	(void)state;
	do_open(&(struct io_paths){ .out = in_dir("none") }, &root);
	expect_error(-ENOENT, "open stdout ");
	end_worker();
	found->done = 0;
	do_open(&(struct io_paths){ .in = in_dir("none") }, &root);
	expect_error(-ENOENT, "open stdin ");
	end_worker();
	found->done = 0;
	do_open(&(struct io_paths){ .in = "/etc/passwd" }, &root);
	expect_error(-EINVAL, "not a FIFO");
	end_worker();
	found->done = 0;
	do_open(&(struct io_paths){ .out = dir }, &root);
	expect_error(-EISDIR, "open stdout ");
}

static void a_regular_file(void **state)
{
	int fd = fd_create(AT_FDCWD, in_dir("log"), O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	do_open(&(struct io_paths){ .out = in_dir("log"), .err = in_dir("log") }, &root);
	expect_ok();
	expect_flags(found->fds.out_to, O_WRONLY | O_APPEND, true, false);
	expect_flags(found->fds.err_to, O_WRONLY | O_APPEND, true, false);
	assert_int_equal(found->fds.out_keep, -1);
	unlink(in_dir("log"));
}

static void a_file_uri(void **state)
{
	char uri[160];
	struct stat st;

	(void)state;
	umask(022);
	snprintf(uri, sizeof(uri), "file://%s/a%%20b/c/log", dir);
	do_open(&(struct io_paths){ .out = uri, .err = uri }, &root);
	expect_ok();
	expect_path(found->fds.out_to, in_dir("a b/c/log"));
	expect_path(found->fds.err_to, in_dir("a b/c/log"));
	expect_flags(found->fds.out_to, O_WRONLY | O_APPEND, false, false);
	assert_true(found->fds.out_from >= 0 && found->fds.err_from >= 0);
	assert_int_equal(stat(in_dir("a b/c/log"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(stat(in_dir("a b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void wrong_uris(void **state)
{
	static const struct {
		const char *uri;
		int code;
		const char *words;
	} each[] = {
		{ "ttrpc+unix:///run/x?streaming_id=1", -ENOSYS,
		  "unknown STDIO scheme ttrpc+unix" },
		{ "http://x/y", -ENOSYS, "unknown STDIO scheme http" },
		{ "file://relative", -EINVAL, "not an absolute path" },
		{ "file:///tmp/", -EINVAL, "not an absolute path" },
		{ "file:///tmp/%zz", -EINVAL, "wrong escape" },
		{ "file:///tmp/%0", -EINVAL, "wrong escape" },
		{ "file:///tmp/a%00b", -EINVAL, "wrong escape" },
		{ "binary://", -EINVAL, "not an absolute path" },
		{ "binary:///bin/true?a=%", -EINVAL, "wrong escape" },
		{ "binary:///does/not/exist", -ENOENT, "logger /does/not/exist: No such file" },
		{ "binary:///etc/passwd", -EACCES, "logger /etc/passwd: Permission denied" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		found->done = 0;
		do_open(&(struct io_paths){ .out = each[i].uri }, &root);
		expect_error(each[i].code, each[i].words);
		end_worker();
	}
}

static void words_of_uris(void **state)
{
	autoarena a = ARENA_INIT;
	struct io_uri uri;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(io_uri_parse("/run/a:b", &a, &uri, &err), 0);
	assert_string_equal(uri.scheme, "");
	assert_string_equal(uri.path, "/run/a:b");
	assert_int_equal(io_uri_parse("BINARY-v2://host/usr/a%2fb?k=v+w&k2&&k=x&l=%41%3d#end", &a,
				      &uri, &err),
			 0);
	assert_string_equal(uri.scheme, "binary-v2");
	assert_string_equal(uri.path, "/usr/a/b");
	assert_int_equal(uri.query_count, 6);
	assert_string_equal(uri.query[0], "k");
	assert_string_equal(uri.query[1], "v w");
	assert_string_equal(uri.query[2], "k2");
	assert_string_equal(uri.query[3], "");
	assert_string_equal(uri.query[5], "A=");
	assert_null(uri.query[6]);
}

static void too_many_words(void **state)
{
	autoarena a = ARENA_INIT;
	struct io_uri uri;
	struct err err = { 0 };
	char text[4096] = "binary:///x?";

	(void)state;
	for (int i = 0; i < 129; i++)
		sprintf(text + strlen(text), "k%d=%d&", i, i);
	assert_int_equal(io_uri_parse(text, &a, &uri, &err), -E2BIG);
	*strrchr(text, 'k') = '\0';
	assert_int_equal(io_uri_parse(text, &a, &uri, &err), 0);
	assert_int_equal(uri.query_count, 256);
}

/* A logger: a script that leaves what it was given in "seen". Its URI. */
static const char *make_logger(const char *scheme, const char *script)
{
	static char uri[256];
	char text[1024];
	int fd = fd_create(AT_FDCWD, in_dir("logger"), O_WRONLY | O_CREAT | O_TRUNC, 0700), n;

	assert_true(fd >= 0);
	n = snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", dir, script);
	assert_int_equal(fd_write_full(fd, text, (size_t)n), 0);
	close(fd);
	snprintf(uri, sizeof(uri), "%s://%s/logger?key=a%%20value&flag", scheme, dir);
	unlink(in_dir("seen"));
	return uri;
}

static void expect_seen(const char *text)
{
	char seen[4096] = "";
	int fd = fd_open(AT_FDCWD, in_dir("seen"), O_RDONLY);

	assert_true(fd >= 0);
	assert_true(fd_read_full(fd, seen, sizeof(seen) - 1) >= 0);
	close(fd);
	assert_string_equal(seen, text);
}

/* It is our child, not the worker's. */
static int wait_logger(void)
{
	struct deadline until = deadline_in(5000);
	int status;
	pid_t r;

	while ((r = waitpid(found->logger, &status, WNOHANG)) == 0 && !deadline_passed(&until))
		usleep(1000);
	assert_int_equal(r, found->logger);
	return status;
}

static void a_logger(void **state)
{
	int out, err;

	(void)state;
	do_open(
		&(struct io_paths){
			.out = make_logger(
				"binary",
				/* Alone: of a pipeline the shell may still have ends open. */
				"ls /proc/$$/fd >seen\n"
				"fds=$(grep -v '^1[01]$' seen | tr '\\n' ' ')\n"
				"{ tr '\\0' '\\n' </proc/$$/environ | grep -v ^PWD= | sort;\n"
				"for a; do echo \"<$a>\"; done; printf %s \"$fds\"; } >seen\n"
				"printf x >&5; exec 5>&-\n"
				"cat <&3 >>seen; cat <&4 >>seen"),
			.err = "x" },
		&(struct io_owner){ 7, 8 });
	expect_ok();
	assert_true(found->logger > 0);
	for (size_t i = 0; i < IO_FDS; i++)
		assert_int_equal(((int *)&found->fds)[i], -1);
	assert_int_equal(found->open, 0);
	out = fetch(1);
	err = fetch(2);
	expect_flags(1, O_WRONLY, true, true);
	end_worker();
	assert_int_equal(write(out, "out\n", 4), 4);
	assert_int_equal(write(err, "err\n", 4), 4);
	close(out);
	close(err);
	assert_int_equal(wait_logger(), 0);
	/* Without 10 and 11, which are the shell's own. */
	expect_seen("CONTAINER_ID=box\nCONTAINER_NAMESPACE=shop\n"
		    "<key>\n<a value>\n<flag>\n<>\n0 1 2 3 4 5 out\nerr\n");
}

static void a_logger_of_a_terminal(void **state)
{
	int out;

	(void)state;
	do_open(&(struct io_paths){ .out = make_logger(
					    "binary-v2",
					    "printf x >&5; cat <&3 >seen; cat <&4 >>seen"),
				    .terminal = true },
		&root);
	expect_ok();
	expect_path(1, "/dev/null");
	expect_flags(found->fds.out_to, O_WRONLY, false, false);
	assert_int_equal(found->fds.out_from, -1);
	assert_int_equal(found->open, 1);
	out = fetch(found->fds.out_to);
	end_worker();
	assert_int_equal(write(out, "out\n", 4), 4);
	close(out);
	assert_int_equal(wait_logger(), 0);
	expect_seen("out\n");
}

/* As good as ready in the first version only. */
static void a_logger_that_says_nothing(void **state)
{
	(void)state;
	do_open(&(struct io_paths){ .out = make_logger("binary", "exec 5>&-; cat <&3") }, &root);
	expect_ok();
	end_worker();
	assert_int_equal(wait_logger(), 0);
	found->done = 0;
	do_open(&(struct io_paths){ .out = make_logger("binary-v2", "exec 5>&-; cat <&3") }, &root);
	expect_error(-EIO, "ended before it was ready");
}

static void a_logger_that_dies(void **state)
{
	(void)state;
	do_open(&(struct io_paths){ .out = make_logger("binary-v2", "exit 3") }, &root);
	expect_error(-EIO, "ended before it was ready");
	assert_true(waitpid(-1, NULL, 0) > 0);
}

static void a_logger_that_hangs(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	io_limits.logger_ms = 200;
	do_open(&(struct io_paths){ .out = make_logger("binary", "exec sleep 60") }, &root);
	expect_error(-ETIMEDOUT, "not ready");
	end_worker();
	pid = waitpid(-1, &status, 0);
	assert_true(pid > 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* Its signals are as they are at the start of a program. */
/* Those that libc keeps for itself as well, which whoever started us may have ignored. */
static void reset_signals(void)
{
	unsigned long none[4] = { 0 };

	for (int sig = 1; sig < 65; sig++)
		syscall(SYS_rt_sigaction, sig, none, NULL, 8);
}

static void signals_of_a_logger(void **state)
{
	sigset_t set, old;

	(void)state;
	reset_signals();
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	begin_open(
		&(struct io_paths){
			.out = make_logger("binary",
					   "grep '^Sig\\(Blk\\|Ign\\)' /proc/self/status >seen") },
		&root);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_true(is_done(5000));
	expect_ok();
	end_worker();
	assert_int_equal(wait_logger(), 0);
	expect_seen("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing),
		TEST(three_fifos),
		TEST(only_output),
		TEST(with_a_terminal),
		TEST(closed_standard_streams),
		TEST(a_late_reader),
		TEST(no_reader),
		TEST(no_such_fifo),
		TEST(a_regular_file),
		TEST(a_file_uri),
		TEST(wrong_uris),
		TEST(words_of_uris),
		TEST(too_many_words),
		TEST(a_logger),
		TEST(a_logger_of_a_terminal),
		TEST(a_logger_that_says_nothing),
		TEST(a_logger_that_dies),
		TEST(a_logger_that_hangs),
		TEST(signals_of_a_logger),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
