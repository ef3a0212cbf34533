/* SPDX-License-Identifier: Apache-2.0 */
/* One connection that is carried: relays.c brings it about and ends it, relays_carry.c moves its bytes. */
#ifndef MONITOR_RELAYS_PRIVATE_H
#define MONITOR_RELAYS_PRIVATE_H

#include "cmd/tote-monitor/relays.h"

enum { CLIENT, SERVER };

struct conn;

/* One of the two sockets. */
struct end {
	struct loop_source source;
	struct conn *conn;
	int fd; /* -1: none yet */
};

/* What is read from an end and written to the other one. */
struct way {
	struct relays_pipe pipe; /* there while it holds something */
	size_t held;
	bool ended;
};

struct conn {
	struct list link;
	struct relays *relays;
	struct end ends[2];
	struct way ways[2]; /* from CLIENT, from SERVER */
	bool open;	    /* both ends are */
	bool ipv6;	    /* what is tried at present */
	int64_t since;	    /* when it came, or the container began to run */
	struct loop_timer timer;
};

/* Moves what can be moved, and waits for more. 0, or -errno: it is over (0 bytes are left: -EPIPE). */
int relays_carry(struct conn *c);
void relays_close_pipe(struct relays_pipe *p);
/* Its socket was ready and it is over; c is gone afterwards. */
void relays_finish(struct conn *c);

#endif
