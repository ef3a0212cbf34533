/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static struct loop loop;

static int set_up(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_done(&loop);
	return 0;
}

/* One end of a socket pair in the loop. */
struct end {
	struct loop_source source;
	int fd, peer;
	int calls;
	uint32_t events;
	struct end *removes, *silences; /* when it is called */
};

static void note(struct loop_source *source, uint32_t events)
{
	struct end *e = container_of(source, struct end, source);

	e->calls++;
	e->events = events;
	if (e->removes)
		loop_remove(&loop, &e->removes->source);
	if (e->silences)
		loop_change(&loop, &e->silences->source, 0);
}

static void end_open(struct end *e, uint32_t events)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*e = (struct end){ .fd = pair[0], .peer = pair[1] };
	assert_int_equal(loop_add(&loop, &e->source, e->fd, events, note), 0);
}

static void end_close(struct end *e)
{
	loop_remove(&loop, &e->source);
	close(e->fd);
	if (e->peer >= 0)
		close(e->peer);
}

static void levels(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	assert_int_equal(loop_once(&loop, 0), 0);
	assert_int_equal(e.calls, 0);
	assert_int_equal(write(e.peer, "x", 1), 1);
	/* It is told again until it is read. */
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(loop_once(&loop, 1000), 0);
		assert_int_equal(e.calls, i);
		assert_int_equal(e.events, EPOLLIN);
	}
	loop_change(&loop, &e.source, EPOLLOUT);
	loop_once(&loop, 1000);
	assert_int_equal(e.events, EPOLLOUT);
	loop_change(&loop, &e.source, 0);
	loop_once(&loop, 0);
	assert_int_equal(e.calls, 4);
	/* Without any, its end is told. */
	close(e.peer);
	e.peer = -1;
	loop_once(&loop, 1000);
	assert_int_equal(e.calls, 5);
	assert_true(e.events & EPOLLHUP);
	end_close(&e);
}

static void removal(void **state)
{
	struct end e[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		end_open(&e[i], EPOLLIN);
		assert_int_equal(write(e[i].peer, "x", 1), 1);
		close(e[i].peer);
		e[i].peer = -1;
	}
	/* All are in one batch: the first that is called removes the others, and those are not called. */
	e[0].removes = &e[1];
	e[1].removes = &e[0];
	loop_once(&loop, 1000);
	assert_int_equal(e[0].calls + e[1].calls, 1);
	assert_int_equal(e[2].calls, 1);
	loop_once(&loop, 1000);
	assert_int_equal(e[0].calls + e[1].calls, 2);
	/* Twice, and never added, is nothing. */
	loop_remove(&loop, &e[0].source);
	loop_remove(&loop, &e[0].source);
	loop_change(&loop, &e[0].source, EPOLLOUT);
	for (int i = 0; i < 3; i++)
		end_close(&e[i]);
}

/* What the kernel had told already is not wanted any more. */
static void silenced(void **state)
{
	struct end e[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		end_open(&e[i], EPOLLIN);
		assert_int_equal(write(e[i].peer, "x", 1), 1);
	}
	e[0].silences = &e[1];
	e[1].silences = &e[0];
	loop_once(&loop, 1000);
	assert_int_equal(e[0].calls + e[1].calls, 1);
	for (int i = 0; i < 2; i++)
		end_close(&e[i]);
}

static void removes_itself(void **state)
{
	struct end e;

	(void)state;
	end_open(&e, EPOLLIN);
	e.removes = &e;
	assert_int_equal(write(e.peer, "x", 1), 1);
	loop_once(&loop, 1000);
	loop_once(&loop, 0);
	assert_int_equal(e.calls, 1);
	assert_null(e.source.ready);
	end_close(&e);
}

/* A forked child keeps what we close open: only a source that was removed is silent then. */
static void forked_child(void **state)
{
	struct epoll_event event;
	struct end e;
	pid_t pid;
	int n;

	(void)state;
	end_open(&e, EPOLLIN);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(write(e.peer, "x", 1), 1);
	loop_remove(&loop, &e.source);
	close(e.fd);
	close(e.peer);
	n = epoll_wait(loop.epoll, &event, 1, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(n, 0);
}

static void files(void **state)
{
	struct loop_source source = { 0 };
	autofd fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(loop_add(&loop, &source, fd, EPOLLIN, note), -EPERM);
	assert_int_equal(loop_add(&loop, &source, -1, EPOLLIN, note), -EBADF);
	assert_null(source.ready);
}

static char order[16];
static int fired;

struct named {
	struct loop_timer timer;
	char name;
	int again; /* times that it sets itself anew for at once */
	struct loop_timer *clears;
};

static void fire(struct loop_timer *timer)
{
	struct named *n = container_of(timer, struct named, timer);

	assert_null(timer->link.next);
	order[fired++ % 16] = n->name;
	if (n->clears)
		loop_timer_clear(n->clears);
	if (n->again-- > 0)
		loop_timer_set(&loop, timer, 0, fire);
}

static void timers_in_order(void **state)
{
	struct named t[] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' } };
	static const int after[] = { 30, 10, 20, 5000 };
	int64_t begun = loop_now();

	(void)state;
	fired = 0;
	for (int i = 0; i < 4; i++)
		loop_timer_set(&loop, &t[i].timer, after[i], fire);
	loop_timer_clear(&t[3].timer);
	loop_timer_clear(&t[3].timer);
	while (fired < 3)
		loop_once(&loop, 1000);
	assert_memory_equal(order, "bca", 3);
	assert_in_range(loop_now() - begun, 30, 2000);
	loop_once(&loop, 0);
	assert_int_equal(fired, 3);
}

static void timers_at_the_same_time(void **state)
{
	struct named t[] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' } };

	(void)state;
	fired = 0;
	/* Set first, called first; one may clear another that is due as well. */
	for (int i = 0; i < 3; i++)
		loop_timer_set(&loop, &t[i].timer, 0, fire);
	t[0].clears = &t[1].timer;
	loop_once(&loop, 0);
	assert_int_equal(fired, 2);
	assert_memory_equal(order, "ac", 2);
}

static void timers_set_anew(void **state)
{
	struct named t = { .name = 'a', .again = 1000 };

	(void)state;
	fired = 0;
	loop_timer_set(&loop, &t.timer, 0, fire);
	for (int i = 1; i <= 3; i++) {
		loop_once(&loop, 1000);
		assert_int_equal(fired, i);
	}
	/* Once, however often it is set. */
	t.again = 0;
	loop_timer_set(&loop, &t.timer, 5, fire);
	loop_timer_set(&loop, &t.timer, 1, fire);
	while (fired < 4)
		loop_once(&loop, 1000);
	loop_once(&loop, 10);
	assert_int_equal(fired, 4);
	loop_timer_set(&loop, &t.timer, INT64_MAX, fire);
	loop_once(&loop, 1);
	assert_int_equal(fired, 4);
	loop_timer_clear(&t.timer);
}

static void stop(struct loop_timer *timer)
{
	(void)timer;
	loop.stop = true;
}

static void running(void **state)
{
	struct loop_timer timer = { 0 };

	(void)state;
	loop_timer_set(&loop, &timer, 10, stop);
	assert_int_equal(loop_run(&loop), 0);
	close(loop.epoll);
	loop.stop = false;
	assert_int_equal(loop_run(&loop), -EBADF);
	loop.epoll = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silenced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forked_child, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timers_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timers_at_the_same_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(timers_set_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(running, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
