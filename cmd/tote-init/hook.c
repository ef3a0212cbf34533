/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that run inside the container's namespaces: createContainer and startContainer (config.md,
 * "POSIX-platform Hooks"). */
#include "cmd/tote-init/init.h"

#include <asm/signal.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/wait.h>

#define POLLIN 1
#define EXIT_NO_PROGRAM 127

struct pollfd {
	int fd;
	short events, revents;
};

/* The state goes to stdin, from its start: hooks run one after the other and share the description.
 */
_Noreturn static void hook_exec(struct init *in, const struct wire_step *s, char **argv,
				char **envp)
{
	sys(__NR_lseek, s->fd, 0, 0);
	sys(__NR_dup3, s->fd, 0, 0);
	/* A startContainer hook is a program of the container: neither the plan nor the way to the
	 * host is for it. */
	sys(__NR_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	sys(__NR_execve, plan_string(in, s->path), argv, envp);
	for (;;)
		sys(__NR_exit_group, EXIT_NO_PROGRAM);
}

/* 0 when the process ended in time; without a limit the wait alone is enough. */
static int wait_in_time(int pidfd, uint64_t seconds)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	struct {
		int64_t sec, nsec;
	} limit = { (int64_t)seconds, 0 };
	sys_t r;

	if (!seconds)
		return 0;
	do {
		/* The kernel leaves what remains in limit, so that a signal does not prolong the
		 * wait. */
#ifdef __NR_ppoll_time64
		r = sys(__NR_ppoll_time64, &p, 1, &limit, 0, 0);
#else
		r = sys(__NR_ppoll, &p, 1, &limit, 0, 0);
#endif
	} while (r == -EINTR);
	return r < 0 ? (int)r : r == 0 ? -ETIMEDOUT : 0;
}

int step_hook(struct init *in, const struct wire_step *s)
{
	char **argv = relocate(in, s->source), **envp = relocate(in, s->type);
	int pidfd = -1, status = 0, r;
	struct clone_args args;
	sys_t pid;

	memset(&args, 0, sizeof(args));
	args.flags = CLONE_PIDFD;
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	args.exit_signal = SIGCHLD;
	pid = sys(__NR_clone3, &args, sizeof(args));
	if (pid == 0)
		hook_exec(in, s, argv, envp);
	if (pid < 0)
		return (int)pid;
	r = wait_in_time(pidfd, s->arg[0]);
	if (r < 0)
		sys(__NR_kill, pid, SIGKILL);
	sys(__NR_close, pidfd);
	while (sys(__NR_wait4, pid, &status, 0, 0) == -EINTR)
		;
	if (r < 0)
		return r;
	if (status & 0x7f)
		return -(HOOK_FAILED + 128 + (status & 0x7f));
	return status ? -(HOOK_FAILED + (status >> 8 & 0xff)) : 0;
}
