/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/close_after.h"

#include "oci/clone.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_SIZE 4096

struct closing {
	int pidfd, fds[2];
};

IN_CHILD static void closer_schedule(int policy)
{
	const int priority = 0;

	sys(__NR_sched_setscheduler, 0, policy, &priority, 0, 0, 0);
}

/* Without CAP_SYS_NICE or RLIMIT_NICE there is no way back from SCHED_IDLE, as there is none to one's nice value. */
IN_CHILD static bool closer_may_come_back(void)
{
	sys_t nice = 20 - sys(__NR_getpriority, PRIO_PROCESS, 0);

	sys(__NR_setpriority, PRIO_PROCESS, 0, nice + 1);
	return sys(__NR_setpriority, PRIO_PROCESS, 0, nice) == 0;
}

/*
 * What it has open is a copy, so that nothing else stays open by it: a pipe's reader would wait. The end that
 * it waits for is what we wait for as well, and we come first where both get the same processor. It becomes an
 * ordinary process again before it closes anything: file systems' locks are not for one that may have to wait
 * long for its turn. So our own end must not kill it either; signals are blocked.
 */
IN_CHILD _Noreturn static void closer_main(const struct closing *closing)
{
	const uint64_t our_end = 1ULL << (SIGTERM - 1);
	struct pollfd ends[] = { { .fd = 0, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	sys_t r;

	sys(__NR_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	sys(__NR_dup3, closing->pidfd, 0, 0);
	for (int i = 0; i < 2; i++)
		if (sys(__NR_dup3, closing->fds[i], i + 1, 0) < 0)
			sys(__NR_close, i + 1);
	sys(__NR_close_range, 3, ~0U, 0);
	ends[1].fd = (int)sys(__NR_signalfd4, -1, &our_end, sizeof(our_end), 0);
	if (closer_may_come_back())
		closer_schedule(SCHED_IDLE);
	do {
		r = sys(__NR_ppoll, ends, 2, 0, 0, 0);
	} while (r == -EINTR);
	closer_schedule(SCHED_OTHER);
	clone_exit(0);
}

IN_CHILD static int entry_closer(void *arg)
{
	closer_main(arg);
}

void close_after(int pidfd, int tree, int rest)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	static struct closing closing; /* for one in a process's life */
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_CLEAR_SIGHAND,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	sigset_t all, before;

	/* What is typed at our terminal is not for it. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!closing.pidfd) {
		closing = (struct closing){ pidfd, { tree, rest } };
		clone_on_stack(&args, entry_closer, &closing);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* The last ones, if there is no other process. */
	close(tree);
	if (rest >= 0)
		close(rest);
}
