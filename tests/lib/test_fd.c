/* SPDX-License-Identifier: Apache-2.0 */
/* Each test runs under a timer signal without SA_RESTART, so that every call here is interrupted
 * now and then. */
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define BIG ((size_t)300000)

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static int start_timer(void **state)
{
	struct sigaction sa = { .sa_handler = tick };
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };

	(void)state;
	ticks = 0;
	return sigaction(SIGALRM, &sa, NULL) < 0 || setitimer(ITIMER_REAL, &every, NULL) < 0;
}

static int stop_timer(void **state)
{
	struct itimerval never = { 0 };

	(void)state;
	return setitimer(ITIMER_REAL, &never, NULL);
}

static void nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) < 0)
		;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static char *pattern(void)
{
	char *p = malloc(BIG);

	assert_non_null(p);
	for (size_t i = 0; i < BIG; i++)
		p[i] = (char)(i * 7 + i / 256);
	return p;
}

/* A slow writer of small pieces: the reader gets all, and at the end what there is. */
static void reads_are_whole(void **state)
{
	char data[64] = "";
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 12; i++) {
			nap(6);
			if (write(p[1], "abcde", 5) != 5)
				_exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(fd_read_full(p[0], data, 50), 50);
	assert_memory_equal(data, "abcdeabcde", 10);
	assert_memory_equal(data + 40, "abcdeabcde", 10);
	assert_int_equal(fd_read_full(p[0], data, sizeof(data)), 10);
	assert_int_equal(fd_read_full(p[0], data, sizeof(data)), 0);
	assert_true(ticks > 3);
	close(p[0]);
	reap(pid);
	assert_int_equal(fd_read_full(-1, data, 1), -EBADF);
}

/* A slow reader of a pipe that holds 64 KiB. */
static void writes_are_whole(void **state)
{
	autofree char *sent = pattern();
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		autofree char *got = malloc(BIG);
		size_t done = 0;

		close(p[1]);
		for (ssize_t n; got && (n = read(p[0], got + done,
						 9000 < BIG - done ? 9000 : BIG - done)) != 0;) {
			done += n > 0 ? (size_t)n : 0;
			nap(1);
		}
		_exit(done != BIG || memcmp(got, sent, BIG) != 0);
	}
	close(p[0]);
	assert_int_equal(fd_write_full(p[1], sent, BIG), 0);
	assert_true(ticks > 3);
	close(p[1]);
	reap(pid);
	assert_int_equal(fd_write_full(-1, sent, 1), -EBADF);
}

static void sockets_too(void **state)
{
	autofree char *sent = pattern();
	autofree char *got = malloc(BIG);
	int s[2];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	pid = fork();
	if (pid == 0) {
		close(s[0]);
		_exit(fd_write_full(s[1], sent, BIG) != 0);
	}
	close(s[1]);
	nap(10);
	assert_int_equal(fd_read_full(s[0], got, BIG), BIG);
	assert_memory_equal(got, sent, BIG);
	close(s[0]);
	reap(pid);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void descriptors_are_passed(void **state)
{
	int s[2], p[2], fd = 99, before;
	char data[8] = "";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(pipe(p), 0);
	before = open_fds();
	assert_int_equal(fd_send(s[0], "pipe", 4, p[0]), 0);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), &fd), 4);
	assert_string_equal(data, "pipe");
	assert_true(fd >= 0 && fd != p[0]);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(read(fd, data, 1), 1);
	close(fd);
	assert_int_equal(open_fds(), before);

	assert_int_equal(fd_send_message(s[0], "none", 4), 0);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), &fd), 4);
	assert_int_equal(fd, -1);
	assert_int_equal(fd_send(s[0], "x", 1, -1), -EBADF);
	close(s[0]);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(fd_send(s[1], "x", 1, p[0]), -EPIPE);
	assert_int_equal(fd_send_message(s[1], "x", 1), -EPIPE);
	fd = 99;
	assert_int_equal(fd_recv(-1, data, sizeof(data), &fd), -EBADF);
	assert_int_equal(fd, 99);
	close(s[1]);
	close(p[0]);
	close(p[1]);
}

