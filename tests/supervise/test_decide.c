/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c: its table, its guards one by one, and random schedules of a box whose rules must hold. */
#include "cmd/tote-supervise/decide.h"

#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One whose guards all let it pass. */
static struct seen free_of(enum phase phase)
{
	return (struct seen){ .phase = phase,
			      .restart = RESTART_ALWAYS,
			      .depends = true,
			      .ordered = true,
			      .slot = true };
}

/* The whole table once more, by hand: RUN, CREATED, KEEP, REST, GONE. */
static const enum action expected[PHASE_COUNT][WANT_COUNT] = {
	{ ACT_MAKE, ACT_MAKE, ACT_NOTHING, ACT_NOTHING, ACT_NOTHING },	     /* absent */
	{ ACT_START, ACT_START_WAIT, ACT_NOTHING, ACT_NOTHING, ACT_REMOVE }, /* rest */
	{ ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_STOP, ACT_STOP },	     /* starting */
	{ ACT_GO, ACT_NOTHING, ACT_NOTHING, ACT_STOP, ACT_STOP },	     /* created */
	{ ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_STOP, ACT_STOP },	     /* idle */
	{ ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_STOP, ACT_STOP },	     /* running */
	{ ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_NOTHING }, /* stopping */
	{ ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_NOTHING, ACT_NOTHING }, /* leaving */
	{ ACT_TAKE, ACT_TAKE, ACT_TAKE, ACT_TAKE, ACT_TAKE },		     /* ended */
	{ ACT_ADOPT, ACT_ADOPT, ACT_ADOPT, ACT_ADOPT, ACT_ADOPT },	     /* orphan */
	{ ACT_CLEAN, ACT_CLEAN, ACT_CLEAN, ACT_CLEAN, ACT_CLEAN },	     /* half */
};

static void test_table(void **state)
{
	(void)state;
	for (int p = 0; p < PHASE_COUNT; p++)
		for (int w = 0; w < WANT_COUNT; w++) {
			struct seen s = free_of((enum phase)p);

			assert_int_equal(decide((enum want)w, &s, 0).action, expected[p][w]);
			s.busy = true;
			assert_int_equal(decide((enum want)w, &s, 0).action, ACT_NOTHING);
		}
}

static void test_start_guards(void **state)
{
	struct seen s = free_of(PHASE_REST);
	struct decision d;

	(void)state;
	s.depends = false;
	assert_int_equal(decide(WANT_RUN, &s, 0).reason, REASON_DEPENDS);
	assert_int_equal(decide(WANT_CREATED, &s, 0).reason, REASON_DEPENDS);
	s.depends = true;
	s.due = 100;
	d = decide(WANT_RUN, &s, 99);
	assert_int_equal(d.action, ACT_NOTHING);
	assert_int_equal(d.reason, REASON_BACK_OFF);
	assert_int_equal(d.due, 100);
	assert_int_equal(decide(WANT_RUN, &s, 100).action, ACT_START);
	s.slot = false;
	assert_int_equal(decide(WANT_RUN, &s, 100).reason, REASON_SLOT);
	s = free_of(PHASE_CREATED);
	s.depends = false;
	assert_int_equal(decide(WANT_RUN, &s, 0).reason, REASON_DEPENDS);
	s.depends = true;
	s.go_told = true;
	assert_int_equal(decide(WANT_RUN, &s, 0).action, ACT_NOTHING);
}

static void test_stop_guards(void **state)
{
	struct seen s = free_of(PHASE_RUNNING);

	(void)state;
	s.run = 1;
	s.ordered = false;
	assert_int_equal(decide(WANT_REST, &s, 0).reason, REASON_ORDER);
	s.ordered = true;
	s.stop_told = true;
	s.stop_by = 50;
	assert_int_equal(decide(WANT_REST, &s, 49).action, ACT_NOTHING);
	assert_int_equal(decide(WANT_REST, &s, 49).due, 50);
	assert_int_equal(decide(WANT_REST, &s, 50).action, ACT_FORCE);
	s.phase = PHASE_STOPPING;
	assert_int_equal(decide(WANT_RUN, &s, 49).action, ACT_NOTHING);
	assert_int_equal(decide(WANT_RUN, &s, 50).action, ACT_FORCE);
	/* Told by who was before us: its monitor knows when. */
	s.stop_told = false;
	assert_int_equal(decide(WANT_GONE, &s, 1000).action, ACT_NOTHING);
	/* Its grace is taken from it: told once more. */
	s.hard = true;
	assert_int_equal(decide(WANT_GONE, &s, 0).action, ACT_STOP);
	s.stop_told = true;
	assert_int_equal(decide(WANT_GONE, &s, 0).action, ACT_STOP);
	s.phase = PHASE_RUNNING;
	assert_int_equal(decide(WANT_GONE, &s, 0).action, ACT_STOP);
	s.hard_told = true;
	assert_int_equal(decide(WANT_GONE, &s, 49).action, ACT_NOTHING);
	assert_int_equal(decide(WANT_GONE, &s, 50).action, ACT_FORCE);
}

