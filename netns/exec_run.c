/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/exec_run.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/json.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define STDERR_LIMIT ((size_t)64 << 10)

struct child {
	pid_t pid;
	int pidfd, out, err; /* our ends; out and err do not block */
};

static void child_done(struct child *c)
{
	cleanup_fd(&c->pidfd);
	cleanup_fd(&c->out);
	cleanup_fd(&c->err);
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

_Noreturn static void run_child(const char *path, char **env, int in, int out, int err)
{
	char *argv[] = { (char *)path, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(127);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(path, argv, env);
	_exit(127);
}

/* A memfd: a plugin that does not read cannot block us. */
static int input_fd(const struct buf *conf)
{
	autofd fd = memfd_create("conf", MFD_CLOEXEC);

	if (fd < 0 || fd_write_full(fd, conf->data, conf->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return take_fd(&fd);
}

static int start(const char *path, char **env, const struct buf *conf, struct child *ret_child)
{
	autofd in = input_fd(conf), out = -1, err = -1;
	int pipes[2];

	if (in < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	ret_child->out = pipes[0];
	out = pipes[1];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	ret_child->err = pipes[0];
	err = pipes[1];
	if (fcntl(ret_child->out, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(ret_child->err, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	ret_child->pid = fork();
	if (ret_child->pid == 0)
		run_child(path, env, in, out, err);
	if (ret_child->pid < 0)
		return -errno;
	ret_child->pidfd = pidfd_open(ret_child->pid, 0);
	return ret_child->pidfd < 0 ? -errno : 0;
}

/* Takes what is there now, up to limit bytes in all; what is beyond is dropped. False at the end. */
static bool take(int fd, struct buf *b, size_t limit, bool pass_on)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		size_t room = limit - b->len, len = (size_t)n < room ? (size_t)n : room;

		buf_add(b, piece, len);
		/* What cannot be passed on is no failure of the plugin's. */
		if (pass_on)
			(void)!fd_write_full(STDERR_FILENO, piece, len);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until it ends, and not until its last descendant closes our pipes: -ETIMEDOUT or its status. */
static int attend(struct child *c, int timeout_ms, struct buf *out, struct buf *said)
{
	struct deadline end = deadline_in(timeout_ms);
	struct pollfd fds[] = {
		{ .fd = c->pidfd, .events = POLLIN },
		{ .fd = c->out, .events = POLLIN },
		{ .fd = c->err, .events = POLLIN },
	};
	int status;

	while (!fds[0].revents) {
		int n = poll(fds, ARRAY_SIZE(fds), deadline_left(&end, -1));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		if (!take(c->out, out, JSON_MAX_SIZE + 1, false))
			fds[1].fd = -1;
		if (!take(c->err, said, STDERR_LIMIT, true))
			fds[2].fd = -1;
	}
	take(c->out, out, JSON_MAX_SIZE + 1, false);
	take(c->err, said, STDERR_LIMIT, true);
	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	c->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int exec_run(const char *path, char **env, const struct buf *input, int timeout_ms, struct buf *out,
	     struct buf *said)
{
	__attribute__((cleanup(child_done))) struct child child = { 0, -1, -1, -1 };
	int r = start(path, env, input, &child);

	return r < 0 ? r : attend(&child, timeout_ms, out, said);
}
