/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ahead.h"

#include "oci/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 16384

static char stack[STACK_SIZE] __attribute__((aligned(16))); /* there is one at a time */

/* ahead.stage; 0 as soon as there is nothing to wait for. */
enum {
	AHEAD_AT_WORK = 1,
	AHEAD_READY,
};

/* ahead.order */
enum {
	ORDER_NONE,
	ORDER_CLONE,
	ORDER_END,
};

/* What else wakes up a waiter is for it to look again. */
IN_CHILD static void await_change(const uint32_t *word, uint32_t from)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == from)
		sys(__NR_futex, word, FUTEX_WAIT, from, 0, 0, 0);
}

IN_CHILD static void change(uint32_t *word, uint32_t to)
{
	__atomic_store_n(word, to, __ATOMIC_RELEASE);
	sys(__NR_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
}

IN_CHILD _Noreturn static void ahead_main(struct ahead *ahead)
{
	sys_t r = -1;

	sys(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* We may have ended before that. */
	if (sys(__NR_getppid) != ahead->parent)
		clone_exit(0);
	if (ahead->flags & CLONE_NEWNET)
		r = sys(__NR_unshare, CLONE_NEWNET);
	if (r == 0)
		r = sys(__NR_openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	ahead->netns = (int)r;
	if (ahead->flags & CLONE_NEWUSER) {
		change(&ahead->stage, AHEAD_READY);
		await_change(&ahead->order, ORDER_NONE);
	}
	if (ahead->order == ORDER_CLONE) {
		r = clone_on_stack(ahead->child_args, ahead->child_entry, ahead->child_arg);
		if (r < 0)
			ahead->error = (int)r;
	}
	clone_exit(0);
}

IN_CHILD static int entry_ahead(void *arg)
{
	ahead_main(arg);
}

int ahead_begin(struct ahead *ahead, unsigned long flags, int root_fd)
{
	struct clone_cwd cwd;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FILES | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID |
			 (flags & CLONE_NEWUSER),
		.child_tid = (uint64_t)(uintptr_t)&ahead->stage,
		/* With CLONE_PARENT a child has this one, too. */
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	sys_t pid;

	*ahead = (struct ahead){
		.parent = getpid(), .flags = flags, .netns = -1, .stage = AHEAD_AT_WORK
	};
	pid = clone_go_to(&cwd, root_fd) < 0 ? -errno : clone_on_stack(&args, entry_ahead, ahead);
	ahead->pid = pid > 0 ? (pid_t)pid : 0;
	if (!clone_come_back(&cwd) && pid > 0)
		kill(ahead->pid, SIGKILL);
	return pid > 0 ? 0 : (int)pid;
}

int ahead_netns(struct ahead *ahead)
{
	int fd;

	if (!ahead->pid)
		return -1;
	await_change(&ahead->stage, AHEAD_AT_WORK);
	fd = ahead->netns;
	ahead->netns = -1;
	return fd < 0 ? -1 : fd;
}

void ahead_end(struct ahead *ahead)
{
	if (!ahead->pid)
		return;
	if (ahead->order == ORDER_NONE)
		change(&ahead->order, ORDER_END);
	while (waitpid(ahead->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (ahead->netns >= 0)
		close(ahead->netns);
	*ahead = (struct ahead){ .netns = -1 };
}

/*
 * All namespaces of the child have to belong to the user namespace, which we cannot enter ourselves:
 * there would be no way back. Who made it is in it, and the child is ours all the same, by CLONE_PARENT.
 * We go on as soon as the child executes tote-init: the kernel clears the word that both have as child_tid
 * and wakes us up by the futex there, and does so too if the other one ends without a child. The other one's
 * end, of which vfork's would be the news, comes later, and with it the scheduler would put us on the
 * processor that the child works on: the one that we come from, the other being busy with that end.
 */
IN_CHILD sys_t ahead_clone(struct ahead *ahead, struct clone_args *args, int (*entry)(void *),
			   void *arg)
{
	args->flags |= CLONE_VFORK | CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	args->parent_tid = (uint64_t)(uintptr_t)&ahead->child_pid;
	args->child_tid = (uint64_t)(uintptr_t)&ahead->stage;
	args->exit_signal = 0;
	ahead->child_args = args;
	ahead->child_entry = entry;
	ahead->child_arg = arg;
	await_change(&ahead->stage, AHEAD_AT_WORK);
	change(&ahead->order, ORDER_CLONE);
	await_change(&ahead->stage, AHEAD_READY);
	if (ahead->child_pid)
		return ahead->child_pid;
	return ahead->error ? ahead->error : -ECHILD;
}
