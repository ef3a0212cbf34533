/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/decide.h"

#include "lib/cleanup.h"

/* What is to be done where nothing stands against it; guards come after. */
static const uint8_t table[PHASE_COUNT][WANT_COUNT] = {
	[PHASE_ABSENT] = { [WANT_RUN] = ACT_MAKE, [WANT_CREATED] = ACT_MAKE },
	[PHASE_REST] = { [WANT_RUN] = ACT_START,
			 [WANT_CREATED] = ACT_START_WAIT,
			 [WANT_GONE] = ACT_REMOVE },
	[PHASE_STARTING] = { [WANT_REST] = ACT_STOP, [WANT_GONE] = ACT_STOP },
	[PHASE_CREATED] = { [WANT_RUN] = ACT_GO, [WANT_REST] = ACT_STOP, [WANT_GONE] = ACT_STOP },
	[PHASE_IDLE] = { [WANT_REST] = ACT_STOP, [WANT_GONE] = ACT_STOP },
	[PHASE_RUNNING] = { [WANT_REST] = ACT_STOP, [WANT_GONE] = ACT_STOP },
	[PHASE_ENDED] = { ACT_TAKE, ACT_TAKE, ACT_TAKE, ACT_TAKE, ACT_TAKE },
	[PHASE_ORPHAN] = { ACT_ADOPT, ACT_ADOPT, ACT_ADOPT, ACT_ADOPT, ACT_ADOPT },
	[PHASE_HALF] = { ACT_CLEAN, ACT_CLEAN, ACT_CLEAN, ACT_CLEAN, ACT_CLEAN },
};

int64_t decide_back_off(uint32_t failures, uint32_t random)
{
	int64_t ms = BACK_OFF_FIRST_MS;

	for (uint32_t i = 1; i < failures && ms < BACK_OFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACK_OFF_MAX_MS)
		ms = BACK_OFF_MAX_MS;
	/* -10 % to +10 %: a box's services that fell together do not come back together. */
	return ms - ms / 10 + (int64_t)(random % 1001) * (ms / 5) / 1000;
}

enum reason decide_restart(const struct seen *s)
{
	if (!s->run || s->run <= s->again)
		return REASON_NONE;
	switch (s->restart) {
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return REASON_NONE;
	case RESTART_ON_FAILURE:
		if (s->exit_code == 0)
			return REASON_DONE;
		return s->restart_max && s->failures > s->restart_max ? REASON_GIVEN_UP
								      : REASON_NONE;
	default:
		return REASON_DONE;
	}
}

static struct decision nothing(enum reason reason, int64_t due)
{
	return (struct decision){ ACT_NOTHING, reason, due };
}

static struct decision start(enum action action, const struct seen *s, int64_t now)
{
	enum reason reason = decide_restart(s);

	if (reason != REASON_NONE)
		return nothing(reason, 0);
	if (!s->depends)
		return nothing(REASON_DEPENDS, 0);
	if (s->due > now)
		return nothing(REASON_BACK_OFF, s->due);
	if (!s->slot)
		return nothing(REASON_SLOT, 0);
	return (struct decision){ action, REASON_NONE, 0 };
}

/* A stop is told once, and once more when its grace is taken from it; who does not end in time is
 * forced to. */
static struct decision stop(const struct seen *s, int64_t now)
{
	if (s->stop_told && s->hard && !s->hard_told)
		return (struct decision){ ACT_STOP, REASON_NONE, 0 };
	if (s->stop_told)
		return s->stop_by > now ? nothing(REASON_ERRAND, s->stop_by)
					: (struct decision){ ACT_FORCE, REASON_NONE, 0 };
	if (!s->ordered)
		return nothing(REASON_ORDER, 0);
	return (struct decision){ ACT_STOP, REASON_NONE, 0 };
}

struct decision decide(enum want want, const struct seen *s, int64_t now)
{
	enum action action = table[s->phase][want];
	bool lives =
		s->phase == PHASE_RUNNING || s->phase == PHASE_IDLE || s->phase == PHASE_CREATED;

