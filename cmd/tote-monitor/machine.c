/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/monitor.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* tote delete ends by itself sooner. */
#define CLEAR_MS 60000
/* What survives SIGKILL hangs in the kernel; it is tried again. */
#define KILL_AGAIN_MS 5000
#define RETRY_MS 1000

/* Who asks and where words go is in monitor.now. */
typedef int act(struct monitor *m);

struct rule {
	act *act; /* NULL: does not fit */
	enum monitor_state next;
};

static void late_due(struct loop_timer *timer)
{
	struct monitor *m = container_of(timer, struct monitor, late);
	int event = m->retry >= 0 ? m->retry : ME_LATE;

	m->retry = -1;
	monitor_tell(m, (enum monitor_event)event);
}

static void wait_for(struct monitor *m, int64_t ms)
{
	loop_timer_set(&m->loop, &m->late, ms, late_due);
}

struct monitor_ask monitor_default_ask(const struct monitor *m)
{
	int sig = m->o->stop_signal ? monitor_signal(m->o->stop_signal) : SIGTERM;

	return (struct monitor_ask){ sig > 0 ? sig : SIGTERM, m->o->stop_grace };
}

static int do_nothing(struct monitor *m)
{
	(void)m;
	return 0;
}

/* What should begin has not even been tried. */
static void say_failed(struct monitor *m, enum monitor_event failure)
{
	const char *msg = m->now.err->msg;

	m->said_len = 0;
	run_note_said(m, msg, strlen(msg));
	m->then = (int)failure;
}

static int do_create(struct monitor *m)
{
	m->again = false;
	m->wait = m->o->wait || m->o->listen.count;
	run_reset(m);
	if (run_create(m, m->now.err) < 0) {
		m->create_code = 255;
		say_failed(m, ME_NOT_CREATED);
	}
	return 0;
}

/* What the state at hand has taken; never 0, which is "unknown". */
static int64_t took(const struct monitor *m)
{
	int64_t ms = loop_now() - m->entered;

	return ms > 0 ? ms : 1;
}

static int on_created(struct monitor *m)
{
	m->status.start_ms = took(m);
	m->oom_before = init_oom_kills(m);
	if (m->asked || m->idle)
		m->then = ME_STOP;
	else if (!m->wait)
		m->then = ME_START;
	return 0;
}

static void exit_code(const struct monitor *m, struct instance_exit *e)
{
	int s = m->init_status;

	e->code = -1;
	if (s == -1)
		return;
	e->signal = WIFSIGNALED(s) ? WTERMSIG(s) : 0;
	e->code = e->signal ? 128 + e->signal : WEXITSTATUS(s);
}

static int write_exit(struct monitor *m, enum exit_reason reason)
{
	struct instance_exit e = { .run = m->status.run,
				   .reason = (int)reason,
				   .ended = loop_now(),
				   .ended_at = time(NULL) };

	if (reason == EXIT_UNKNOWN && init_exit_is_there(m))
		return 0;
	if (m->asked)
		e.reason = EXIT_ASKED;
	else if (m->idle)
		e.reason = EXIT_IDLE;
	exit_code(m, &e);
	if (reason == EXIT_NOT_CREATED)
		e.code = m->create_code;
	if (reason == EXIT_NOT_CREATED || reason == EXIT_NOT_STARTED)
		e.message = run_said(m);
	e.oom = init_oom_kills(m) > m->oom_before;
	e.ran_ms = m->status.started ? e.ended - m->status.started : 0;
	return instance_write_exit(m->dir_fd, &e, m->now.err);
}

/* The end of a run, whatever it was: everything it wrote is logged and its exit known before
 * anything of it is removed. */
static int finish(struct monitor *m, enum exit_reason reason)
{
	int r;

	streams_drain(m);
	r = write_exit(m, reason);
	if (r < 0)
		return r;
	attach_send(m, 'x', NULL, 0);
	m->again = m->activate && m->idle && !m->asked;
	if (run_delete(m, m->now.err) < 0)
		m->then = ME_CLEARED;
	wait_for(m, CLEAR_MS);
	return 0;
}

static int on_not_created(struct monitor *m)
{
	return finish(m, EXIT_NOT_CREATED);
}

static int on_not_started(struct monitor *m)
{
	return finish(m, EXIT_NOT_STARTED);
}

static int on_ended(struct monitor *m)
{
	return finish(m, m->init_status == -1 ? EXIT_UNKNOWN : EXIT_ENDED);
}

static int on_cleared(struct monitor *m)
{
	loop_timer_clear(&m->late);
	if (m->again) {
		/* A run that has no exit is the same one, tried once more. */
		m->status.run += init_exit_is_there(m);
		m->then = ME_CREATE;
	} else {
		m->loop.stop = true;
	}
	return 0;
}

/* Before its time: the state that it is for is yet to come. */
static int start_later(struct monitor *m)
{
	m->wait = false;
	return 0;
}

