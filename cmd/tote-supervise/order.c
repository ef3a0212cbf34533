/* SPDX-License-Identifier: Apache-2.0 */
/* What services have to do with each other: who starts after whom, who ends before whom. */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"

#include <stdio.h>
#include <string.h>

/* Ended by itself, and its policy leaves it there. */
static bool is_done(const struct instance *i)
{
	struct seen seen;

	seen_of(i, &seen);
	return i->phase == PHASE_REST && i->record.run && decide_restart(&seen) != REASON_NONE;
}

static void count_instance(const struct instance *i, struct depend_on *on)
{
	const struct instance_exit *e = instance_record_last(&i->record);
	bool up = i->phase == PHASE_RUNNING && i->stop_run != i->run;

	if (i->want == WANT_GONE || i->want == WANT_KEEP)
		up = up && i->want == WANT_KEEP;
	if (up || i->phase == PHASE_IDLE) {
		on->started++;
		/* One that waits for connections is as well as it will be without any. */
		on->healthy += i->phase == PHASE_IDLE || !i->made ||
			       i->made->health.kind == HEALTH_NONE ||
			       i->health_state == HEALTH_STATE_HEALTHY;
	}
	if (is_done(i) && e && i->want != WANT_GONE) {
		on->started += e->reason == EXIT_ENDED;
		on->completed += e->code == 0 && e->reason == EXIT_ENDED;
		on->failed += e->code != 0;
	} else if (i->record.degraded) {
		on->failed++;
	}
}

static void measure(struct service *s, struct depend_on *ret)
{
	*ret = (struct depend_on){ .exists = s && s->want };
	if (!ret->exists)
		return;
	ret->wanted = s->want->replicas;
	for_list (i, &s->instances, struct instance, link)
		count_instance(i, ret);
}

static const char *condition_words(int condition)
{
	return condition == DEPEND_HEALTHY     ? "to be healthy"
	       : condition == DEPEND_COMPLETED ? "to complete"
					       : "to start";
}

bool depends_hold(const struct service *s, const struct desired_service *d, char *why, size_t size)
{
	if (size)
		why[0] = 0;
	for_each (depend, &d->depends) {
		struct service *on = service_find(s->project, depend->service);
		struct depend_on seen;

		measure(on, &seen);
		if (decide_depend(depend, &seen))
			continue;
		snprintf(why, size, "waiting for %s %s%s", depend->service,
			 condition_words(depend->condition),
			 !seen.exists		   ? ", which is not there"
			 : on && on->want->stopped ? ", which is stopped"
			 : seen.failed		   ? ", which failed"
						   : "");
		return false;
	}
	return true;
}

bool depends_settled(const struct service *s, const struct desired_service *d)
{
	for_each (depend, &d->depends) {
		const struct service *on = service_find(s->project, depend->service);

		if (on && on->want && on->updating)
			return false;
	}
	return true;
}

/* All of it is to end. */
static bool is_ending(const struct service *s)
{
	return service_supervisor(s)->stopping || !s->want || s->want->stopped;
}

static bool lives(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link)
		if (i->phase != PHASE_ABSENT && i->phase != PHASE_REST)
			return true;
	return false;
}

static bool depends_on(const struct service *s, const char *name)
{
	const struct desired_service *d = service_definition(s);

	for (size_t n = 0; d && n < d->depends.count; n++)
		if (strcmp(d->depends.items[n].service, name) == 0)
			return true;
	return false;
}

bool may_stop(const struct service *s)
{
	if (!is_ending(s))
		return true;
	for_list (other, &s->project->services, struct service, link)
		if (other != s && is_ending(other) && depends_on(other, s->name) && lives(other))
			return false;
	return true;
}

void service_forgive(struct service *s)
{
	for_list (i, &s->instances, struct instance, link) {
		if (i->dir < 0)
			continue;
		i->record.due = 0;
		i->record.failures = 0;
		i->record.degraded = false;
		instance_save_record(i);
	}
}

void service_again(struct service *s)
{
	for_list (i, &s->instances, struct instance, link) {
		if (i->dir < 0 || !i->run)
			continue;
		i->record.again = i->run;
	}
	service_forgive(s);
}

/* One step only: what depends on those in turn says so itself, and they are not replaced. */
void restart_dependents(struct service *s)
{
	for_list (other, &s->project->services, struct service, link) {
		const struct desired_service *d = other->want;

		for (size_t n = 0; d && n < d->depends.count; n++) {
			const struct desired_depend *depend = &d->depends.items[n];

			if (!depend->restart || strcmp(depend->service, s->name) != 0 ||
			    d->stopped || !lives(other))
				continue;
			event(service_supervisor(s), s->project, other, NULL, "restarting",
			      "with %s, which it depends on", s->name);
			service_again(other);
		}
	}
}
