/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp listener of a process, on its way to the agent that linux.seccomp.listenerPath names.
 */
#ifndef OCI_LISTENER_H
#define OCI_LISTENER_H

#include "oci/spec.h"
#include "oci/state.h"

/*
 * Sends it with the "container process state" (config-linux.md). status is the container's, pid the
 * process that is filtered. fd -1: there is none, and nothing is done.
 */
int listener_hand_over(const struct spec_seccomp *seccomp, const struct state *st,
		       enum status status, pid_t pid, int fd, struct err *err);

#endif