static void test_again(void **state)
{
	struct seen s = free_of(PHASE_RUNNING);

	(void)state;
	s.run = 3;
	s.again = 2;
	assert_int_equal(decide(WANT_RUN, &s, 0).action, ACT_NOTHING);
	s.again = 3;
	assert_int_equal(decide(WANT_RUN, &s, 0).action, ACT_STOP);
	/* A policy of "no" does not stand against who asks for it. */
	s.phase = PHASE_REST;
	s.restart = RESTART_NO;
	assert_int_equal(decide(WANT_RUN, &s, 0).action, ACT_START);
	s.again = 2;
	assert_int_equal(decide(WANT_RUN, &s, 0).reason, REASON_DONE);
}

static void test_policies(void **state)
{
	static const struct {
		int restart;
		uint32_t max, failures;
		int32_t code;
		enum reason reason;
	} cases[] = {
		{ RESTART_NO, 0, 1, 0, REASON_DONE },
		{ RESTART_NO, 0, 1, 1, REASON_DONE },
		{ RESTART_ALWAYS, 0, 1, 0, REASON_NONE },
		{ RESTART_ALWAYS, 0, 1000, 1, REASON_NONE },
		{ RESTART_UNLESS_STOPPED, 0, 9, 1, REASON_NONE },
		{ RESTART_ON_FAILURE, 0, 1, 0, REASON_DONE },
		{ RESTART_ON_FAILURE, 0, 1000, 1, REASON_NONE },
		{ RESTART_ON_FAILURE, 3, 3, 1, REASON_NONE },
		{ RESTART_ON_FAILURE, 3, 4, 1, REASON_GIVEN_UP },
		{ RESTART_ON_FAILURE, 3, 1, -1, REASON_NONE },
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		struct seen s = free_of(PHASE_REST);

		s.run = 1;
		s.restart = cases[n].restart;
		s.restart_max = cases[n].max;
		s.failures = cases[n].failures;
		s.exit_code = cases[n].code;
		assert_int_equal(decide_restart(&s), cases[n].reason);
		/* What never ran is no matter of policy. */
		s.run = 0;
		assert_int_equal(decide_restart(&s), REASON_NONE);
	}
}

static void test_back_off(void **state)
{
	int64_t ms = 100;

	(void)state;
	for (uint32_t failures = 1; failures < 40; failures++) {
		assert_int_equal(decide_back_off(failures, 0), ms - ms / 10);
		assert_int_equal(decide_back_off(failures, 1000), ms - ms / 10 + ms / 5);
		for (int n = 0; n < 100; n++) {
			int64_t got = decide_back_off(failures, (uint32_t)random());

			assert_in_range(got, ms * 9 / 10, ms * 11 / 10);
		}
		ms = ms * 2 > 300000 ? 300000 : ms * 2;
	}
	assert_int_equal(decide_back_off(UINT32_MAX, 500), 300000);
}

static void test_pair(void **state)
{
	struct pair p = { .has_stale = true, .stale = PHASE_RUNNING };
	struct pair_wants w;

	(void)state;
	/* Not its turn: the old one stays. */
	w = decide_pair(&p);
	assert_int_equal(w.stale, WANT_KEEP);
	assert_false(w.make_fresh);
	/* Stop first: made beside it, then the old one goes, then the new one runs. */
	p.may_begin = true;
	w = decide_pair(&p);
	assert_true(w.make_fresh);
	assert_int_equal(w.fresh, WANT_CREATED);
	assert_int_equal(w.stale, WANT_KEEP);
	p.has_fresh = true;
	p.fresh = PHASE_STARTING;
	assert_int_equal(decide_pair(&p).stale, WANT_KEEP);
	p.fresh = PHASE_CREATED;
	assert_int_equal(decide_pair(&p).stale, WANT_GONE);
	assert_int_equal(decide_pair(&p).fresh, WANT_CREATED);
	p.stale = PHASE_REST;
	assert_int_equal(decide_pair(&p).fresh, WANT_RUN);
	/* What collides is made after. */
	p = (struct pair){
		.has_stale = true, .stale = PHASE_RUNNING, .may_begin = true, .collides = true
	};
	w = decide_pair(&p);
	assert_false(w.make_fresh);
	assert_int_equal(w.stale, WANT_GONE);
	p.stale = PHASE_STOPPING;
	assert_false(decide_pair(&p).make_fresh);
	p.has_stale = false;
	assert_true(decide_pair(&p).make_fresh);
	/* Start first: the old one goes when the new one is good. */
	p = (struct pair){ .has_stale = true,
			   .stale = PHASE_RUNNING,
			   .has_fresh = true,
			   .fresh = PHASE_RUNNING,
			   .may_begin = true,
			   .start_first = true };
	assert_int_equal(decide_pair(&p).stale, WANT_KEEP);
	p.fresh_good = true;
	assert_int_equal(decide_pair(&p).stale, WANT_GONE);
	assert_int_equal(decide_pair(&p).fresh, WANT_RUN);
	/* Stopped is stopped. */
	p.stopped = true;
	w = decide_pair(&p);
	assert_int_equal(w.fresh, WANT_REST);
	assert_int_equal(w.stale, WANT_GONE);
	assert_false(w.make_fresh);
}

