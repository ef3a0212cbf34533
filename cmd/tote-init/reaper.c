/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of tote-init when the container asked for an init: the program's parent. As pid 1 it has
 * no signal that it does not ask for, and every orphan is its child. It waits, passes on, reaps, and ends
 * as the program ends; it holds nothing but its standard streams, under the program's ids and filter.
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/wait.h>

#define STATUS_SIGNALED 128 /* and the signal: as shells have it */

/* 32-bit ARM divides by a function that needs a C library. */
#ifdef __arm__
#define TENTH(n) ((unsigned int)((n)*UINT64_C(0xcccccccd) >> 35))
#define LAST_DIGIT(n) ((n)-TENTH(n) * 10)
#else
#define TENTH(n) ((n) / 10)
#define LAST_DIGIT(n) ((n) % 10)
#endif

/* The kernel's sigset_t, on all architectures that we know. */
typedef uint64_t mask_t;

static int exit_code(int status)
{
	int sig = status & 0x7f;

	return sig ? STATUS_SIGNALED + sig : status >> 8 & 0xff;
}

/* Returns when nobody is left to be waited for at the moment; -ECHILD: nobody at all. */
static int reap(int program, int options)
{
	int status;
	sys_t pid;

	do {
		pid = sys(__NR_wait4, -1, &status, options, 0);
		if (pid == program)
			quit(exit_code(status));
	} while (pid > 0 || pid == -EINTR);
	return (int)pid;
}

/* What a process in here could learn of us by /proc/1 is what it knows: people write to /proc/1/fd/1. */
static void forget(struct init *in)
{
	sys(__NR_munmap, in->base, in->plan->size);
	sys(__NR_close_range, 3, ~0U, 0);
	sys(__NR_prctl, PR_SET_NAME, "tote-init", 0, 0, 0);
	sys(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

_Noreturn static void serve(struct init *in, int program, const mask_t *all)
{
	forget(in);
	for (;;) {
		sys_t sig = sys(__NR_rt_sigtimedwait, all, 0, 0, sizeof(*all));

		if (sig > 0 && sig != SIGCHLD)
			sys(__NR_kill, program, sig);
		/* A filter that forbids the wait leaves a reaper without ears. */
		else if (sig != -EINTR && reap(program, sig > 0 ? WNOHANG : 0) < 0)
			quit(255);
	}
}

/* sd_listen_fds(3) takes descriptors only for the process that is named. The host could not know. */
static void set_listen_pid(struct init *in, uint64_t place, unsigned int pid)
{
	char *p = in->listen_pid + sizeof(in->listen_pid) - 1;

	for (; pid; pid = TENTH(pid))
		*--p = (char)('0' + LAST_DIGIT(pid));
	p -= sizeof(PLAN_LISTEN_PID) - 1;
	memcpy(p, PLAN_LISTEN_PID, sizeof(PLAN_LISTEN_PID) - 1);
	/* For relocate(). */
	((uintptr_t *)(in->base + in->plan->envp))[place] = (uintptr_t)p - (uintptr_t)in->base;
}

/* A group of its own that has the terminal, so that what is typed reaches it and not us. SIGTTOU is
 * blocked, or that would stop us. */
static int become_program(struct init *in, uint64_t listen, const mask_t *before)
{
	int pid = (int)sys(__NR_getpid);

	sys(__NR_setpgid, 0, 0);
	sys(__NR_ioctl, 0, TIOCSPGRP, &pid);
	if (listen)
		set_listen_pid(in, listen - 1, (unsigned int)pid);
	return (int)sys(__NR_rt_sigprocmask, SIG_SETMASK, before, 0, sizeof(*before));
}

/* clone and not clone3: filters forbid the latter, whose flags they cannot see. */
int step_init(struct init *in, const struct wire_step *s)
{
	static const mask_t all = ~(mask_t)0;
	mask_t before = 0;
	sys_t pid;

	sys(__NR_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	/* In the host's pid namespace orphans are ours only then. */
	sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		return become_program(in, s->arg[0], &before);
	if (pid > 0)
		serve(in, (int)pid, &all);
	return (int)pid;
}
