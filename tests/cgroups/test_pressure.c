/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure: the text of a trigger, and one on a group of its own whose processes fight for a
 * processor. The latter needs root and a kernel that measures pressure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/pressure.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPINNERS 3

static void test_text(void **state)
{
	static const struct {
		struct pressure_trigger trigger;
		const char *text; /* NULL: refused with the words */
		const char *words;
	} cases[] = {
		{ { PRESSURE_MEMORY, false, 150000, 1000000 }, "some 150000 1000000", NULL },
		{ { PRESSURE_IO, true, 1, 500000 }, "full 1 500000", NULL },
		{ { PRESSURE_CPU, false, 10000000, 10000000 }, "some 10000000 10000000", NULL },
		{ { PRESSURE_IRQ, true, 1000, 2000000 }, "full 1000 2000000", NULL },
		{ { PRESSURE_CPU, false, 1000, 499999 }, NULL, "cpu pressure: a window" },
		{ { PRESSURE_CPU, false, 1000, 10000001 }, NULL, "cpu pressure: a window" },
		{ { PRESSURE_IO, false, 0, 1000000 }, NULL, "io pressure: a threshold" },
		{ { PRESSURE_IO, false, 1000001, 1000000 }, NULL, "io pressure: a threshold" },
		{ { PRESSURE_IRQ, false, 1000, 2000000 }, NULL, "only full" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[PRESSURE_TEXT_SIZE];
		struct err err = { 0 };
		int r = pressure_text(&cases[i].trigger, text, &err);

		assert_int_equal(r, cases[i].text ? 0 : -EINVAL);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		else
			assert_non_null(strstr(err.msg, cases[i].words));
	}
}

/* A group with processes that share one processor. */
struct fight {
	struct cg_tree tree;
	struct cg cg;
	char path[64];
	pid_t pids[SPINNERS];
};

static int make_group(void **state)
{
	static struct fight g;
	struct err err = { 0 };

	g = (struct fight){ .cg = CG_INIT };
	*state = NULL;
	snprintf(g.path, sizeof(g.path), "/tote-test-pressure-%d", getpid());
	if (geteuid() != 0 || cg_tree_find(&g.tree, &err) < 0)
		return 0;
	if (cg_create(&g.tree, g.path, &g.cg, &err) < 0) {
		cg_tree_close(&g.tree);
		return 0;
	}
	*state = &g;
	return 0;
}

static int remove_group(void **state)
{
	struct fight *g = *state;
	struct err err;

	if (!g)
		return 0;
	cg_kill(&g->cg, 5000, &err);
	for (size_t i = 0; i < SPINNERS; i++)
		if (g->pids[i])
			waitpid(g->pids[i], NULL, 0);
	cg_destroy(&g->tree, g->path, 1, 5000, &err);
	cg_done(&g->cg);
	cg_tree_close(&g->tree);
	return 0;
}

/* The group, or the test is skipped. */
static struct fight *need_group(void **state)
{
	struct fight *g = *state;

	if (!g) {
		print_message("# skip: no group can be made here\n");
		skip();
	}
	if (faccessat(g->cg.fd, "cpu.pressure", F_OK, 0) < 0) {
		print_message("# skip: the kernel does not measure pressure\n");
		skip();
	}
	return g;
}

_Noreturn static void spin(void)
{
	cpu_set_t one;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	alarm(100);
	for (;;)
		__asm__ volatile("");
}

static void start_spinners(struct fight *g)
{
	struct err err;

	for (size_t i = 0; i < SPINNERS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			spin();
		g->pids[i] = pid;
		assert_int_equal(cg_add_pid(&g->cg, pid, &err), 0);
	}
}

static const struct pressure_trigger slow = { PRESSURE_CPU, false, 200000, 2000000 };

static void test_event(void **state)
{
	struct fight *g = need_group(state);
	struct pollfd p = { .events = POLLPRI };
	struct err err = { 0 };
	autofd fd = pressure_open(&g->cg, &slow, &err);

	if (fd < 0)
		fail_msg("%s", err.msg);
	p.fd = fd;
	/* Nobody waits for anything yet. */
	assert_int_equal(poll(&p, 1, 0), 0);
	start_spinners(g);
	/* Two of three always wait: due after one window, twice that for the averages' rhythm. */
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_true(p.revents & POLLPRI);
	assert_false(p.revents & POLLERR);
	/* One event a window: the next one is not there yet. */
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_one_trigger_a_descriptor(void **state)
{
	struct fight *g = need_group(state);
	char text[PRESSURE_TEXT_SIZE];
	struct err err = { 0 };
	autofd fd = pressure_open(&g->cg, &slow, &err);
	autofd other = pressure_open(&g->cg, &slow, &err);

	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(pressure_text(&slow, text, &err), 0);
	assert_int_equal(write(fd, text, strlen(text)), -1);
	assert_int_equal(errno, EBUSY);
}

static bool has_sys_resource(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1U << CAP_SYS_RESOURCE;
}

static void test_privilege(void **state)
{
	static const struct pressure_trigger quick = { PRESSURE_MEMORY, false, 100000, 1000000 };
	struct fight *g = need_group(state);
	struct err err = { 0 };
	autofd fd = pressure_open(&g->cg, &quick, &err);

	if (has_sys_resource()) {
		assert_true(fd >= 0);
		return;
	}
	assert_int_equal(fd, -EPERM);
	assert_non_null(strstr(err.msg, "CAP_SYS_RESOURCE"));
	assert_non_null(strstr(err.msg, g->path));
}

static void test_gone(void **state)
{
	struct fight *g = need_group(state);
	struct pollfd p = { .events = POLLPRI };
	struct err err = { 0 };
	autofd fd = pressure_open(&g->cg, &slow, &err);

	assert_true(fd >= 0);
	assert_int_equal(cg_destroy(&g->tree, g->path, 1, 5000, &err), 0);
	p.fd = fd;
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_true(p.revents & POLLERR);
	assert_int_equal(pressure_open(&g->cg, &slow, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "is gone"));
}

/* Linux 6.1 lets a group's pressure be switched off. */
static void test_switched_off(void **state)
{
	struct fight *g = need_group(state);
	struct err err = { 0 };
	autofd fd = openat(g->cg.fd, "cgroup.pressure", O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("# skip: no cgroup.pressure\n");
		skip();
	}
	assert_int_equal(write(fd, "0", 1), 1);
	assert_int_equal(pressure_open(&g->cg, &slow, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "write 1 to its cgroup.pressure"));
}

int main(void)
{
#define LIVE(name) cmocka_unit_test_setup_teardown(name, make_group, remove_group)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), LIVE(test_event), LIVE(test_one_trigger_a_descriptor),
		LIVE(test_privilege),	     LIVE(test_gone),  LIVE(test_switched_off),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
