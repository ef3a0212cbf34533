/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment by which something that consists of several waits has to be over: each of them gets what
 * is left. Only the monotonic clock counts, as a box's real-time clock may jump by years. oci/
 * hands the deadline of a command down, cgroups/ and others loop until one.
 */
#ifndef LIB_DEADLINE_H
#define LIB_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Zeroed, or no deadline at all (NULL): never. */
struct deadline {
	int64_t at; /* CLOCK_MONOTONIC, nanoseconds */
};

static inline int64_t deadline_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t deadline_now_ms(void)
{
	return deadline_now() / 1000000;
}

static inline struct deadline deadline_in(int ms)
{
	return (struct deadline){ deadline_now() + ms * INT64_C(1000000) };
}

static inline bool deadline_passed(const struct deadline *d)
{
	return d && d->at && deadline_now() >= d->at;
}

/* The time for one wait that alone would be given wait_ms (-1: for ever): 0 when none is left. A
 * part of a millisecond counts as a whole one. */
static inline int deadline_left(const struct deadline *d, int wait_ms)
{
	int64_t left;

	if (!d || !d->at)
		return wait_ms;
	left = (d->at - deadline_now() + 999999) / 1000000;
	if (left < 0)
		left = 0;
	return wait_ms >= 0 && wait_ms < left ? wait_ms : (int)left;
}

/* The pauses of a loop that looks again and again, until a deadline. */
struct deadline_pauses {
	struct deadline end;
	int64_t next; /* nanoseconds */
};

static inline struct deadline_pauses deadline_pauses_in(int ms)
{
	return (struct deadline_pauses){ deadline_in(ms), 20000 };
}

/* The next pause, twice the one before up to 16 ms and never past the end. False when time is up.
 */
static inline bool deadline_pause(struct deadline_pauses *p, struct timespec *ret_pause)
{
	int64_t left = p->end.at - deadline_now();
	int64_t pause = left < p->next ? left : p->next;

	if (left <= 0)
		return false;
	*ret_pause = (struct timespec){ pause / 1000000000, pause % 1000000000 };
	if (p->next < 16000000)
		p->next *= 2;
	return true;
}

#endif