static int do_start(struct monitor *m)
{
	/* Who has connected, or mode thaw, would have it run though it was told to end while it was made. */
	if (m->asked || m->idle)
		return err_set(m->now.err, ECANCELED, "start: the container is to end");
	if (run_start(m, m->now.err) < 0)
		say_failed(m, ME_NOT_STARTED);
	return 0;
}

static int on_started(struct monitor *m)
{
	m->status.started = loop_now();
	m->status.started_at = time(NULL);
	m->status.start_ms += took(m);
	if (m->init_ended)
		m->then = ME_ENDED;
	else if (m->asked || m->idle)
		m->then = ME_STOP;
	return 0;
}

static void note_ask(struct monitor *m)
{
	if (m->now.ask)
		m->ask = *m->now.ask;
	if (!m->ask.signal)
		m->ask.signal = SIGTERM;
}

static int stop_later(struct monitor *m)
{
	note_ask(m);
	m->asked = true;
	wait_for(m, m->ask.grace_ms);
	return 0;
}

/* It waits for its start in tote-init, which ends by nothing else; and has done nothing yet. */
static int stop_created(struct monitor *m)
{
	note_ask(m);
	m->asked = m->asked || !m->idle;
	init_kill_all(m);
	wait_for(m, KILL_AGAIN_MS);
	return 0;
}

static int do_stop(struct monitor *m)
{
	/* Nobody asks: it was asked for earlier, which may have been for idleness. */
	m->asked = m->asked || m->now.ask || !m->idle;
	note_ask(m);
	init_signal(m, m->ask.signal);
	wait_for(m, m->ask.grace_ms);
	return 0;
}

static int stop_frozen(struct monitor *m)
{
	int r = do_stop(m);

	/* The signal is there when it wakes. SIGKILL needs no thawing, should that fail. */
	init_freeze(m, false, m->now.err);
	return r;
}

static int stop_idle(struct monitor *m)
{
	m->idle = true;
	m->ask = m->now.ask ? *m->now.ask : monitor_default_ask(m);
	m->now.ask = NULL;
	return do_stop(m);
}

static int stop_idle_frozen(struct monitor *m)
{
	int r = stop_idle(m);

	init_freeze(m, false, m->now.err);
	return r;
}

static int do_kill(struct monitor *m)
{
	static const int endings[] = { SIGKILL, SIGTERM, SIGINT, SIGQUIT };
	const struct monitor_ask *ask = m->now.ask;
	int sig = ask && ask->signal ? ask->signal : SIGKILL, r = init_signal(m, sig);

	if (r < 0)
		return err_code(m->now.err, r, "send signal %d", sig);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		m->asked = m->asked || sig == endings[i];
	if (sig == SIGKILL)
		init_kill_all(m);
	return 0;
}

static int do_freeze(struct monitor *m)
{
	return init_freeze(m, true, m->now.err);
}

static int do_thaw(struct monitor *m)
{
	return init_freeze(m, false, m->now.err);
}

static int late_helper(struct monitor *m)
{
	run_kill_helper(m);
	init_kill_all(m);
	wait_for(m, KILL_AGAIN_MS);
	return 0;
}

static int late_end(struct monitor *m)
{
	init_kill_all(m);
	wait_for(m, KILL_AGAIN_MS);
	return 0;
}

static int no_more_runs(struct monitor *m)
{
	m->again = false;
	return 0;
}

/* What is not here is refused, or ignored where nobody asks. */
static const struct rule rules[MS_STATES][MONITOR_EVENTS] = {
	[MS_NONE] = {
		[ME_CREATE] = { do_create, MS_CREATING },
	},
	[MS_CREATING] = {
		[ME_CREATED] = { on_created, MS_CREATED },
		[ME_NOT_CREATED] = { on_not_created, MS_CLEARING },
		[ME_START] = { start_later, MS_CREATING },
		[ME_STOP] = { stop_later, MS_CREATING },
		[ME_LATE] = { late_helper, MS_CREATING },
	},
	[MS_CREATED] = {
		[ME_START] = { do_start, MS_STARTING },
		[ME_STOP] = { stop_created, MS_STOPPING },
		[ME_KILL] = { do_kill, MS_CREATED },
		[ME_ENDED] = { on_ended, MS_CLEARING },
	},
	[MS_STARTING] = {
		[ME_STARTED] = { on_started, MS_RUNNING },
		[ME_NOT_STARTED] = { on_not_started, MS_CLEARING },
		[ME_START] = { do_nothing, MS_STARTING },
		[ME_THAW] = { do_nothing, MS_STARTING },
		[ME_STOP] = { stop_later, MS_STARTING },
		[ME_KILL] = { do_kill, MS_STARTING },
		[ME_LATE] = { late_helper, MS_STARTING },
		/* tote start has yet to say how it went. */
		[ME_ENDED] = { do_nothing, MS_STARTING },
	},
	[MS_RUNNING] = {
		[ME_FREEZE] = { do_freeze, MS_FROZEN },
		[ME_THAW] = { do_nothing, MS_RUNNING },
		[ME_STOP] = { do_stop, MS_STOPPING },
		[ME_IDLE] = { stop_idle, MS_STOPPING },
		[ME_KILL] = { do_kill, MS_RUNNING },
		[ME_ENDED] = { on_ended, MS_CLEARING },
	},
	[MS_FROZEN] = {
		[ME_FREEZE] = { do_nothing, MS_FROZEN },
		[ME_THAW] = { do_thaw, MS_RUNNING },
		[ME_STOP] = { stop_frozen, MS_STOPPING },
		[ME_IDLE] = { stop_idle_frozen, MS_STOPPING },
		[ME_KILL] = { do_kill, MS_FROZEN },
		[ME_ENDED] = { on_ended, MS_CLEARING },
	},
	[MS_STOPPING] = {
		[ME_STOP] = { do_stop, MS_STOPPING },
		[ME_KILL] = { do_kill, MS_STOPPING },
		[ME_LATE] = { late_end, MS_STOPPING },
		[ME_ENDED] = { on_ended, MS_CLEARING },
	},
	[MS_CLEARING] = {
		[ME_STOP] = { no_more_runs, MS_CLEARING },
		[ME_LATE] = { late_helper, MS_CLEARING },
		[ME_CLEARED] = { on_cleared, MS_NONE },
	},
};