	if (s->busy)
		return nothing(REASON_ERRAND, 0);
	/* Told by somebody before us, too: then there is no time set, and the monitor has its own. */
	if (s->phase == PHASE_STOPPING && !s->stop_told)
		return s->hard ? (struct decision){ ACT_STOP, REASON_NONE, 0 }
			       : nothing(REASON_ERRAND, 0);
	if (s->phase == PHASE_STOPPING)
		return stop(s, now);
	if (want == WANT_RUN && lives && s->run && s->run <= s->again)
		return stop(s, now);
	switch (action) {
	case ACT_START:
	case ACT_START_WAIT:
		return start(action, s, now);
	case ACT_GO:
		if (s->go_told)
			return nothing(REASON_ERRAND, 0);
		return s->depends ? (struct decision){ ACT_GO, REASON_NONE, 0 }
				  : nothing(REASON_DEPENDS, 0);
	case ACT_STOP:
		return stop(s, now);
	case ACT_NOTHING:
		return nothing(want == WANT_REST && s->phase == PHASE_REST ? REASON_STOPPED
									   : REASON_NONE,
			       0);
	default:
		return (struct decision){ action, REASON_NONE, 0 };
	}
}

static bool gone_or_rests(bool has, enum phase p)
{
	return !has || p == PHASE_ABSENT || p == PHASE_REST;
}

/* The stale one lives and the new one has not proved itself. */
static struct pair_wants replace(const struct pair *p)
{
	if (!p->may_begin && !p->has_fresh)
		return (struct pair_wants){ .fresh = WANT_GONE, .stale = WANT_KEEP };
	if (p->collides)
		return (struct pair_wants){ .fresh = WANT_CREATED, .stale = WANT_GONE };
	if (p->start_first)
		return (struct pair_wants){ WANT_RUN, WANT_KEEP, !p->has_fresh };
	/* Made beside it, so that nothing is stopped for an image that cannot even be made a
	 * container of, and the gap is short. */
	return (struct pair_wants){ .fresh = WANT_CREATED,
				    .stale = p->has_fresh && p->fresh == PHASE_CREATED ? WANT_GONE
										       : WANT_KEEP,
				    .make_fresh = !p->has_fresh };
}

struct pair_wants decide_pair(const struct pair *p)
{
	if (p->stopped)
		return (struct pair_wants){ .fresh = WANT_REST, .stale = WANT_GONE };
	if (gone_or_rests(p->has_stale, p->stale) || p->fresh_good ||
	    (p->has_fresh && p->fresh == PHASE_RUNNING && !p->start_first))
		return (struct pair_wants){ WANT_RUN, WANT_GONE, !p->has_fresh };
	/* On its way out already: the new one starts when it is gone. */
	if (p->stale == PHASE_STOPPING || p->stale == PHASE_LEAVING || p->stale == PHASE_ENDED)
		return (struct pair_wants){ .fresh = WANT_CREATED,
					    .stale = WANT_GONE,
					    .make_fresh = !p->has_fresh && !p->collides };
	return replace(p);
}

bool decide_take_back(const struct seen *fresh, bool good, int64_t update_due, int64_t now)
{
	if (good)
		return false;
	if (fresh->failures >= UPDATE_TRIES)
		return true;
	if (fresh->phase == PHASE_REST && fresh->run && decide_restart(fresh) != REASON_NONE)
		return true;
	return update_due && now >= update_due;
}

bool decide_depend(const struct desired_depend *d, const struct depend_on *on)
{
	if (!on->exists)
		return d->optional;
	if (d->optional && on->failed)
		return true;
	switch (d->condition) {
	case DEPEND_HEALTHY:
		return on->healthy >= on->wanted;
	case DEPEND_COMPLETED:
		return on->completed >= on->wanted;
	default:
		return on->started >= on->wanted;
	}
}

const char *phase_name(enum phase p)
{
	static const char *const names[] = { "absent", "at rest",  "starting", "created",
					     "idle",   "running",  "stopping", "leaving",
					     "ended",  "orphaned", "half made" };

	return (size_t)p < ARRAY_SIZE(names) ? names[p] : "?";
}

const char *action_name(enum action a)
{
	static const char *const names[] = { "nothing", "make",	 "start", "start waiting",
					     "go",	"stop",	 "force", "adopt",
					     "take",	"clean", "remove" };

	return (size_t)a < ARRAY_SIZE(names) ? names[a] : "?";
}
