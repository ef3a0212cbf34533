/* SPDX-License-Identifier: Apache-2.0 */
/* The table of states and events, with the container played: every pair of them, and whole lives. */
#include "cmd/tote-monitor/machine.c"
#include "lib/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char dir[] = "/tmp/test_machine.XXXXXX";
static struct monitor m;
static struct monitor_options options;
static char did[256];
static int create_result, freeze_result;
static uint64_t oom_kills;
static bool thaws;

static void note(const char *what)
{
	size_t len = strlen(did);

	snprintf(did + len, sizeof(did) - len, "%s%s", len ? " " : "", what);
}

/* What was done since the last look. */
static const char *done(void)
{
	static char text[sizeof(did)];

	strcpy(text, did);
	did[0] = 0;
	return text;
}

int run_create(struct monitor *mon, struct err *err)
{
	(void)mon;
	note("create");
	return create_result < 0 ? err_set(err, -create_result, "no fork") : 0;
}

int run_start(struct monitor *mon, struct err *err)
{
	(void)mon;
	(void)err;
	note("start");
	return 0;
}

int run_delete(struct monitor *mon, struct err *err)
{
	(void)mon;
	(void)err;
	note("delete");
	return 0;
}

void run_note_said(struct monitor *mon, const char *data, size_t len)
{
	memcpy(mon->said, data, len);
	mon->said_len = len;
}

char *run_said(struct monitor *mon)
{
	mon->said[mon->said_len] = 0;
	return mon->said_len ? mon->said : NULL;
}

void run_kill_helper(struct monitor *mon)
{
	(void)mon;
	note("kill-helper");
}

void run_reset(struct monitor *mon)
{
	mon->init_status = -1;
	mon->init_ended = mon->asked = mon->idle = false;
}

bool init_exit_is_there(const struct monitor *mon)
{
	autoarena a = ARENA_INIT;
	struct instance_exit e;
	struct err err;

	return instance_read_exit(mon->dir_fd, &a, &e, &err) == 0 && e.run == mon->status.run;
}

int init_signal(struct monitor *mon, int sig)
{
	char text[16];

	(void)mon;
	snprintf(text, sizeof(text), "signal-%d", sig);
	note(text);
	return 0;
}

void init_kill_all(struct monitor *mon)
{
	(void)mon;
	note("kill-all");
}

int init_freeze(struct monitor *mon, bool freeze, struct err *err)
{
	(void)mon;
	note(freeze ? "freeze" : "thaw");
	return freeze_result < 0 ? err_set(err, -freeze_result, "no cgroup") : 0;
}

uint64_t init_oom_kills(struct monitor *mon)
{
	(void)mon;
	return oom_kills;
}

void streams_drain(struct monitor *mon)
{
	(void)mon;
	note("drain");
}

void attach_send(struct monitor *mon, char what, const char *data, size_t len)
{
	(void)mon;
	(void)data;
	(void)len;
	assert_int_equal(what, 'x');
}

int monitor_signal(const char *text)
{
	return strcmp(text, "SIGQUIT") == 0 ? SIGQUIT : -EINVAL;
}

/* As in mode thaw. */
void activate_changed(struct monitor *mon, enum monitor_state from)
{
	(void)from;
	if (mon->state == MS_CREATED && thaws)
		monitor_tell(mon, ME_START);
}

static int set_up(void **state)
{
	(void)state;
	loop_done(&m.loop);
	if (m.dir_fd > 0) {
		unlinkat(m.dir_fd, INSTANCE_EXIT, 0);
		unlinkat(m.dir_fd, INSTANCE_STATUS, 0);
		close(m.dir_fd);
	}
	m = (struct monitor){ .then = -1, .retry = -1, .init_status = -1, .init_fd = -1 };
	options = (struct monitor_options){ 0 };
	m.o = &options;
	m.status.run = 1;
	m.dir_fd = fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
	create_result = freeze_result = 0;
	oom_kills = 0;
	thaws = false;
	done();
	return m.dir_fd < 0 ? -1 : loop_init(&m.loop);
}

static int ask(enum monitor_event event, int sig, int64_t grace_ms)
{
	struct monitor_ask how = { sig, grace_ms };
	struct err err = { 0 };

	return monitor_event(&m, event, event == ME_STOP || event == ME_KILL ? &how : NULL, &err);
}

static int tell(enum monitor_event event)
{
	return ask(event, SIGTERM, 1000);
}

/* Time passes until what is waited for is late. */
static void wait_until_late(void)
{
	assert_non_null(m.late.link.next);
	loop_timer_clear(&m.late);
	m.late.fire(&m.late);
}

