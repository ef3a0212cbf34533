/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	list_init(&loop->timers);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll < 0 ? -errno : 0;
}

void loop_done(struct loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	loop->epoll = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events))
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*source = (struct loop_source){ .fd = fd, .events = events, .ready = ready };
	return 0;
}

void loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source->ready || source->events == events)
		return;
	source->events = events;
	epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (!source->ready)
		return;
	/* Closing alone would not do while a forked child holds the same open file. */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
	*source = (struct loop_source){ .fd = -1 };
}

int64_t loop_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct loop_timer *timer_of(struct list *link)
{
	return container_of(link, struct loop_timer, link);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_ms,
		    void (*fire)(struct loop_timer *timer))
{
	struct list *behind;

	list_remove(&timer->link);
	if (__builtin_add_overflow(loop_now(), after_ms, &timer->due))
		timer->due = INT64_MAX;
	timer->fire = fire;
	/* Most are set for later than those there are. */
	for (behind = loop->timers.prev; behind != &loop->timers; behind = behind->prev)
		if (timer_of(behind)->due <= timer->due)
			break;
	list_add(behind->next, &timer->link);
}

void loop_timer_clear(struct loop_timer *timer)
{
	list_remove(&timer->link);
}

/* Those that are due now, not those which their callbacks set: a timer that sets itself anew for at
 * once must not keep the descriptors waiting. */
static void fire_timers(struct loop *loop)
{
	int64_t now = loop_now();
	struct list due, *link;

	list_init(&due);
	while ((link = loop->timers.next) != &loop->timers && timer_of(link)->due <= now) {
		list_remove(link);
		list_add(&due, link);
	}
	while ((link = list_pop(&due)))
		timer_of(link)->fire(timer_of(link));
}

static int wait_ms(const struct loop *loop, int timeout_ms)
{
	int64_t left;

	if (list_empty(&loop->timers))
		return timeout_ms;
	left = timer_of(loop->timers.next)->due - loop_now();
	if (left < 0)
		left = 0;
	if (left > INT_MAX)
		left = INT_MAX;
	return timeout_ms >= 0 && timeout_ms < left ? timeout_ms : (int)left;
}

static void call_ready(struct loop_source *source, uint32_t events)
{
	/* What was asked for when the kernel answered may not be wanted any more. */
	events &= source->events | EPOLLERR | EPOLLHUP;
	if (events)
		source->ready(source, events);
}

int loop_once(struct loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, wait_ms(loop, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->batch_count = n < 0 ? 0 : n;
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr)
			call_ready(loop->batch[i].data.ptr, loop->batch[i].events);
	loop->batch_count = 0;
	fire_timers(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		int r = loop_once(loop, -1);

		if (r < 0)
			return r;
	}
	return 0;
}
