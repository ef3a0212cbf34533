/* SPDX-License-Identifier: Apache-2.0 */
/* devices: the kernel loads, attaches, obeys and replaces the programs. Root only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/cg.h"
#include "cgroups/devices.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANY                                                                                        \
	{                                                                                          \
		false, 0                                                                           \
	}
#define NUM(n)                                                                                     \
	{                                                                                          \
		true, n                                                                            \
	}

static struct cg_tree tree = { .fd = -1 };
static struct cg cg = CG_INIT;

static void compile(const struct cg_device_rule *rules, size_t count, struct arena *a,
		    struct device_program *p)
{
	struct err err = { 0 };

	assert_int_equal(devices_program(rules, count, a, p, &err), 0);
}

/* In a child inside the group: bit 0 when null opens, bit 1 when full opens. -1 on trouble. */
static int probe(void)
{
	struct err err;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int bits;

		if (cg_add_pid(&cg, getpid(), &err) < 0)
			_exit(99);
		bits = open("/dev/null", O_RDONLY) >= 0;
		bits |= (open("/dev/full", O_RDONLY) >= 0) << 1;
		_exit(bits);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int attached_count(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cg.fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -errno;
	return (int)attr.query.prog_cnt;
}

static void test_obeyed(void **state)
{
	const struct cg_device_rule null_only[] = { { true, "c", NUM(1), NUM(3), "rw" } };
	const struct cg_device_rule all[] = { { true, "a", ANY, ANY, NULL } };
	autoarena a = ARENA_INIT;
	struct device_program p;
	struct err err = { 0 };

	(void)state;
	/* main() has attached the defaults. */
	assert_int_equal(attached_count(), 1);
	assert_int_equal(probe(), 3);
	compile(null_only, 1, &a, &p);
	assert_int_equal(devices_replace(cg.fd, &p, &err), 0);
	assert_int_equal(attached_count(), 1);
	assert_int_equal(probe(), 1);
	compile(all, 1, &a, &p);
	assert_int_equal(devices_replace(cg.fd, &p, &err), 0);
	assert_int_equal(attached_count(), 0);
	assert_int_equal(probe(), 3);
}

/* The verifier looks at every path: rules must not multiply them. */
static void test_many_rules(void **state)
{
	static char *const accesses[] = { NULL, "rw", "r", "wm", "m" };
	static char *const types[] = { NULL, "c", "b" };
	struct cg_device_rule rules[500];
	autoarena a = ARENA_INIT;
	struct device_program p;
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < (int)ARRAY_SIZE(rules); i++)
		rules[i] = (struct cg_device_rule){ .allow = i % 7 < 4,
						    .type = types[i % 3],
						    .major = NUM(i % 200),
						    .minor = { i % 2, i },
						    .access = accesses[i % 5] };
	compile(rules, ARRAY_SIZE(rules), &a, &p);
	assert_true(p.count > 1000);
	assert_int_equal(devices_replace(cg.fd, &p, &err), 0);
	assert_int_equal(attached_count(), 1);
}

static int teardown(void **state)
{
	struct err err = { 0 };
	int r = cg_destroy(&tree, cg.path, cg.made, 2000, &err);

	(void)state;
	cg_done(&cg);
	cg_tree_close(&tree);
	return r;
}

/* 0 with a group that has the default program attached, or why nothing can be tested here. */
static int enter(struct err *err)
{
	autoarena a = ARENA_INIT;
	struct device_program p;
	char path[64];
	int r;

	if (geteuid() != 0)
		return err_set(err, EPERM, "needs root");
	r = cg_tree_find(&tree, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/tote-test-devices-%d", (int)getpid());
	r = cg_create(&tree, path, &cg, err);
	if (r < 0)
		return r;
	r = devices_program(devices_default, devices_default_count, &a, &p, err);
	if (r == 0)
		r = devices_attach(cg.fd, &p, err);
	if (r < 0)
		teardown(NULL);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_obeyed),
		cmocka_unit_test(test_many_rules),
	};
	struct err err = { 0 };
	int r = enter(&err);

	/* Any other error than a lack of privilege or of kernel support is a failure. */
	if (r < 0 && r != -EPERM && r != -EACCES && r != -EROFS && r != -EOPNOTSUPP &&
	    r != -ENOENT) {
		printf("1..1\nnot ok 1 - %s\n", err.msg);
		return 1;
	}
	if (r < 0) {
		printf("1..0 # SKIP %s\n", err.msg);
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
