/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process, cloned into new and existing namespaces and a cgroup, that executes tote-init. Used
 * by oci/launch.c for containers and for exec. Linux 5.7 (CLONE_INTO_CGROUP).
 */
#ifndef OCI_SPAWN_H
#define OCI_SPAWN_H

#include "lib/err.h"
#include "oci/spec.h"

#include <sys/types.h>

struct spawn {
	unsigned long clone_flags; /* CLONE_NEW* */
	bool user_ns;  /* a new one: wait for SYNC_MAPPED and become uid 0 in it, or the exec drops
			  all  capabilities */
	int netns_fd;  /* made ahead, to be entered; -1: none */
	int cgroup_fd; /* -1: the caller's */
	int root_fd;   /* becomes the working directory; -1: none */
	int init_fd;   /* tote-init, see spawn_init_fd() */
	unsigned int close_from; /* the first descriptor that is not the program's */
	int plan_fd, sync_fd;
	const int *keep; /* further descriptors that tote-init needs */
	size_t keep_count;
};

/*
 * A network namespace that is made by a task of its own while we go on: the dearest single step of
 * a start (0.35 ms and more) runs on another processor. Not for a container with a user namespace,
 * which has to own it.
 */
struct spawn_netns {
	pid_t pid; /* 0: not begun */
	int fd;	   /* or -errno */
};

void spawn_netns_begin(struct spawn_netns *ns);
/* Waits for it; the descriptor is the caller's. -1 when not begun or it failed: then it is made as
 * part of the clone. */
int spawn_netns_end(struct spawn_netns *ns);

/* A sealed memfd with tote-init in it, close-on-exec. Returns the descriptor or -errno. */
int spawn_init_fd(struct err *err);

/*
 * Clones. *ret_pid is in the caller's pid namespace and its child, *ret_pidfd close-on-exec. What
 * fails in the child before tote-init runs arrives over the sync socket as SYNC_FAILED with a step
 * from SPAWN_STEP_FIRST on.
 */
int spawn(const struct spawn *sp, pid_t *ret_pid, int *ret_pidfd, struct err *err);

#define SPAWN_STEP_FIRST 0xff00
/* What such a step was about: "enter the user namespace"; NULL for a plan's own step. */
const char *spawn_step_text(unsigned int step);

#endif