/* A hostile peer sends more than one: what is not returned must not stay open. */
static void surplus_descriptors_are_not_kept(void **state)
{
	(void)state;
	for (size_t n = 2; n <= 20; n += 6) {
		int fds[20], s[2], fd = -1, before;
		char control[CMSG_SPACE(sizeof(fds))] = "", data[1] = "x";
		struct iovec iov = { data, 1 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
		struct cmsghdr *c = (struct cmsghdr *)control;

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s), 0);
		for (size_t i = 0; i < n; i++)
			fds[i] = s[0];
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		*c = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
		before = open_fds();
		assert_int_equal(sendmsg(s[0], &msg, 0), 1);
		assert_int_equal(fd_recv(s[1], data, 1, &fd), 1);
		if (fd >= 0)
			close(fd);
		assert_int_equal(open_fds(), before);
		close(s[0]);
		close(s[1]);
	}
}

static void opening(void **state)
{
	char dir[] = "/tmp/test_fd.XXXXXX", path[64];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	umask(022);
	fd = fd_create(AT_FDCWD, path, O_WRONLY | O_CREAT, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fd_cloexec(fd, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_cloexec(fd, true), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(fd_cloexec(fd, true), -EBADF);
	unlink(path);
	assert_int_equal(fd_open(AT_FDCWD, path, O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	rmdir(dir);
}

static void waiting(void **state)
{
	int p[2];
	int64_t start = now_ms();

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_wait_readable(p[0], 0), 0);
	/* Signals in between neither end the wait nor start it anew. */
	assert_int_equal(fd_wait_readable(p[0], 100), 0);
	assert_in_range(now_ms() - start, 99, 20000);
	assert_true(ticks > 3);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(fd_wait_readable(p[0], 5000), 1);
	assert_int_equal(fd_wait_readable(p[0], -1), 1);
	assert_int_equal(read(p[0], &start, 1), 1);
	close(p[1]);
	assert_int_equal(fd_wait_readable(p[0], 5000), 1);
	close(p[0]);
}

static void connecting(void **state)
{
	char dir[] = "/tmp/test_fd.XXXXXX", longer[sizeof(struct sockaddr_un)];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	assert_int_equal(fd_connect(c, addr.sun_path), -ENOENT);
	assert_int_equal(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(fd_connect(c, addr.sun_path), -ECONNREFUSED);
	assert_int_equal(listen(s, 1), 0);
	assert_int_equal(fd_connect(c, addr.sun_path), 0);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(fd_connect(c, longer), -ENAMETOOLONG);
	close(s);
	close(c);
	unlink(addr.sun_path);
	rmdir(dir);
}

/* In a process of its own: those of cmocka are none of ours. */
static void all_but_some_are_closed(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		const int keep[] = { 9, -1, 4, 9, 200 };

		for (int fd = 3; fd < 12; fd++)
			dup2(2, fd);
		dup2(2, 300);
		fd_close_all_but(keep, ARRAY_SIZE(keep));
		for (int fd = 3; fd < 301; fd++)
			if ((fcntl(fd, F_GETFD) >= 0) != (fd == 4 || fd == 9))
				_exit(fd);
		_exit(255);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 255);
}

static void opening_below_a_root(void **state)
{
	char dir[] = "/tmp/test_fd.XXXXXX";
	int root, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root, "etc", 0755), 0);
	assert_int_equal(symlinkat("/etc", root, "absolute"), 0);
	assert_int_equal(symlinkat("../../../../etc/passwd", root, "up"), 0);
	fd = fd_open_in_root(root, "absolute/../absolute", O_PATH | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(fd_open_in_root(root, "/up", O_PATH), -1);
	assert_int_equal(errno, ENOENT);
	unlinkat(root, "up", 0);
	unlinkat(root, "absolute", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	close(root);
	rmdir(dir);
}

#define TIMED(f) cmocka_unit_test_setup_teardown(f, start_timer, stop_timer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TIMED(reads_are_whole),
		TIMED(writes_are_whole),
		TIMED(sockets_too),
		TIMED(descriptors_are_passed),
		TIMED(opening),
		TIMED(surplus_descriptors_are_not_kept),
		TIMED(waiting),
		TIMED(connecting),
		cmocka_unit_test(all_but_some_are_closed),
		TIMED(opening_below_a_root),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
