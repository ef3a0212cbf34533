/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's half of making a process: opens what the plan marks as the host's, clones, maps ids,
 * and talks with tote-init until the program runs or a step fails. Straight-line code that may
 * allocate and fails in words. Called by oci/create.c for containers and oci/exec.c for further
 * processes.
 *
 *	launch_begin -> [launch_until(SYNC_HOST) -> launch_tell(SYNC_HOST_DONE)] ->
 *	[launch_until(SYNC_READY)] -> launch_release -> launch_until(0: the program runs)
 */
#ifndef OCI_LAUNCH_H
#define OCI_LAUNCH_H

#include "lib/err.h"
#include "oci/plan.h"
#include "oci/spawn.h"
#include "oci/sync.h"

#include <sys/types.h>

struct launch {
	/* given */
	const struct plan *plan;
	int cgroup_fd; /* -1: none */
	uint64_t ooms; /* that were counted in that group before */
	int start_fd;  /* the socket that `start` connects to; -1: none */
	int identity;  /* exec: a pidfd; the namespaces opened by path are those of this living
			       process; -1: none */
	int userns_fd; /* the new user namespace, made and mapped ahead; -1: made by the clone.
			  Borrowed */
	struct ahead *ahead; /* who made it. NULL: nobody */
	int netns_fd; /* the new network namespace, made ahead; -1: made by the clone. Closed by
			 launch_done() */
	struct siblings *siblings; /* NULL: processes are our children */
	/* made; -1 until then */
	pid_t pid;
	int pidfd;
	int sync;	/* our end */
	int hook_state; /* a memfd that hooks inside read the state from, when there are such hooks
			 */
	int terminal;	/* the master, once it arrived */
	int listener;	/* the seccomp listener, once it was fetched */
	/* internal */
	uint32_t seen; /* 1 << enum sync_what of messages that came */
	struct spawn
		sp; /* read by the child until it executes tote-init: not to be changed meanwhile */
	int child_sync;
	int *keep;
	int oom_score_adj; /* our own, to be restored; OOM_UNCHANGED */
	struct arena arena;
};

void launch_init(struct launch *l, const struct plan *plan);

/* How often a group (-1: 0) had no memory left. */
uint64_t launch_ooms(int cgroup_fd);

/*
 * Opens, clones and maps ids. On failure nothing is left of it. plan and l must stay where they are
 * until the program runs, as the child reads them.
 */
int launch_begin(struct launch *l, struct err *err);

/*
 * Listens to tote-init until it says `what`; 0 stands for the end of the conversation, when the
 * program runs. Takes the terminal and the listener on the way. A failed step becomes err ("chdir
 * to /x: No such file or directory").
 */
int launch_until(struct launch *l, enum sync_what what, struct err *err);

/* Lets the child go on to the wait for start or to its program: everything about it is recorded. */
int launch_release(struct launch *l, struct err *err);

/* Says something to tote-init. A child that is gone is no error here: launch_until() tells why. */
int launch_tell(struct launch *l, enum sync_what what, struct err *err);

/* What tote-init reported as failed, in words. */
int launch_failed(const struct plan *plan, const struct sync_msg *m, struct err *err);

/* Kills the child and reaps it, for undoing; waits for the end of a sibling. */
void launch_kill(struct launch *l);

/* Closes what is still ours (take pidfd, terminal, listener out with take_fd() to keep them) and
 * frees. */
void launch_done(struct launch *l);

#endif
