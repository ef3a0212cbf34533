/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted of each instance of a service: how many, which are replaced and when, and whether a
 * replacement is taken back. */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"
#include "lib/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

/* Without a check, running for so long proves a new one. */
#define PROOF_MS 5000

static int64_t proof_ms(const struct desired_service *d)
{
	int64_t half = d->update_ms / 2;

	/* Well before it counts as late: making it takes time, too. */
	return half && half < PROOF_MS ? half : PROOF_MS;
}

bool instance_completed(const struct instance *i)
{
	const struct instance_exit *e = instance_record_last(&i->record);
	struct seen seen;

	seen_of(i, &seen);
	return i->phase == PHASE_REST && e && e->code == 0 && e->reason == EXIT_ENDED &&
	       decide_restart(&seen) != REASON_NONE;
}

bool instance_good(const struct instance *i, int64_t now, int64_t *ret_due)
{
	*ret_due = 0;
	if (i->phase == PHASE_IDLE || instance_completed(i))
		return true;
	if (i->phase != PHASE_RUNNING || !i->made || i->stop_run == i->run)
		return false;
	if (i->made->health.kind != HEALTH_NONE)
		return i->health_state == HEALTH_STATE_HEALTHY;
	if (now - i->status.started >= proof_ms(i->made))
		return true;
	*ret_due = i->status.started + proof_ms(i->made);
	return false;
}

