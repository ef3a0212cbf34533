/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host and tote-init say to each other while a container is made: one struct per message
 * over a SOCK_SEQPACKET pair. The socket closes at the final execve, so the end of file means "the
 * program runs". Freestanding.
 */
#ifndef OCI_SYNC_H
#define OCI_SYNC_H

#include <stdint.h>

enum sync_what {
	/* host -> child */
	SYNC_MAPPED = 1, /* the ids of the new user namespace are mapped */
	SYNC_HOST_DONE,	 /* the host has done what SYNC_HOST asked for */
	SYNC_RELEASE, /* the container is recorded: go on to the wait for start, or to the program
		       */
	SYNC_START,   /* over the start socket: `tote start` */
	/* child -> host */
	SYNC_CHILD, /* value: the pid of the process that goes on; carries its pidfd. The sender
		       ends */
	SYNC_HOST,  /* namespaces are there, nothing is mounted: host hooks and network devices now
		     */
	SYNC_TERMINAL, /* carries the terminal's master descriptor */
	SYNC_LISTENER, /* value: the descriptor that the seccomp listener will have */
	SYNC_READY,    /* everything that can fail before start has been done */
	SYNC_FAILED,   /* step, op, value: the step that failed and its negative errno */
};

struct sync_msg {
	uint16_t what;
	uint16_t step;
	uint16_t op; /* of the step, for `start`, which has no plan at hand */
	uint16_t unused;
	int32_t value;
};

#endif
