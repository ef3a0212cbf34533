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

/*
 * Processes that are made as children of our parent, not ours: it outlives us and hears of their
 * end. Those that have ended meanwhile are listed, as it does not know them, and one that is not
 * reaped keeps the pid namespace it is in from coming to its end.
 */
struct siblings {
	pid_t ended[4]; /* a stage, a process that failed */
	size_t count;
};

struct spawn {
	unsigned long clone_flags; /* CLONE_NEW* */
	struct siblings *siblings; /* NULL: a child of ours */
	bool user_ns; /* a new one: become uid 0 in it, or the exec drops all capabilities */
	/* Who made and is in the user namespace, which is mapped: the child is born in that, and in its network
	 * namespace if it made one. Not for siblings. NULL: the clone makes them, and the child waits for SYNC_MAPPED */
	struct ahead *ahead;
	int netns_fd;  /* made ahead, to be entered; -1: none */
	int cgroup_fd; /* -1: the caller's */
	int root_fd;   /* becomes the working directory, with ahead: is it already; -1: none */
	int init_fd;   /* tote-init, see spawn_init_fd() */
	unsigned int close_from; /* the first descriptor that is not the program's */
	int plan_fd, sync_fd;
	const int *keep; /* further descriptors that tote-init needs */
	size_t keep_count;
};

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