static void test_take_back(void **state)
{
	struct seen s = free_of(PHASE_RUNNING);

	(void)state;
	s.run = 1;
	assert_false(decide_take_back(&s, false, 100, 99));
	assert_true(decide_take_back(&s, false, 100, 100));
	assert_false(decide_take_back(&s, true, 100, 100));
	assert_false(decide_take_back(&s, false, 0, 1000000));
	s.failures = UPDATE_TRIES;
	assert_true(decide_take_back(&s, false, 100, 0));
	s.failures = 1;
	s.phase = PHASE_REST;
	assert_false(decide_take_back(&s, false, 100, 0));
	s.restart = RESTART_NO;
	s.exit_code = 1;
	assert_true(decide_take_back(&s, false, 100, 0));
}

static void test_depend(void **state)
{
	struct desired_depend d = { .condition = DEPEND_STARTED };
	struct depend_on on = { .exists = true, .wanted = 2, .started = 1 };

	(void)state;
	assert_false(decide_depend(&d, &on));
	on.started = 2;
	assert_true(decide_depend(&d, &on));
	d.condition = DEPEND_HEALTHY;
	on.healthy = 1;
	assert_false(decide_depend(&d, &on));
	on.healthy = 2;
	assert_true(decide_depend(&d, &on));
	d.condition = DEPEND_COMPLETED;
	assert_false(decide_depend(&d, &on));
	on.failed = 1;
	assert_false(decide_depend(&d, &on));
	d.optional = true;
	assert_true(decide_depend(&d, &on));
	on.failed = 0;
	assert_false(decide_depend(&d, &on));
	on.exists = false;
	assert_true(decide_depend(&d, &on));
	d.optional = false;
	assert_false(decide_depend(&d, &on));
}

/* ---- a box of a few instances, each depending on the one before it ---- */

#define BOX 4

struct toy {
	struct seen s;
	bool container, monitor, exit_pending;
	int monitors_started; /* for this run */
	int32_t code;
};

struct box {
	struct toy toys[BOX];
	enum want want;
	int64_t now;
};

static void end(struct toy *t, int32_t code)
{
	t->container = false;
	t->code = code;
	t->exit_pending = true;
	t->s.phase = t->monitor ? PHASE_LEAVING : PHASE_ENDED;
}

static bool ready(const struct toy *t)
{
	return t->s.phase == PHASE_RUNNING;
}

static void begin_run(struct box *b, int n)
{
	struct toy *t = &b->toys[n];

	assert_false(t->monitor);
	assert_false(t->container);
	assert_false(t->exit_pending);
	/* Its policy, its time, its conditions. */
	assert_true(!t->s.run || t->s.run <= t->s.again || t->s.restart == RESTART_ALWAYS ||
		    (t->s.restart == RESTART_ON_FAILURE && t->code != 0 &&
		     (!t->s.restart_max || t->s.failures <= t->s.restart_max)));
	assert_true(b->now >= t->s.due);
	assert_true(n == 0 || ready(&b->toys[n - 1]));
	t->s.run++;
	t->s.stop_told = t->s.go_told = false;
	t->monitor = true;
	t->s.phase = PHASE_STARTING;
}

static void take(struct box *b, struct toy *t)
{
	assert_true(t->exit_pending);
	t->exit_pending = false;
	t->s.exit_code = t->code;
	if (!t->s.stop_told) {
		t->s.failures++;
		t->s.due = b->now + decide_back_off(t->s.failures, (uint32_t)random());
	}
	t->s.phase = PHASE_REST;
}

