/* SPDX-License-Identifier: Apache-2.0 */
/* `tote doctor`: what it reads out of made-up texts of other hosts, and the shape of its report on
 * this one. */
#include "lib/cleanup.h"
#include "oci/doctor.h"
#include "oci/doctor_parse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_words(void **state)
{
	static const char modules[] =
		"nf_tables 335872 124 nft_ct, Live 0x0\nveth 40960 0 - Live 0x0\n";
	static const char file_systems[] = "nodev\tproc\n\text4\nnodev\toverlay\n";

	(void)state;
	assert_true(doctor_first_word(modules, "nf_tables"));
	assert_true(doctor_first_word(modules, "veth"));
	assert_false(doctor_first_word(modules, "nft_ct,"));
	assert_false(doctor_first_word(modules, "nf"));
	assert_true(doctor_last_word(file_systems, "overlay"));
	assert_true(doctor_last_word(file_systems, "ext4"));
	assert_false(doctor_last_word(file_systems, "nodev"));
	assert_false(doctor_last_word(file_systems, "ext"));
	assert_false(doctor_last_word("", "ext4"));
	assert_true(doctor_last_word("nodev\toverlay", "overlay"));
}

static void test_modules(void **state)
{
	static const char builtin[] = "kernel/fs/ext4/ext4.ko\nkernel/net/bridge/bridge.ko\n";
	static const char dep[] =
		"kernel/net/netfilter/nf_tables.ko.xz: kernel/lib/libcrc32c.ko.xz\n"
		"kernel/drivers/net/veth.ko:\nkernel/net/netfilter/nft-chain-nat.ko.zst:\n";

	(void)state;
	assert_true(doctor_has_module(builtin, "bridge"));
	assert_true(doctor_has_module(builtin, "ext4"));
	assert_false(doctor_has_module(builtin, "net"));
	assert_false(doctor_has_module(builtin, "veth"));
	assert_true(doctor_has_module(dep, "nf_tables"));
	assert_true(doctor_has_module(dep, "veth"));
	assert_true(doctor_has_module(dep, "nft_chain_nat"));
	/* Only what has a line of its own is certain. */
	assert_false(doctor_has_module(dep, "libcrc32c"));
	assert_false(doctor_has_module(dep, "nf_table"));
	assert_false(doctor_has_module("", "veth"));
}

static void test_subids(void **state)
{
	static const char text[] = "root:1:5\nanna:100000:65536\nannabel:165536:7\n"
				   "anna:300000:10\n1000:400000:3\n# anna:1:1\nanna:broken\n";

	(void)state;
	assert_int_equal(doctor_subids(text, "anna", 1000), 65536 + 10 + 3);
	assert_int_equal(doctor_subids(text, "anna", 1001), 65536 + 10);
	assert_int_equal(doctor_subids(text, NULL, 1000), 3);
	assert_int_equal(doctor_subids(text, "bert", 1001), 0);
	assert_int_equal(doctor_subids("", "anna", 1000), 0);
}

static void test_user_name(void **state)
{
	static const char passwd[] =
		"root:x:0:0:root:/root:/bin/sh\nempty::1000:1::/:\n:x:1001:1::/:\n"
		"bert:x:1002:1002:Bert:/home/bert:/bin/sh\n";
	char name[8] = "-";

	(void)state;
	assert_true(doctor_user_name(passwd, 1002, name, sizeof(name)));
	assert_string_equal(name, "bert");
	assert_true(doctor_user_name(passwd, 0, name, sizeof(name)));
	assert_string_equal(name, "root");
	/* Not the group, not a nameless line; names that do not fit are left alone. */
	assert_false(doctor_user_name(passwd, 1, name, sizeof(name)));
	assert_false(doctor_user_name(passwd, 1001, name, sizeof(name)));
	assert_false(doctor_user_name(passwd, 1002, name, 4));
	assert_string_equal(name, "root");
}

#define V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
#define OTHER "40 1 8:1 / /mnt/cgroup rw shared:1 master:2 - ext4 /dev/cgroup2 rw\n"

