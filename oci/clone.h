/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that share our memory for a while (CLONE_VM), which saves copying page tables: they run on
 * stacks of their own and make raw system calls only, as errno and libc's state are ours. spawn.c,
 * ahead.c and close_after.c make some.
 */
#ifndef OCI_CLONE_H
#define OCI_CLONE_H

#include "lib/sys.h"

#include <linux/sched.h>
#include <stdbool.h>

/* What such a process runs must not call into a sanitizer's runtime, whose state is the parent's. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

/*
 * clone3 with a stack of the child's own: the child starts in entry(arg), never returns into our
 * frames. glibc has no wrapper, and clone(2) knows neither CLONE_INTO_CGROUP nor all flags. The child's
 * process id or -errno. Linux 5.3; CLONE_INTO_CGROUP 5.7.
 */
sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg);

_Noreturn void clone_exit(int code);

/*
 * Around a clone: dir (-1: none) becomes the working directory, and then the one before it again.
 *
 * The new mount namespace takes the working directory along: its copy of the root file system is
 * the child's "." without a path to look up, which a mapped user could perhaps not search. A
 * directory entered after the clone would be the host's mount; and who is in a user namespace may not
 * enter it any more.
 */
struct clone_cwd {
	int dir, back;
};

/* 0, or -1 with errno: then there is nothing to come back from. */
int clone_go_to(struct clone_cwd *cwd, int dir);
/* Where there is no way back, at least out of a root file system that may be hostile; false: not even that. */
bool clone_come_back(struct clone_cwd *cwd);

#endif
