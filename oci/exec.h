/* SPDX-License-Identifier: Apache-2.0 */
/* One more process in a running container. */
#ifndef OCI_EXEC_H
#define OCI_EXEC_H

#include "oci/container.h"

struct exec_opts {
	struct spec_process *process;
	const char *console_socket; /* NULL: the terminal is kept, see ret_terminal */
	const char *pid_file, *pidfd_socket;
	const char *cgroup; /* below the container's group; NULL: the group itself */
	unsigned int preserve_fds;
	bool ignore_paused;
	struct siblings *siblings; /* the process is a child of our parent; NULL: of ours */
	/* NULL: nobody asks. Set before the process runs, and 0 again on failure: in memory that
	 * outlives the caller it tells what a killed one has left. */
	pid_t *ret_pid;
};

/*
 * Starts the process; it runs when this returns. *ret_pidfd and *ret_terminal (-1: none) are the
 * caller's; the process is the caller's child, or sibling. -ESRCH: "container not running".
 */
int container_exec(struct container *c, const struct exec_opts *opts, int *ret_pidfd,
		   int *ret_terminal, struct err *err);

#endif
