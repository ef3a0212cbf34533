/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/health.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static uint32_t any_number(void)
{
	uint32_t n = 0;

	/* Without entropy, early at boot, they come together: no harm. */
	return getrandom(&n, sizeof(n), GRND_NONBLOCK) == sizeof(n) ? n : 0;
}

static void probe(struct loop_timer *timer);

static void wait_for_next(struct health *h)
{
	int64_t pause = health_pause(h->check, &h->tally, h->instance->status.started, loop_now(),
				     any_number());

	loop_timer_set(&h->sup->loop, &h->timer, pause, probe);
}

static void close_source(struct health *h)
{
	loop_remove(&h->sup->loop, &h->source);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

void health_done(struct health *h, bool good, const char *fmt, ...)
{
	struct instance *i = h->instance;
	bool changed;

	close_source(h);
	if (h->pid)
		health_exec_kill(h);
	if (fmt) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(h->why, sizeof(h->why), fmt, ap);
		va_end(ap);
	}
	i->health_why = good ? NULL : h->why;
	changed = health_judge(h->check, &h->tally, good, h->began, i->status.started);
	h->began = 0;
	wait_for_next(h);
	/* Last, as it may end the check. */
	if (changed)
		instance_health(h->sup, i, (enum health_state)h->tally.state);
}

static void too_late(struct loop_timer *timer)
{
	struct health *h = container_of(timer, struct health, timer);

	health_done(h, false, "no answer within %u ms", health_timeout(h->check));
}

static void probe(struct loop_timer *timer)
{
	struct health *h = container_of(timer, struct health, timer);

	/* One that sleeps cannot answer, and is not to be woken. */
	if (h->instance->status.state != INSTANCE_RUNNING) {
		wait_for_next(h);
		return;
	}
	h->began = loop_now();
	h->len = 0;
	h->line_done = false;
	loop_timer_set(&h->sup->loop, &h->timer, health_timeout(h->check), too_late);
	if (h->check->kind == HEALTH_EXEC)
		health_exec_begin(h);
	else
		health_net_begin(h);
}

/* A run that is older than its first probe should be goes on since before we came. */
static int64_t first_pause(const struct health *h)
{
	int64_t now = loop_now(), started = h->instance->status.started;
	int64_t pause = health_pause(h->check, &h->tally, started, started, any_number());

	if (started + pause > now)
		return started + pause - now;
	return health_pause_again(h->check, any_number());
}

void health_begin(struct supervisor *sup, struct instance *i)
{
	struct health *h;

	if (i->health || !i->made || i->made->health.kind == HEALTH_NONE)
		return;
	h = calloc(1, sizeof(*h));
	if (!h) {
		say(3, "%s: no memory for its health check", i->name);
		return;
	}
	h->sup = sup;
	h->instance = i;
	h->check = &i->made->health;
	h->tally.state = HEALTH_STATE_STARTING;
	h->fd = -1;
	i->health = h;
	i->health_why = NULL;
	if (h->check->kind == HEALTH_EXEC)
		health_exec_leftover(h);
	loop_timer_set(&sup->loop, &h->timer, first_pause(h), probe);
	if (i->health_state != HEALTH_STATE_STARTING)
		instance_health(sup, i, HEALTH_STATE_STARTING);
}

void health_end(struct supervisor *sup, struct instance *i)
{
	struct health *h = i->health;

	(void)sup;
	if (!h)
		return;
	i->health = NULL;
	i->health_why = NULL;
	loop_timer_clear(&h->timer);
	close_source(h);
	if (h->pid)
		health_exec_kill(h);
	free(h);
}

static struct health *find_child(struct supervisor *sup, pid_t pid)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				if (i->health && i->health->pid == pid)
					return i->health;
	return NULL;
}

bool health_reaped(struct supervisor *sup, pid_t pid, int status)
{
	struct health *h = find_child(sup, pid);

	if (!h)
		return false;
	h->pid = 0;
	health_exec_ended(h, status);
	return true;
}