static const char *const state_names[MS_STATES] = {
	[MS_NONE] = "not there",    [MS_CREATING] = "being made", [MS_CREATED] = "created",
	[MS_STARTING] = "starting", [MS_RUNNING] = "running",	  [MS_FROZEN] = "frozen",
	[MS_STOPPING] = "stopping", [MS_CLEARING] = "at its end",
};

static const char *const event_names[MONITOR_EVENTS] = {
	[ME_CREATE] = "create", [ME_CREATED] = "created", [ME_NOT_CREATED] = "not created",
	[ME_START] = "start",	[ME_STARTED] = "started", [ME_NOT_STARTED] = "not started",
	[ME_FREEZE] = "freeze", [ME_THAW] = "thaw",	  [ME_STOP] = "stop",
	[ME_KILL] = "kill",	[ME_IDLE] = "idle",	  [ME_LATE] = "late",
	[ME_ENDED] = "ended",	[ME_CLEARED] = "cleared",
};

static const int public_states[MS_STATES] = {
	[MS_NONE] = INSTANCE_EXITED,	   [MS_CREATING] = INSTANCE_CREATING,
	[MS_CREATED] = INSTANCE_CREATED,   [MS_STARTING] = INSTANCE_CREATED,
	[MS_RUNNING] = INSTANCE_RUNNING,   [MS_FROZEN] = INSTANCE_FROZEN,
	[MS_STOPPING] = INSTANCE_STOPPING, [MS_CLEARING] = INSTANCE_EXITED,
};

const char *monitor_state_name(enum monitor_state s)
{
	return state_names[s];
}

const char *monitor_event_name(enum monitor_event e)
{
	return event_names[e];
}

static void save_again(struct loop_timer *timer)
{
	monitor_save(container_of(timer, struct monitor, unsaved));
}

void monitor_save(struct monitor *m)
{
	struct err ignored;

	/* RUN is full: nobody may know for long that the container runs, and no change may follow. */
	if (instance_write_status(m->dir_fd, &m->status, &ignored) < 0)
		loop_timer_set(&m->loop, &m->unsaved, RETRY_MS, save_again);
	else
		loop_timer_clear(&m->unsaved);
}

static void change_state(struct monitor *m, enum monitor_state next)
{
	enum monitor_state from = m->state;

	m->state = next;
	m->entered = loop_now();
	if (m->status.state != public_states[next] || next == MS_CREATING) {
		m->status.state = public_states[next];
		m->status.since = m->entered;
		monitor_save(m);
	}
	if (m->activate)
		activate_changed(m, from);
}

/* What has happened has, though it cannot be written down yet. */
static bool must_be(enum monitor_event event)
{
	return event == ME_ENDED || event == ME_NOT_CREATED || event == ME_NOT_STARTED;
}

int monitor_event(struct monitor *m, enum monitor_event event, const struct monitor_ask *ask,
		  struct err *err)
{
	const struct rule *rule = &rules[m->state][event];
	int r;

	if (!rule->act)
		return err_set(err, EINVAL, "%s: the container is %s", event_names[event],
			       state_names[m->state]);
	m->now.ask = ask;
	m->now.err = err;
	r = rule->act(m);
	if (r < 0 && must_be(event)) {
		m->retry = (int)event;
		wait_for(m, RETRY_MS);
	}
	if (r < 0)
		return r;
	if (rule->next != m->state)
		change_state(m, rule->next);
	if (m->then >= 0) {
		enum monitor_event then = (enum monitor_event)m->then;

		m->then = -1;
		monitor_tell(m, then);
	}
	return 0;
}

void monitor_tell(struct monitor *m, enum monitor_event event)
{
	struct err ignored;

	monitor_event(m, event, NULL, &ignored);
}
