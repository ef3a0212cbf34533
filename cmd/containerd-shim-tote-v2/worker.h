/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can block is done by a forked child, which never executes: it has a copy of all we know,
 * calls the library, sends one packet back and ends. Processes that it makes are our children, not
 * its (CLONE_PARENT), so that their end comes to us. It dies with us.
 */
#ifndef SHIM_WORKER_H
#define SHIM_WORKER_H

#include "cmd/containerd-shim-tote-v2/io.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/loop.h"
#include "oci/spawn.h"

#include <sys/resource.h>
#include <sys/types.h>

struct worker_result {
	struct err err;	  /* code 0: done */
	pid_t pid;	  /* of the process that was made, 0: none */
	pid_t *made;	  /* NULL, or where pid is told ahead: known even if the worker is killed */
	pid_t logger;	  /* of the program that takes its output, 0: none */
	bool kill_all;	  /* the container has no pid namespace of its own: the end of init ends
			   nobody else */
	char cgroup[512]; /* its path below the cgroup2 mount, "": none */
	char root[256];	  /* the directory of containers that it is in */
	struct io_owner owner;	  /* whose its pipes are, and those of its execs */
	struct siblings siblings; /* that ended before anybody knew of them; reaped before done */
	struct io_fds io;	  /* the ends that are ours; sent by SCM_RIGHTS */
};

struct workers;

/* Zeroed before the first use. */
struct worker {
	struct list link; /* of all that run */
	struct workers *all;
	pid_t pid;
	pid_t *made; /* shared with it; NULL when there was no memory for that */
	struct loop_source source;
	/* Called once, from the loop: with the result, or with err.code -EIO and words when it died
	 * without one; what it had begun is left then, and pid is what it told ahead. The
	 * descriptors in the result are the callee's, also beside an error. The worker may be freed
	 * or started again in it. */
	void (*done)(struct worker *worker, struct worker_result *result);
};

/* The lists and descriptors that a worker has to know of. */
struct workers {
	struct loop *loop;
	struct rlimit files; /* RLIMIT_NOFILE as we were given it; rlim_max 0: not raised */
	struct list running;
	/* Workers that have told their result and are about to end. Reaped on the way, while others
	 * keep strays from being reaped; forgotten with the last one that runs. */
	pid_t leaving[16];
	size_t leaving_count;
	/* Called in the child before the job: closes what is only the server's, all but keep. A
	 * descriptor of a stream that stays open in a slow job's worker keeps its reader from
	 * seeing the end. */
	void (*in_child)(void *ctx, int keep);
	void *ctx;
};

void workers_init(struct workers *all, struct loop *loop, void (*in_child)(void *ctx, int keep),
		  void *ctx);

/* Many containers have many streams: as many descriptors as we may have. Workers, and so hooks,
 * loggers and containers, get the limit that we were given. */
void workers_raise_files(struct workers *all);

/* Whether what a process needs of descriptors can be opened: once it is made, it is too late. 0 or
 * -errno. */
int workers_have_room(void);

/* Runs job(arg, result) in a child. 0, or -errno when it cannot be made: then done is not called. */
int worker_begin(struct workers *all, struct worker *worker,
		 void (*job)(void *arg, struct worker_result *result), void *arg,
		 void (*done)(struct worker *worker, struct worker_result *result));

/* Takes the results that are there already. Before children are reaped: a result tells whose pid
 * ended. */
void workers_collect(struct workers *all);

/* A child with this pid ended, with a status of waitpid(2): true when it was a worker's. */
bool workers_reaped(struct workers *all, pid_t pid);

#endif