static void obey(struct box *b, int n)
{
	struct toy *t = &b->toys[n];
	struct decision d;
	int creating = 0;

	for (int k = 0; k < BOX; k++)
		creating += b->toys[k].s.phase == PHASE_STARTING;
	t->s.depends = n == 0 || ready(&b->toys[n - 1]);
	t->s.ordered = b->want == WANT_RUN || n == BOX - 1 ||
		       b->toys[n + 1].s.phase == PHASE_REST ||
		       b->toys[n + 1].s.phase == PHASE_ABSENT;
	t->s.slot = creating < 2;
	d = decide(b->want, &t->s, b->now);
	switch (d.action) {
	case ACT_MAKE:
		t->s.phase = PHASE_REST;
		break;
	case ACT_START:
		assert_true(creating < 2);
		begin_run(b, n);
		break;
	case ACT_STOP:
		assert_true(t->monitor);
		assert_true(b->want == WANT_RUN || n == BOX - 1 || !b->toys[n + 1].container);
		t->s.stop_told = true;
		t->s.stop_by = b->now + 1000;
		break;
	case ACT_FORCE:
		assert_true(b->now >= t->s.stop_by);
		t->s.stop_by = b->now + 1000;
		if (t->container)
			end(t, 137);
		break;
	case ACT_ADOPT:
		assert_false(t->monitor);
		assert_true(t->container);
		t->monitor = true;
		t->s.phase = PHASE_RUNNING;
		break;
	case ACT_TAKE:
		assert_false(t->monitor);
		take(b, t);
		break;
	case ACT_CLEAN:
		assert_false(t->monitor);
		t->container = false;
		t->code = -1;
		t->exit_pending = true;
		take(b, t);
		break;
	default:
		assert_int_equal(d.action, ACT_NOTHING);
	}
}

/* What the world does to one of them. */
static void befall(struct box *b, struct toy *t)
{
	switch (random() % 8) {
	case 0: /* it ends by itself */
		if (t->container)
			end(t, (int32_t)(random() % 2));
		break;
	case 1: /* its monitor is killed */
		if (t->monitor) {
			t->monitor = false;
			t->s.phase = t->exit_pending ? PHASE_ENDED
				     : t->container  ? PHASE_ORPHAN
						     : PHASE_HALF;
		}
		break;
	case 2: /* it is made */
		if (t->s.phase == PHASE_STARTING) {
			t->container = true;
			t->s.phase = PHASE_RUNNING;
		}
		break;
	case 3: /* what was told to end does so */
		if (t->s.stop_told && t->monitor && t->container)
			end(t, 143);
		else if (t->s.stop_told && t->s.phase == PHASE_STARTING)
			end(t, 143);
		break;
	case 4: /* its monitor is through */
		if (t->s.phase == PHASE_LEAVING) {
			t->monitor = false;
			t->s.phase = PHASE_ENDED;
		}
		break;
	case 5: /* somebody restarts it */
		if (random() % 20 == 0)
			t->s.again = t->s.run;
		break;
	default:
		b->now += random() % 400;
	}
}

static void test_schedules(void **state)
{
	static const int policies[] = { RESTART_ALWAYS, RESTART_NO, RESTART_ON_FAILURE };
	int starts = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 300; seed++) {
		struct box b = { .want = WANT_RUN };

		srandom(seed);
		for (int n = 0; n < BOX; n++)
			b.toys[n].s = (struct seen){ .phase = PHASE_ABSENT,
						     .restart = policies[random() % 3],
						     .restart_max = (uint32_t)(random() % 3) };
		for (int step = 0; step < 2000; step++) {
			if (random() % 300 == 0)
				b.want = random() % 2 ? WANT_RUN : WANT_REST;
			befall(&b, &b.toys[random() % BOX]);
			obey(&b, (int)(random() % BOX));
		}
		/* Left in peace, whatever there was comes to rest. */
		b.want = WANT_REST;
		for (int step = 0; step < 20000; step++) {
			struct toy *t = &b.toys[random() % BOX];

			if (random() % 2)
				befall(&b, t);
			obey(&b, (int)(t - b.toys));
		}
		for (int n = 0; n < BOX; n++) {
			starts += (int)b.toys[n].s.run;
			assert_true(b.toys[n].s.phase == PHASE_REST ||
				    b.toys[n].s.phase == PHASE_ABSENT);
		}
	}
	assert_true(starts > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	    cmocka_unit_test(test_start_guards),
		cmocka_unit_test(test_stop_guards), cmocka_unit_test(test_again),
		cmocka_unit_test(test_policies),    cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_pair),	    cmocka_unit_test(test_take_back),
		cmocka_unit_test(test_depend),	    cmocka_unit_test(test_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
