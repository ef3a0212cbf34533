/* SPDX-License-Identifier: Apache-2.0 */
/* What the confined cannot do: each is tried in a child of its own. */
#include "oci/image/confine.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define KILLED_OR(code) (code)
#else
#define KILLED_OR(code) (128 + SIGSYS)
#endif

static char root_path[] = "/tmp/confine.XXXXXX";
static int root_fd, outside_fd;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(root_path))
		return -1;
	root_fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outside_fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 || outside_fd < 0 || mkdirat(root_fd, "dir", 0755) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(root_fd, "file", 0);
	unlinkat(root_fd, "dir/hard", 0);
	unlinkat(root_fd, "dir", AT_REMOVEDIR);
	rmdir(root_path);
	return 0;
}

/* The exit code of action() in a confined child: 128 + signal when it was killed, 99 when it could
 * not be confined. */
static int confined(const struct confine_opts *opts, int (*action)(void))
{
	pid_t pid = fork();
	struct err err;
	int status;

	if (pid == 0) {
		alarm(10);
		if (confine(opts, &err) < 0)
			_exit(99);
		_exit(action());
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int in_root(int (*action)(void))
{
	return confined(&(struct confine_opts){ .root_fd = root_fd, .memory = 64 << 20 }, action);
}

static int without_files(int (*action)(void))
{
	return confined(&(struct confine_opts){ .root_fd = -1, .memory = 64 << 20 }, action);
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int open_passwd(void)
{
	return result(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
}

static int open_up(void)
{
	return result(openat(root_fd, "../etc/passwd", O_RDONLY)) &&
	       result(openat(root_fd, "../../../../etc/passwd", O_RDONLY));
}

static int make_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int execute(void)
{
	return result(execl("/bin/true", "true", (char *)NULL));
}

static int trace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int do_mount(void)
{
	return result(mount("none", "/dir", "tmpfs", 0, NULL));
}

static int signal_parent(void)
{
	return result(syscall(SYS_kill, getppid(), 0));
}

static int signal_parent_thread(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int do_fork(void)
{
	return result(fork());
}

static int map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int do_chroot(void)
{
	return result(chroot("/dir"));
}

static int gain_ids(void)
{
	return result(setuid(0));
}

static void test_forbidden(void **state)
{
	int (*const killed[])(
		void) = { make_socket, execute,	 trace,	    do_mount, signal_parent,
			  do_fork,     map_code, do_chroot, gain_ids, signal_parent_thread };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(killed); i++) {
		int code = in_root(killed[i]), bare = without_files(killed[i]);

		if (code != KILLED_OR(EPERM) || bare != KILLED_OR(EPERM))
			fail_msg("call %zu ended in %d and %d", i, code, bare);
	}
}

static void test_no_files_outside(void **state)
{
	int code = in_root(open_passwd);

	(void)state;
	assert_true(code == ENOENT || code == EACCES);
	assert_int_not_equal(in_root(open_up), 0);
	assert_int_equal(without_files(open_passwd), EACCES);
}

/* A descriptor that was forgotten outside leads nowhere: it is closed. */
static int use_outside(void)
{
	return result(openat(outside_fd, "passwd", O_RDONLY));
}

static void test_descriptors_closed(void **state)
{
	(void)state;
	assert_int_equal(in_root(use_outside), EBADF);
}

/* And one that is kept on purpose is only good for itself, where the kernel has Landlock. */
static void test_kept_descriptor(void **state)
{
	struct confine_opts opts = { .root_fd = root_fd, .keep = &outside_fd, .keep_count = 1 };

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) {
		print_message("# skip: the kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(confined(&opts, use_outside), EACCES);
}

static int make_files(void)
{
	int fd = openat(root_fd, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fchmod(fd, 04755) < 0)
		return 1;
	if (linkat(root_fd, "file", root_fd, "dir/hard", 0) < 0)
		return 2;
	if (openat(root_fd, "file", O_RDONLY) >= 0)
		return geteuid() == 0 ? 3 : 0;
	return 0;
}

static void test_files_inside(void **state)
{
	(void)state;
	assert_int_equal(in_root(make_files), 0);
	assert_int_equal(faccessat(root_fd, "dir/hard", F_OK, 0), 0);
}

static int take_memory(void)
{
	return malloc((size_t)100 << 20) == NULL && malloc((size_t)10 << 20) != NULL;
}

static void test_memory(void **state)
{
	(void)state;
	if (KILLED_OR(0) == 0) {
		print_message("# skip: sanitizers work without a limit of memory\n");
		skip();
	}
	assert_int_equal(in_root(take_memory), 1);
}

static int ends[2];

static int wait_for_end(void)
{
	char c;

	return (int)read(ends[0], &c, 1);
}

/* What the kernel says of a confined process. */
static void test_status(void **state)
{
	struct confine_opts opts = { .root_fd = root_fd, .keep = ends, .keep_count = 1 };
	char path[64], text[4096] = "";
	struct err err;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("# skip: only root sees the status of a confined process\n");
		skip();
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		_exit(confine(&opts, &err) < 0 ? 99 : wait_for_end());
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int i = 0; i < 20000 && !strstr(text, "Seccomp:\t2"); i++) {
		usleep(1000);
		file_peek(AT_FDCWD, path, text, sizeof(text));
	}
	close(ends[0]);
	close(ends[1]);
	waitpid(pid, NULL, 0);
	assert_non_null(strstr(text, "Seccomp:\t2"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	assert_non_null(strstr(text, "CapInh:\t0000000000000000"));
	/* CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP */
	assert_non_null(strstr(text, "CapPrm:\t000000008800001b"));
	assert_non_null(strstr(text, "CapEff:\t000000008800001b"));
	assert_non_null(strstr(text, "CapBnd:\t000000008800001b"));
}

static void *add_one(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int use_threads(void)
{
	pthread_t t;
	int n = 40;

	return pthread_create(&t, NULL, add_one, &n) || pthread_join(t, NULL) ? 1 : n;
}

static void test_threads(void **state)
{
	struct confine_opts opts = { .root_fd = root_fd, .memory = 64 << 20, .threads = true };

	(void)state;
	assert_int_equal(confined(&opts, use_threads), 41);
	assert_int_equal(confined(&opts, do_fork), KILLED_OR(EPERM));
	assert_int_equal(confined(&opts, make_socket), KILLED_OR(EPERM));
}

static int print(void)
{
	/* a number that was free must not become what others take for their standard output */
	return fcntl(1, F_GETFD) < 0 && errno == EBADF;
}

static void test_standard_streams(void **state)
{
	(void)state;
	assert_int_equal(in_root(print), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_no_files_outside),
		cmocka_unit_test(test_descriptors_closed),
		cmocka_unit_test(test_kept_descriptor),
		cmocka_unit_test(test_files_inside),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_standard_streams),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