static bool starts_with(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Whether two containers of this definition cannot be there at the same time. */
static bool collides(const struct desired_service *d)
{
	static const char *const fixed[] = { "-p", "--publish", "--ip", "--mac", "--netdev" };

	if (d->activate)
		return true;
	for (size_t n = 0; n < d->options.count; n++)
		for (size_t k = 0; k < ARRAY_SIZE(fixed); k++)
			if (starts_with(d->options.items[n], fixed[k]))
				return true;
	return false;
}

/* The two that a number may have; NULL: not there. */
struct number {
	struct instance *fresh, *stale;
	struct instance *extra; /* another stale one: goes at once */
};

static bool lives(const struct instance *i)
{
	return i->phase != PHASE_REST && i->phase != PHASE_ABSENT;
}

static void sort_in(struct number *n, struct instance *i)
{
	struct instance **place = instance_fresh(i) ? &n->fresh : &n->stale;

	if (!*place) {
		*place = i;
	} else if (lives(i) && !lives(*place)) {
		n->extra = *place;
		*place = i;
	} else {
		n->extra = i;
	}
}

static struct number find_number(struct service *s, uint32_t number)
{
	struct number n = { 0 };

	for_list (i, &s->instances, struct instance, link)
		if (i->number == number && (i->dir >= 0 || i->phase != PHASE_ABSENT))
			sort_in(&n, i);
	return n;
}

struct roll {
	struct service *s;
	int64_t now;
	bool turn;     /* those before are through */
	bool all_good; /* every number has a good fresh one and nothing else */
	bool take_back;
	const struct instance *bad; /* why */
};

static void arm(struct instance *i, int64_t due)
{
	struct supervisor *sup = service_supervisor(i->service);
	int64_t after = due - loop_now();

	if (due && (!i->timer.link.next || i->timer.due > due))
		loop_timer_set(&sup->loop, &i->timer, after > 0 ? after : 0, i->timer.fire);
}

static void judge(struct roll *r, struct instance *fresh, bool good)
{
	struct seen seen;

	if (!r->s->want->previous)
		return;
	seen_of(fresh, &seen);
	if (decide_take_back(&seen, good, fresh->record.update_due, r->now)) {
		r->take_back = true;
		r->bad = fresh;
	}
	arm(fresh, fresh->record.update_due > r->now ? fresh->record.update_due : 0);
}

static void plan_number(struct roll *r, uint32_t number)
{
	const struct desired_service *want = r->s->want;
	struct number n = find_number(r->s, number);
	struct pair_wants wants;
	int64_t due = 0;
	bool good = n.fresh && instance_good(n.fresh, r->now, &due);
	struct pair pair = {
		.has_fresh = n.fresh,
		.has_stale = n.stale,
		.fresh = n.fresh ? n.fresh->phase : PHASE_ABSENT,
		.stale = n.stale ? n.stale->phase : PHASE_ABSENT,
		.fresh_good = good,
		.may_begin = r->turn,
		.start_first = want->start_first,
		.collides = collides(want) || (n.stale && n.stale->made && collides(n.stale->made)),
		.stopped = want->stopped || service_supervisor(r->s)->stopping,
	};

	wants = decide_pair(&pair);
	if (n.extra)
		n.extra->want = WANT_GONE;
	if (n.stale)
		n.stale->want = pair.stopped && service_supervisor(r->s)->stopping ? WANT_REST
										   : wants.stale;
	if (!n.fresh && wants.make_fresh && !n.extra)
		n.fresh = instance_get(r->s, number, n.stale && !n.stale->second);
	if (n.fresh)
		n.fresh->want = wants.fresh;
	if (n.fresh && !pair.stopped) {
		arm(n.fresh, due);
		judge(r, n.fresh, good);
	}
	if (!good || n.stale || n.extra)
		r->all_good = r->turn = false;
}

/* What comes back may depend on what has left with the update, or on what depends on it now. */
static void drop_impossible(struct project *p, struct desired_service *d)
{
	struct desired_depend *all = d->depends.items;
	size_t count = d->depends.count;
	autoarena a = ARENA_INIT;
	struct err ignored;

	d->depends.items = arena_calloc(&p->arena, count + 1, sizeof(*all));
	d->depends.count = 0;
	for (size_t n = 0; n < count; n++) {
		struct desired_project sorted = *p->want;

		d->depends.items[d->depends.count++] = all[n];
		if (desired_sort(&sorted, &a, &ignored) < 0)
			d->depends.count--;
	}
}

static void take_back(struct roll *r)
{
	struct service *s = r->s;
	struct desired_service *previous = s->want->previous;
	uint32_t replicas = s->want->replicas;
	char why[300] = "it was not healthy in time";
	const struct instance_exit *e = instance_record_last(&r->bad->record);

	if (e && r->bad->record.failures)
		exit_words(e, why, sizeof(why));
	event(service_supervisor(s), s->project, s, r->bad, "taken back",
	      "%s, after the update to %s", why, s->want->image);
	for_list (i, &s->instances, struct instance, link) {
		if (i == r->bad || i->dir < 0)
			continue;
		i->record.note =
			arena_printf(&i->record_arena, "an update to %s was taken back: %s",
				     s->want->image, why);
		instance_save_record(i);
	}
	snprintf(s->note, sizeof(s->note), "an update to %s was taken back: %s", s->want->image,
		 why);
	*s->want = *previous;
	s->want->replicas = replicas;
	s->want->previous = NULL;
	drop_impossible(s->project, s->want);
	project_save_soon(s->project);
	/* What was wanted a moment ago is not. */
	supervisor_settle(service_supervisor(s));
}

static void finish(struct service *s)
{
	s->want->previous = NULL;
	s->note[0] = 0;
	s->updating = false;
	event(service_supervisor(s), s->project, s, NULL, "updated", NULL);
	project_save_soon(s->project);
}

static void plan_wanted(struct service *s, int64_t now)
{
	struct roll r = { .s = s, .now = now, .all_good = true };
	bool stale = false;

	r.turn = depends_settled(s, s->want) && depends_hold(s, s->want, NULL, 0);
	for (uint32_t number = 1; number <= s->want->replicas; number++)
		plan_number(&r, number);
	for_list (i, &s->instances, struct instance, link)
		stale = stale ||
			(i->want != WANT_RUN && i->want != WANT_REST && !instance_fresh(i));
	s->updating = stale || (s->want->previous && !s->want->stopped);
	if (s->want->stopped || service_supervisor(s)->stopping)
		return;
	if (r.take_back)
		take_back(&r);
	else if (r.all_good && s->want->previous)
		finish(s);
}

void service_plan(struct service *s, int64_t now)
{
	s->updating = false;
	for_list (i, &s->instances, struct instance, link)
		i->want = WANT_GONE;
	if (s->want)
		plan_wanted(s, now);
}
