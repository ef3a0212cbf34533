/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that are repaired by themselves: hears of the host's interfaces and addresses as they go
 * and come, looks whether an attachment has lost something by it, and has repair.c put that back. A
 * network card that went is waited for. Now and then it looks at the nf_tables table as well, which
 * says nothing when it is flushed.
 *
 * A loop of the caller's polls watch_fd() for at most watch_timeout() and then calls watch_step(),
 * whichever of the two it was. `tote network watch` is that and no more.
 */
#ifndef NETNS_WATCH_H
#define NETNS_WATCH_H

#include "netns/repair.h"

#include <stdint.h>

struct watch {
	const struct repair *rp;
	int events;
	int64_t look_at;  /* ms of CLOCK_MONOTONIC: when to look at the attachments; 0: no need */
	bool all;	  /* at each, whether or not it seems to have lost anything */
	int64_t table_at; /* when to look at the table */
	struct rtnl *host;
};

#define WATCH_INIT                                                                                 \
	{                                                                                          \
		.events = -1                                                                       \
	}

/* Of the calling thread's network namespace; looks at everything at the first step. rp stays the
 * caller's. 0 or -errno. */
int watch_open(struct watch *w, const struct repair *rp, struct err *err);
void watch_close(struct watch *w);
/* To poll for POLLIN. */
int watch_fd(const struct watch *w);
/* Milliseconds until watch_step() has something to do without an event. */
int watch_timeout(const struct watch *w);
/* Never waits for events. What cannot be repaired is told by rp, and is no failure. 0 or -errno, after
 * which the watch is over. */
int watch_step(struct watch *w, struct err *err);

#endif
