/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces that are made by a process of its own while we go on: a network namespace, the dearest
 * single step of a start (0.35 ms and more), is made on another processor. A container's user
 * namespace has to own it, so that one is made first: by the same process, which is in it and clones the
 * container's there (ahead_clone()). It shares our memory and descriptors, reads this struct until
 * ahead_end(), and ends with us.
 */
#ifndef OCI_AHEAD_H
#define OCI_AHEAD_H

#include "lib/sys.h"

#include <stdint.h>
#include <sys/types.h>

struct clone_args; /* linux/sched.h */

struct ahead {
	pid_t pid; /* 0: not begun, or that failed */
	/* internal */
	pid_t parent;
	unsigned long flags;
	int netns;	       /* or -1, -errno */
	uint32_t stage, order; /* futexes */
	struct clone_args *child_args;
	int (*child_entry)(void *);
	void *child_arg;
	pid_t child_pid;
	int error; /* instead of a child: -errno */
};

/* flags: CLONE_NEWUSER, CLONE_NEWNET. root_fd: a working directory for it and the child that it clones, -1: ours.
 * 0 or -errno. */
int ahead_begin(struct ahead *ahead, unsigned long flags, int root_fd);
/* Waits for the network namespace; the descriptor is the caller's. -1 when not begun or it failed:
 * then it is made as part of the clone. */
int ahead_netns(struct ahead *ahead);
/* Drops what nobody took. Nothing when not begun. */
void ahead_end(struct ahead *ahead);
/*
 * The container's process, which is a child of ours, starts in entry(arg); args (no siblings) may be changed.
 * It is born in the user namespace that was made, and in the network namespace. Comes back when it executes a
 * program. Its id or -errno; -ECHILD: who was to clone it was killed.
 */
sys_t ahead_clone(struct ahead *ahead, struct clone_args *args, int (*entry)(void *), void *arg);

#endif
