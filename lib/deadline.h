/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment by which something that consists of several waits has to be over: each of them gets what
 * is left. Only the monotonic clock counts, as a box's real-time clock may jump by years.
 */
#ifndef LIB_DEADLINE_H
#define LIB_DEADLINE_H

#include <stdint.h>
#include <time.h>

/* Zeroed, or no deadline at all (NULL): never. */
struct deadline {
	int64_t at_ms; /* CLOCK_MONOTONIC */
};

static inline int64_t deadline_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline struct deadline deadline_in(int ms)
{
	return (struct deadline){ deadline_now_ms() + ms };
}

/* The time for one wait that alone would be given wait_ms (-1: for ever): 0 when none is left. */
static inline int deadline_left(const struct deadline *d, int wait_ms)
{
	int64_t left;

	if (!d || !d->at_ms)
		return wait_ms;
	left = d->at_ms - deadline_now_ms();
	if (left < 0)
		left = 0;
	return wait_ms >= 0 && wait_ms < left ? wait_ms : (int)left;
}

#endif
