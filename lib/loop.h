/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that waits for many things: descriptors (epoll, level-triggered) and points in time.
 * Sources and timers are embedded in what they belong to; the loop allocates nothing. For programs
 * that run long (the shim, the supervisor).
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include "lib/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop_source {
	int fd;		 /* -1 or 0 with ready NULL: not in a loop */
	uint32_t events; /* EPOLLIN, EPOLLOUT; 0: only its end */
	/* May remove any source, also its own, and free what that is embedded in. */
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop_timer {
	struct list link; /* sorted by due; zeroed: not set */
	int64_t due;	  /* milliseconds of CLOCK_BOOTTIME */
	void (*fire)(struct loop_timer *timer);
};

#define LOOP_BATCH 16

struct loop {
	int epoll;
	bool stop; /* set by whoever wants loop_run() to return */
	struct list timers;
	struct epoll_event batch[LOOP_BATCH];
	int batch_count; /* what is left of it is cleared when its source is removed */
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* fd stays the caller's. 0 or -errno (-EPERM: a regular file, which is always ready). */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events));
/* Other events; nothing happens when they are those there are. */
void loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
/* Before its fd is closed. A source in no loop is left alone. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* CLOCK_BOOTTIME in milliseconds: goes on while the machine sleeps, does not step with the clock. */
int64_t loop_now(void);
/* Once, after_ms from now; set anew when it is set. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_ms,
		    void (*fire)(struct loop_timer *timer));
void loop_timer_clear(struct loop_timer *timer);

/* Waits once, for at most timeout_ms (-1: for as long as it takes), and calls what is ready, timers
 * last. 0 or -errno. */
int loop_once(struct loop *loop, int timeout_ms);
/* Until stop is set. 0 or -errno. */
int loop_run(struct loop *loop);

#endif
