/* SPDX-License-Identifier: Apache-2.0 */
/* A deadline with growing pauses, for the loops of cg.c and cg_procs.c. Private to cgroups/. */
#ifndef CGROUPS_CG_WAIT_H
#define CGROUPS_CG_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct cg_wait {
	int64_t end;   /* CLOCK_MONOTONIC, nanoseconds */
	int64_t pause; /* the next one, nanoseconds */
};

static inline int64_t cg_wait_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static inline struct cg_wait cg_wait_for(int timeout_ms)
{
	return (struct cg_wait){ cg_wait_now() + timeout_ms * INT64_C(1000000), 20000 };
}

/* The next pause, doubled each time up to 16 ms and never past the end. False when time is up. */
static inline bool cg_wait_next(struct cg_wait *w, struct timespec *ret_pause)
{
	int64_t left = w->end - cg_wait_now();
	int64_t pause = left < w->pause ? left : w->pause;

	if (left <= 0)
		return false;
	*ret_pause = (struct timespec){ pause / 1000000000, pause % 1000000000 };
	if (w->pause < 16000000)
		w->pause *= 2;
	return true;
}

#endif
