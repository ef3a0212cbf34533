/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process, cloned into new and existing namespaces and a cgroup, that executes tote-init. Used
 * by oci/launch.c for containers and for exec. Linux 5.7 (CLONE_INTO_CGROUP).
 */
#ifndef OCI_SPAWN_H
#define OCI_SPAWN_H

#include "lib/err.h"
#include "oci/spec.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Processes that are made as children of our parent, not ours: it outlives us and hears of their
 * end. Those that have ended meanwhile are listed, as it does not know them, and one that is not
 * reaped keeps the pid namespace it is in from coming to its end.
 */
struct siblings {
	pid_t ended[4]; /* a stage, a process that failed */
	size_t count;
};

struct clone_args;

struct spawn {
	unsigned long clone_flags; /* CLONE_NEW* */
	struct siblings *siblings; /* NULL: a child of ours */
	bool user_ns; /* a new one: become uid 0 in it, or the exec drops all capabilities */
	struct spawn_ahead
		*ahead; /* who made and is in the user namespace, which is mapped: the child is
				      born in that, and in its network namespace if it made one. Not for
				      siblings. NULL: the clone makes them, and the child waits for
				      SYNC_MAPPED */
	int netns_fd;	/* made ahead, to be entered; -1: none */
	int cgroup_fd;	/* -1: the caller's */
	int root_fd;	/* becomes the working directory, with ahead: is it already; -1: none */
	int init_fd;	/* tote-init, see spawn_init_fd() */
	unsigned int close_from; /* the first descriptor that is not the program's */
	int plan_fd, sync_fd;
	const int *keep; /* further descriptors that tote-init needs */
	size_t keep_count;
};

/*
 * Namespaces that are made by a process of its own while we go on: a network namespace, the dearest
 * single step of a start (0.35 ms and more), is made on another processor. A container's user
 * namespace has to own it, so that one is made first: by the same process, which is in it and clones the
 * container's (struct spawn) there. It shares our memory and descriptors, reads this struct until
 * spawn_ahead_end(), and ends with us.
 */
struct spawn_ahead {
	pid_t pid; /* 0: not begun, or that failed */
	/* internal */
	pid_t parent;
	unsigned long flags;
	int netns;	       /* or -1, -errno */
	uint32_t stage, order; /* futexes */
	const struct spawn *child;
	struct clone_args *child_args;
	pid_t child_pid;
	int error; /* instead of a child: -errno */
};

/* flags: CLONE_NEWUSER, CLONE_NEWNET. root_fd: a working directory for it and the child that it clones, -1: ours.
 * 0 or -errno. */
int spawn_ahead_begin(struct spawn_ahead *ahead, unsigned long flags, int root_fd);
/* Waits for the network namespace; the descriptor is the caller's. -1 when not begun or it failed:
 * then it is made as part of the clone. */
int spawn_ahead_netns(struct spawn_ahead *ahead);
/* Drops what nobody took. Nothing when not begun. */
void spawn_ahead_end(struct spawn_ahead *ahead);

/*
 * Takes two descriptors of detached mounts (rest: or -1), and has them closed when a process has ended: the
 * end of a mount has to wait until no processor looks at it any more (an RCU grace period), which nobody
 * else needs to. That is done by a process that shares our memory, is nobody's to wait for, and ends with us.
 */
void spawn_close_after(int pidfd, int tree, int rest);

void siblings_add(struct siblings *siblings, pid_t pid);

/* A sealed memfd with tote-init in it, close-on-exec. Returns the descriptor or -errno. */
int spawn_init_fd(struct err *err);

/*
 * Clones. *ret_pid is in the caller's pid namespace and its child (or sibling), *ret_pidfd
 * close-on-exec. What fails in the child before tote-init runs arrives over the sync socket as
 * SYNC_FAILED with a step from SPAWN_STEP_FIRST on.
 */
int spawn(const struct spawn *sp, pid_t *ret_pid, int *ret_pidfd, struct err *err);

#define SPAWN_STEP_FIRST 0xff00
/* What such a step was about: "enter the user namespace"; NULL for a plan's own step. */
const char *spawn_step_text(unsigned int step);

#endif
