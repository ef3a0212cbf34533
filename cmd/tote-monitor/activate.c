/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scale to zero. The sockets of the host are ours; who connects has the container started or thawed,
 * and is then carried into it (relays.c), or is left to the container, which has the sockets too. When
 * nobody has been connected for long enough, it goes back to sleep.
 */
#include "cmd/tote-monitor/activate_private.h"
#include "cmd/tote-monitor/monitor.h"
#include "netns/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* What one look at a socket takes of its queue. */
#define ACCEPTS 64
/* Out of descriptors or memory: tried again then. */
#define AGAIN_MS 100
/* How often the kernel is asked for connections; its tables are long. */
#define LOOK_MIN_MS 250
#define LOOK_MAX_MS 15000
#define SAVE_MS 20

static void is_idle(struct loop_timer *timer);
static void look(struct loop_timer *timer);
static void listen_again(struct loop_timer *timer);
static void caller_comes(struct loop_source *source, uint32_t events);

static bool thaws(const struct activate *a)
{
	const char *mode = a->m->o->mode;

	return mode && strcmp(mode, "thaw") == 0;
}

void activate_listen(struct activate *a, bool on)
{
	if (a->listening == on)
		return;
	a->listening = on;
	for (size_t i = 0; i < a->count; i++) {
		struct listener *l = &a->listeners[i];

		if (!on)
			loop_remove(&a->m->loop, &l->source);
		else if (loop_add(&a->m->loop, &l->source, l->fd, EPOLLIN, caller_comes) < 0)
			loop_timer_set(&a->m->loop, &a->again, AGAIN_MS, listen_again);
	}
}

static bool wants_callers(const struct activate *a)
{
	switch (a->m->state) {
	case MS_CREATED:
	case MS_FROZEN:
		return true;
	case MS_STARTING:
	case MS_RUNNING:
		return !a->hand_over && a->relays.count < RELAYS_MAX;
	default:
		/* They wait in the kernel's queue, for the next run. */
		return false;
	}
}

static void listen_again(struct loop_timer *timer)
{
	struct activate *a = container_of(timer, struct activate, again);

	activate_listen(a, false);
	activate_listen(a, wants_callers(a));
}

static void wake(struct activate *a)
{
	if (a->m->state == MS_CREATED) {
		a->by_caller = true;
		monitor_tell(a->m, ME_START);
	} else if (a->m->state == MS_FROZEN) {
		monitor_tell(a->m, ME_THAW);
	}
}

static void save(struct loop_timer *timer)
{
	monitor_save(container_of(timer, struct activate, save)->m);
}

/* Numbers for people, which nobody who has connected should wait for. */
static void save_soon(struct activate *a)
{
	loop_timer_set(&a->m->loop, &a->save, SAVE_MS, save);
}

static void count_connections(struct activate *a, uint64_t count)
{
	if (a->m->status.connections == count)
		return;
	a->m->status.connections = count;
	save_soon(a);
}

static void start_idle(struct activate *a)
{
	int64_t ms = a->m->o->idle_ms, pause = ms / 4;

	loop_timer_clear(&a->idle);
	if (!ms || a->lame || a->m->state != MS_RUNNING)
		return;
	if (!a->hand_over) {
		if (!a->relays.count)
			loop_timer_set(&a->m->loop, &a->idle, ms, is_idle);
		return;
	}
	if (pause < LOOK_MIN_MS)
		pause = LOOK_MIN_MS;
	if (pause > LOOK_MAX_MS)
		pause = LOOK_MAX_MS;
	loop_timer_set(&a->m->loop, &a->idle, pause, look);
}

static void is_idle(struct loop_timer *timer)
{
	struct activate *a = container_of(timer, struct activate, idle);

	/* Where that fails, it is tried again. */
	start_idle(a);
	monitor_tell(a->m, thaws(a) ? ME_FREEZE : ME_IDLE);
}

int activate_flows(const struct activate *a)
{
	int sum = 0;

	for (size_t i = 0; i < a->count; i++) {
		int n = flows_count(&a->listeners[i].at);

		if (n < 0)
			return n;
		sum += n;
	}
	return sum;
}

static void look(struct loop_timer *timer)
{
	struct activate *a = container_of(timer, struct activate, idle);
	int count = activate_flows(a);
	int64_t now = loop_now();

	/* What cannot be known is no reason to end it. */
	if (count != 0)
		a->used = now;
	if (count >= 0)
		count_connections(a, (uint64_t)count);
	if (now - a->used >= a->m->o->idle_ms)
		is_idle(timer);
	else
		start_idle(a);
}

void activate_relay_ended(struct relays *relays)
{
	struct activate *a = container_of(relays, struct activate, relays);

	count_connections(a, relays->count);
	activate_listen(a, wants_callers(a));
	start_idle(a);
}

static void take_callers(struct activate *a, int listen_fd)
{
	for (int n = 0; n < ACCEPTS && a->relays.count < RELAYS_MAX; n++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		/* Somebody who has gone again is none. */
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			activate_listen(a, false);
			loop_timer_set(&a->m->loop, &a->again, AGAIN_MS, listen_again);
			return;
		}
		relays_add(&a->relays, fd);
	}
}

/* Its start is begun before anything else: what is done here is done while that runs. */
static void caller_comes(struct loop_source *source, uint32_t events)
{
	struct listener *l = container_of(source, struct listener, source);
	struct activate *a = l->activate;

	(void)events;
	wake(a);
	if (a->hand_over) {
		/* From here on they are the container's. */
		activate_listen(a, false);
		return;
	}
	take_callers(a, l->fd);
	if (a->relays.count)
		loop_timer_clear(&a->idle);
	count_connections(a, a->relays.count);
	if (a->relays.count >= RELAYS_MAX)
		activate_listen(a, false);
}

/* As soon as it may begin to listen. Without the namespace nobody is let in: connections would go to
 * programs of the host. */
static void let_in(struct activate *a)
{
	pid_t pid = a->m->status.init.pid;
	struct err err;
	int netns;

	if (a->hand_over || a->relays.open || pid <= 0)
		return;
	netns = dial_namespace(pid, &err);
	if (netns >= 0)
		relays_open(&a->relays, netns);
}

static void now_running(struct activate *a, enum monitor_state from)
{
	if (from == MS_FROZEN || a->by_caller) {
		a->m->status.activations++;
		save_soon(a);
	}
	a->by_caller = false;
	a->used = loop_now();
	let_in(a);
	start_idle(a);
}

/* Somebody may have come between the last look and the end of the freeze. */
static void now_frozen(struct activate *a)
{
	loop_timer_clear(&a->idle);
	if (a->hand_over ? activate_flows(a) > 0 : a->relays.count > 0)
		wake(a);
}

static void now_created(struct activate *a)
{
	if (thaws(a))
		monitor_tell(a->m, ME_START);
	else if (a->relays.count)
		wake(a);
}

void activate_changed(struct monitor *m, enum monitor_state from)
{
	struct activate *a = m->activate;

	activate_listen(a, wants_callers(a));
	switch (m->state) {
	case MS_CREATED:
		now_created(a);
		break;
	case MS_STARTING:
		let_in(a);
		break;
	case MS_RUNNING:
		now_running(a, from);
		break;
	case MS_FROZEN:
		now_frozen(a);
		break;
	case MS_CLEARING:
		relays_shut(&a->relays);
		count_connections(a, a->relays.count);
		/* fall through */
	default:
		loop_timer_clear(&a->idle);
	}
}