static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(doctor_cgroup_layout(OTHER V2 OTHER), DOCTOR_CGROUP_V2);
	assert_int_equal(doctor_cgroup_layout(OTHER V1 V2), DOCTOR_CGROUP_HYBRID);
	assert_int_equal(doctor_cgroup_layout(V1 OTHER), DOCTOR_CGROUP_V1);
	assert_int_equal(doctor_cgroup_layout(OTHER), DOCTOR_CGROUP_NONE);
	assert_int_equal(doctor_cgroup_layout(""), DOCTOR_CGROUP_NONE);
}

static void test_controllers(void **state)
{
	/* A Raspberry Pi's kernel has memory off; cpu is mounted as v1. */
	static const char text[] =
		"#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t70\t1\n"
		"cpu\t5\t70\t1\nblkio\t0\t70\t1\nmemory\t0\t85\t0\n";

	(void)state;
	assert_int_equal(doctor_controller(text, "memory"), DOCTOR_CONTROLLER_DISABLED);
	assert_int_equal(doctor_controller(text, "cpu"), DOCTOR_CONTROLLER_ON_V1);
	assert_int_equal(doctor_controller(text, "cpuset"), DOCTOR_CONTROLLER_FREE);
	assert_int_equal(doctor_controller(text, "io"), DOCTOR_CONTROLLER_FREE);
	assert_int_equal(doctor_controller(text, "pids"), DOCTOR_CONTROLLER_ABSENT);
	assert_int_equal(doctor_controller("", "memory"), DOCTOR_CONTROLLER_ABSENT);
}

static const struct doctor_result *find(const struct doctor_report *report, const char *check)
{
	const struct doctor_result *found = NULL;

	for (size_t i = 0; i < report->count; i++) {
		if (strcmp(report->items[i].check, check) == 0) {
			assert_null(found);
			found = &report->items[i];
		}
	}
	assert_non_null(found);
	return found;
}

/* Every line says what was found, every one that is not ok what helps; names are unique. */
static void check_report(const struct doctor_report *report)
{
	assert_true(report->count > 40);
	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_result *r = &report->items[i];

		assert_ptr_equal(find(report, r->check), r);
		assert_non_null(r->detail);
		assert_true(r->detail[0] && !strchr(r->detail, '\n'));
		if (r->status == DOCTOR_OK)
			assert_null(r->remedy);
		else if (!r->remedy || !r->remedy[0])
			fail_msg("%s: no remedy for: %s", r->check, r->detail);
	}
}

static void test_report(void **state)
{
	autoarena a = ARENA_INIT;
	struct doctor_report report;

	(void)state;
	doctor_run(&(struct doctor_opts){ "/nonexistent/tote", false }, &a, &report);
	check_report(&report);
	assert_int_equal(find(&report, "state-directory")->status, DOCTOR_OK);
	/* This program runs, so what it needs itself is seen. */
	assert_int_equal(find(&report, "kernel")->status, DOCTOR_OK);
	assert_int_equal(find(&report, "namespace-mount")->status, DOCTOR_OK);
	doctor_run(&(struct doctor_opts){ "/nonexistent/tote", true }, &a, &report);
	check_report(&report);
}

/* Others may write to it: containers there are not safe, and tote refuses it. */
static void test_open_state_directory(void **state)
{
	char dir[] = "/tmp/test_doctor.XXXXXX";
	autoarena a = ARENA_INIT;
	struct doctor_report report;

	(void)state;
	assert_non_null(mkdtemp(dir));
	doctor_run(&(struct doctor_opts){ dir, false }, &a, &report);
	assert_int_equal(find(&report, "state-directory")->status, DOCTOR_OK);
	assert_int_equal(chmod(dir, 0770), 0);
	doctor_run(&(struct doctor_opts){ dir, false }, &a, &report);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(find(&report, "state-directory")->status, DOCTOR_FAIL);
	assert_non_null(strstr(find(&report, "state-directory")->detail, dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),  cmocka_unit_test(test_modules),
		cmocka_unit_test(test_subids), cmocka_unit_test(test_user_name),
		cmocka_unit_test(test_layout), cmocka_unit_test(test_controllers),
		cmocka_unit_test(test_report), cmocka_unit_test(test_open_state_directory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