static struct instance_exit read_exit(void)
{
	static struct arena a;
	struct instance_exit e = { 0 };
	struct err err;

	assert_int_equal(instance_read_exit(m.dir_fd, &a, &e, &err), 0);
	return e;
}

static void status_is(const char *name)
{
	autoarena a = ARENA_INIT;
	struct instance_status s;
	struct err err;

	assert_int_equal(instance_read_status(m.dir_fd, &a, &s, &err), 0);
	assert_string_equal(instance_state_name((enum instance_state)s.state), name);
}

/* Where each event leads, by the first letters of the states; "-": refused. The same state: taken, and
 * nothing follows by itself. */
static const struct {
	enum monitor_state from;
	const char *to[MONITOR_EVENTS];
} expected[] = {
	/* create, created, not created, start, started, not started, freeze, thaw, stop, kill, idle, late, ended, cleared */
	{ MS_NONE, { "being", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-" } },
	{ MS_CREATING,
	  { "-", "starting", "at", "being", "-", "-", "-", "-", "being", "-", "-", "being", "-",
	    "-" } },
	{ MS_CREATED,
	  { "-", "-", "-", "starting", "-", "-", "-", "-", "stopping", "created", "-", "-", "at",
	    "-" } },
	{ MS_STARTING,
	  { "-", "-", "-", "starting", "running", "at", "-", "starting", "starting", "starting",
	    "-", "starting", "starting", "-" } },
	{ MS_RUNNING,
	  { "-", "-", "-", "-", "-", "-", "frozen", "running", "stopping", "running", "stopping",
	    "-", "at", "-" } },
	{ MS_FROZEN,
	  { "-", "-", "-", "-", "-", "-", "frozen", "running", "stopping", "frozen", "stopping",
	    "-", "at", "-" } },
	{ MS_STOPPING,
	  { "-", "-", "-", "-", "-", "-", "-", "-", "stopping", "stopping", "-", "stopping", "at",
	    "-" } },
	{ MS_CLEARING,
	  { "-", "-", "-", "-", "-", "-", "-", "-", "at", "-", "-", "at", "-", "not" } },
};

static void test_every_pair(void **state)
{
	assert_int_equal(ARRAY_SIZE(expected), MS_STATES);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		for (int e = 0; e < MONITOR_EVENTS; e++) {
			const char *to = expected[i].to[e], *now;
			int r;

			set_up(state);
			m.state = expected[i].from;
			r = tell((enum monitor_event)e);
			now = monitor_state_name(m.state);
			if (*to == '-') {
				assert_true(r < 0);
				assert_int_equal(m.state, expected[i].from);
				assert_string_equal(done(), "");
			} else if (r < 0 || strncmp(to, now, strlen(to)) != 0) {
				fail_msg("%s, %s: %s", state_names[expected[i].from],
					 event_names[e], now);
			}
		}
}

static void test_a_life(void **state)
{
	struct instance_exit e;

	(void)state;
	tell(ME_CREATE);
	status_is("creating");
	tell(ME_CREATED);
	status_is("created");
	assert_string_equal(done(), "create start");
	tell(ME_STARTED);
	status_is("running");
	assert_true(m.status.started && m.status.started_at && m.status.start_ms > 0);
	m.init_ended = true;
	m.init_status = 3 << 8;
	tell(ME_ENDED);
	status_is("exited");
	assert_string_equal(done(), "drain delete");
	e = read_exit();
	assert_int_equal(e.run, 1);
	assert_int_equal(e.reason, EXIT_ENDED);
	assert_int_equal(e.code, 3);
	assert_false(m.loop.stop);
	tell(ME_CLEARED);
	assert_true(m.loop.stop);
	assert_string_equal(done(), "");
}

static void run_to(enum monitor_state state)
{
	tell(ME_CREATE);
	tell(ME_CREATED);
	if (state == MS_CREATED || state == MS_STARTING)
		return;
	tell(ME_STARTED);
	if (state == MS_FROZEN)
		tell(ME_FREEZE);
	done();
}

static void end_by(int status)
{
	m.init_ended = true;
	m.init_status = status;
	tell(ME_ENDED);
}

static void test_oom(void **state)
{
	struct instance_exit e;

	(void)state;
	oom_kills = 4; /* of whoever had the group before */
	run_to(MS_RUNNING);
	oom_kills = 5;
	end_by(SIGKILL);
	e = read_exit();
	assert_true(e.oom);
	assert_int_equal(e.code, 137);
	assert_int_equal(e.signal, 9);
	set_up(NULL);
	oom_kills = 4;
	run_to(MS_RUNNING);
	end_by(SIGKILL);
	assert_false(read_exit().oom);
}

static void test_stop(void **state)
{
	(void)state;
	run_to(MS_RUNNING);
	assert_int_equal(ask(ME_STOP, SIGINT, 5000), 0);
	assert_string_equal(done(), "signal-2");
	wait_until_late();
	assert_string_equal(done(), "kill-all");
	wait_until_late();
	assert_string_equal(done(), "kill-all");
	end_by(SIGKILL);
	assert_int_equal(read_exit().reason, EXIT_ASKED);
}

static void test_stop_comes_before_its_time(void **state)
{
	(void)state;
	tell(ME_CREATE);
	assert_int_equal(ask(ME_STOP, SIGINT, 5000), 0);
	assert_string_equal(done(), "create");
	tell(ME_CREATED);
	assert_int_equal(m.state, MS_STOPPING);
	assert_string_equal(done(), "kill-all");
	end_by(SIGKILL);
	assert_int_equal(read_exit().reason, EXIT_ASKED);

	set_up(NULL);
	m.activate = (struct activate *)&m;
	thaws = true;
	tell(ME_CREATE);
	assert_int_equal(tell(ME_START), 0);
	assert_int_equal(ask(ME_STOP, SIGINT, 5000), 0);
	tell(ME_CREATED);
	assert_int_equal(m.state, MS_STOPPING);
	assert_string_equal(done(), "create kill-all");

	set_up(NULL);
	run_to(MS_STARTING);
	assert_int_equal(ask(ME_STOP, SIGINT, 5000), 0);
	assert_string_equal(done(), "create start");
	tell(ME_STARTED);
	assert_int_equal(m.state, MS_STOPPING);
	assert_string_equal(done(), "signal-2");

	set_up(NULL);
	tell(ME_CREATE);
	ask(ME_STOP, SIGTERM, 100);
	wait_until_late();
	assert_string_equal(done(), "create kill-helper kill-all");
	tell(ME_NOT_CREATED);
	assert_int_equal(read_exit().reason, EXIT_ASKED);
}

static void test_wait(void **state)
{
	(void)state;
	options.wait = true;
	tell(ME_CREATE);
	tell(ME_CREATED);
	assert_string_equal(done(), "create");
	assert_int_equal(m.state, MS_CREATED);
	tell(ME_START);
	assert_string_equal(done(), "start");

	set_up(NULL);
	options.wait = true;
	tell(ME_CREATE);
	assert_int_equal(tell(ME_START), 0);
	tell(ME_CREATED);
	assert_string_equal(done(), "create start");
}

static void test_short_life(void **state)
{
	(void)state;
	run_to(MS_STARTING);
	end_by(0);
	assert_int_equal(m.state, MS_STARTING);
	tell(ME_STARTED);
	assert_int_equal(m.state, MS_CLEARING);
	assert_int_equal(read_exit().reason, EXIT_ENDED);
	assert_int_equal(read_exit().code, 0);
}

static void test_failures(void **state)
{
	struct instance_exit e;

	(void)state;
	tell(ME_CREATE);
	run_note_said(&m, "words", 5);
	m.create_code = 1;
	tell(ME_NOT_CREATED);
	e = read_exit();
	assert_int_equal(e.reason, EXIT_NOT_CREATED);
	assert_int_equal(e.code, 1);
	assert_string_equal(e.message, "words");
	assert_string_equal(done(), "create drain delete");

	set_up(NULL);
	run_to(MS_STARTING);
	run_note_said(&m, "others", 6);
	tell(ME_NOT_STARTED);
	e = read_exit();
	assert_int_equal(e.reason, EXIT_NOT_STARTED);
	assert_int_equal(e.code, -1);
	assert_string_equal(e.message, "others");

	set_up(NULL);
	create_result = -EAGAIN;
	tell(ME_CREATE);
	e = read_exit();
	assert_int_equal(e.reason, EXIT_NOT_CREATED);
	assert_string_equal(e.message, "no fork");
	assert_int_equal(m.state, MS_CLEARING);
}

static void test_freeze(void **state)
{
	(void)state;
	run_to(MS_RUNNING);
	freeze_result = -EOPNOTSUPP;
	assert_int_equal(tell(ME_FREEZE), -EOPNOTSUPP);
	status_is("running");
	freeze_result = 0;
	assert_int_equal(tell(ME_FREEZE), 0);
	status_is("frozen");
	done();
	/* The signal first: it is there when it wakes. */
	ask(ME_STOP, SIGTERM, 1000);
	assert_string_equal(done(), "signal-15 thaw");
	status_is("stopping");
}

static void test_kill_is_asked_for(void **state)
{
	static const struct {
		int sig;
		enum exit_reason reason;
	} cases[] = { { SIGKILL, EXIT_ASKED }, { SIGTERM, EXIT_ASKED }, { SIGINT, EXIT_ASKED },
		      { SIGQUIT, EXIT_ASKED }, { SIGHUP, EXIT_ENDED },	{ SIGUSR1, EXIT_ENDED } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		set_up(state);
		run_to(MS_RUNNING);
		ask(ME_KILL, cases[i].sig, 0);
		end_by(1 << 8);
		assert_int_equal(read_exit().reason, cases[i].reason);
	}
}

static void test_idle(void **state)
{
	(void)state;
	options.stop_signal = "SIGQUIT";
	options.listen.count = 1;
	m.activate = (struct activate *)&m;
	tell(ME_CREATE);
	tell(ME_CREATED);
	assert_int_equal(m.state, MS_CREATED); /* who connects starts it */
	tell(ME_START);
	tell(ME_STARTED);
	done();
	assert_int_equal(tell(ME_IDLE), 0);
	assert_string_equal(done(), "signal-3");
	end_by(0);
	assert_int_equal(read_exit().reason, EXIT_IDLE);
	assert_int_equal(read_exit().run, 1);
	done();
	tell(ME_CLEARED);
	/* The next one, which waits again. */
	assert_string_equal(done(), "create");
	assert_int_equal(m.state, MS_CREATING);
	assert_int_equal(m.status.run, 2);
	assert_false(m.loop.stop);
	tell(ME_CREATED);
	assert_int_equal(m.state, MS_CREATED);
	/* One that was stopped is no idle one. */
	tell(ME_START);
	tell(ME_STARTED);
	tell(ME_IDLE);
	tell(ME_STOP);
	end_by(0);
	assert_int_equal(read_exit().reason, EXIT_ASKED);
	tell(ME_CLEARED);
	assert_true(m.loop.stop);
}

static void test_stop_while_the_next_run_is_due(void **state)
{
	(void)state;
	options.listen.count = 1;
	m.activate = (struct activate *)&m;
	tell(ME_CREATE);
	tell(ME_CREATED);
	tell(ME_START);
	tell(ME_STARTED);
	tell(ME_IDLE);
	end_by(0);
	assert_int_equal(tell(ME_STOP), 0);
	tell(ME_CLEARED);
	assert_true(m.loop.stop);
}

static void test_exit_is_written_later(void **state)
{
	char path[64];

	(void)state;
	run_to(MS_RUNNING);
	/* Its place is taken by what cannot be replaced. */
	snprintf(path, sizeof(path), "%s/exit.json", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	end_by(0);
	assert_int_equal(m.state, MS_RUNNING);
	wait_until_late();
	assert_int_equal(m.state, MS_RUNNING);
	assert_int_equal(rmdir(path), 0);
	wait_until_late();
	assert_int_equal(m.state, MS_CLEARING);
	assert_int_equal(read_exit().code, 0);
}

static void test_unknown(void **state)
{
	struct instance_exit e = { .run = 1, .reason = EXIT_ENDED, .code = 42 };
	struct err err;

	(void)state;
	run_to(MS_RUNNING);
	end_by(-1);
	assert_int_equal(read_exit().reason, EXIT_UNKNOWN);
	assert_int_equal(read_exit().code, -1);
	/* Somebody else knew. */
	set_up(NULL);
	run_to(MS_RUNNING);
	assert_int_equal(instance_write_exit(m.dir_fd, &e, &err), 0);
	end_by(-1);
	assert_int_equal(read_exit().code, 42);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_pair),
		TEST(test_a_life),
		TEST(test_oom),
		TEST(test_stop),
		TEST(test_stop_comes_before_its_time),
		TEST(test_wait),
		TEST(test_short_life),
		TEST(test_failures),
		TEST(test_freeze),
		TEST(test_kill_is_asked_for),
		TEST(test_idle),
		TEST(test_stop_while_the_next_run_is_due),
		TEST(test_exit_is_written_later),
		TEST(test_unknown),
	};
	int r;

	m.loop.epoll = -1;
	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	set_up(NULL);
	rmdir(dir);
	return r;
}
