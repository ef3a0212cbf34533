/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function in a process of its own that can do nothing but compute on what it was given
 * (oci/image/confine.h): for every look at bytes of an image that JSON's rules do not cover.
 */
#ifndef OCI_IMAGE_WORKER_H
#define OCI_IMAGE_WORKER_H

#include "lib/err.h"
#include "oci/image/confine.h"

#include <sys/types.h>

struct worker {
	pid_t pid;		      /* 0: none */
	int pidfd;		      /* readable when it has ended */
	struct worker_report *report; /* shared with it */
};

#define WORKER_INIT                                                                                \
	{                                                                                          \
		0, -1, NULL                                                                        \
	}

/* Memory of so many zeroed bytes that workers cloned later share with us: for results and counters.
 * NULL when there is none. */
void *worker_share(size_t size);
void worker_unshare(void *p, size_t size);

/*
 * Clones a process that confines itself and calls run(arg): 0 or -errno with words, which become
 * worker_wait()'s. The caller must have no threads. What opts->keep does not list is closed in
 * there.
 */
int worker_start(const struct confine_opts *opts, int (*run)(void *arg, struct err *err), void *arg,
		 struct worker *ret, struct err *err);

/*
 * Waits for its end and reaps it: what run() returned, or of one that died -EBADMSG: it did what it
 * must not, -ECHILD: somebody killed it, -ENOMEM: memory ran out, its own or the host's. Bounded by
 * what run() does.
 */
int worker_wait(struct worker *w, struct err *err);
/* Kills and reaps it; nothing when it was waited for. */
void worker_kill(struct worker *w);

#endif
