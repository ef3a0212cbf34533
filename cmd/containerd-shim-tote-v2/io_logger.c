/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/io_private.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABOVE 16 /* the descriptors that the program gets */

/* Where what the program gets is on its way there. */
struct child {
	const char *path;
	char **argv, **envp;
	int fds[6]; /* in their order */
	int failed; /* an errno is written to it when there is no exec */
};

static void clear_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
}

/* A copy of the worker: all else that it has open is closed by the exec. */
static _Noreturn void child_main(const struct child *c)
{
	int moved[ARRAY_SIZE(c->fds)], failed = fcntl(c->failed, F_DUPFD_CLOEXEC, ABOVE), code;
	bool ok = failed >= 0;

	for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
		moved[i] = fcntl(c->fds[i], F_DUPFD_CLOEXEC, ABOVE);
		ok = ok && moved[i] >= 0;
	}
	/* Linux 5.11; ours are marked one by one anyway. */
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		ok = ok && dup2(moved[i], (int)i) >= 0;
	if (ok) {
		clear_signals();
		execve(c->path, c->argv, c->envp);
	}
	code = errno;
	if (failed >= 0 && write(failed, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* Our parent gets its end to know, as ours; whoever makes a child of another's has no say in the
 * signal (clone3(2)). */
static pid_t clone_child(const struct child *c, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		child_main(c);
	return pid < 0 ? -errno : pid;
}

static void build_words(struct child *c, const struct io_uri *uri, const char *id,
			const char *namespace, struct arena *a)
{
	c->path = uri->path;
	c->argv = arena_calloc(a, uri->query_count + 2, sizeof(char *));
	c->argv[0] = uri->path;
	if (uri->query_count)
		memcpy(c->argv + 1, uri->query, uri->query_count * sizeof(char *));
	c->envp = arena_calloc(a, 3, sizeof(char *));
	c->envp[0] = arena_printf(a, "CONTAINER_ID=%s", id);
	c->envp[1] = arena_printf(a, "CONTAINER_NAMESPACE=%s", namespace);
}

static int wait_ready(const char *path, int ready, bool must_say, struct err *err)
{
	ssize_t n;
	int r = fd_wait_readable(ready, io_limits.logger_ms);
	char byte;

	if (r == 0)
		return err_set(err, ETIMEDOUT, "logger %s: not ready after %d s", path,
			       io_limits.logger_ms / 1000);
	n = r < 0 ? r : fd_read_full(ready, &byte, 1);
	if (n < 0)
		return err_code(err, (int)n, "logger %s", path);
	if (n == 0 && must_say)
		return err_set(err, EIO, "logger %s: ended before it was ready", path);
	return 0;
}

/* Behind it only the program has the other ends. */
static int start(struct child *c, int *ret_pidfd, struct err *err)
{
	int status[2], code = 0;
	pid_t pid;
	ssize_t n;

	if (pipe2(status, O_CLOEXEC) < 0)
		return err_errno(err, "logger %s", c->path);
	c->failed = status[IO_WRITE];
	pid = clone_child(c, ret_pidfd);
	close(status[IO_WRITE]);
	n = pid < 0 ? 0 : fd_read_full(status[IO_READ], &code, sizeof(code));
	close(status[IO_READ]);
	if (pid < 0)
		return err_code(err, pid, "start logger %s", c->path);
	if (n != 0)
		return err_code(err, n == sizeof(code) && code ? code : EIO, "logger %s", c->path);
	return pid;
}

static int start_with(struct child *c, const struct io_uri *uri, bool must_say, int ready,
		      struct err *err)
{
	autofd pidfd = -1;
	pid_t pid = start(c, &pidfd, err);
	int r;

	/* Its ends: with them open here as well, its own end would not be seen. */
	for (size_t i = 3; i < ARRAY_SIZE(c->fds); i++)
		close(c->fds[i]);
	if (pid < 0)
		return pid;
	r = wait_ready(uri->path, ready, must_say, err);
	if (r < 0)
		proc_signal(pidfd, SIGKILL);
	return r < 0 ? r : pid;
}

/* Each: {what we keep, what the program gets}. */
static int make_pipes(const struct io_owner *owner, int pipes[3][2], struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int r = io_pipe(owner, pipes[i], err);

		if (r == 0)
			continue;
		while (i-- > 0) {
			close(pipes[i][IO_READ]);
			close(pipes[i][IO_WRITE]);
		}
		return r;
	}
	return 0;
}

int io_logger_start(const struct io_uri *uri, bool must_say, const struct io_owner *owner,
		    const char *id, const char *namespace, struct arena *a, struct io_logger *ret,
		    struct err *err)
{
	autofd null = fd_open(AT_FDCWD, "/dev/null", O_RDWR), out = -1, error = -1, ready = -1;
	struct child c = { 0 };
	int pipes[3][2], r;

	if (uri->path[0] != '/')
		return err_set(err, EINVAL, "logger \"%s\": not an absolute path", uri->path);
	if (null < 0)
		return err_errno(err, "open /dev/null");
	r = make_pipes(owner, pipes, err);
	if (r < 0)
		return r;
	out = pipes[0][IO_WRITE];
	error = pipes[1][IO_WRITE];
	ready = pipes[2][IO_READ];
	build_words(&c, uri, id, namespace, a);
	memcpy(c.fds,
	       (int[]){ null, null, null, pipes[0][IO_READ], pipes[1][IO_READ],
			pipes[2][IO_WRITE] },
	       sizeof(c.fds));
	r = start_with(&c, uri, must_say, ready, err);
	if (r < 0)
		return r;
	*ret = (struct io_logger){ .pid = r, .out = take_fd(&out), .err = take_fd(&error) };
	return 0;
}
