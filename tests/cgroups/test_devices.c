/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: programs are run by a small evaluator and compared with a table and, over random rules,
 * with a plain reading of the rules. No root needed; test_devices_kernel.c has the real thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/devices.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define R BPF_DEVCG_ACC_READ
#define W BPF_DEVCG_ACC_WRITE
#define MK BPF_DEVCG_ACC_MKNOD
#define CHR BPF_DEVCG_DEV_CHAR
#define BLK BPF_DEVCG_DEV_BLOCK

#define ANY                                                                                        \
	{                                                                                          \
		false, 0                                                                           \
	}
#define NUM(n)                                                                                     \
	{                                                                                          \
		true, n                                                                            \
	}

/* Runs a program of the instructions that devices.c uses. -1 for anything the verifier refuses. */
static int run(const struct device_program *p, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = { 0 };
	size_t pc = 0;

	for (size_t steps = 0; steps <= p->count && pc < p->count; steps++, pc++) {
		const struct bpf_insn *i = &p->insns[pc];
		uint64_t imm = (uint64_t)(int64_t)i->imm;
		bool jump = false;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			r[i->dst_reg] = *(const uint32_t *)((const char *)ctx + i->off);
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			jump = r[i->dst_reg] != imm;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = r[i->dst_reg] & imm;
			break;
		case BPF_JMP | BPF_JA:
			jump = true;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			return -1;
		}
		if (jump && i->off < 0)
			return -1;
		pc += jump ? (size_t)i->off : 0;
	}
	return -1;
}

static int verdict(const struct device_program *p, int type, unsigned int access, uint32_t major,
		   uint32_t minor)
{
	struct bpf_cgroup_dev_ctx ctx = { (access << 16) | (unsigned int)type, major, minor };

	return p->count ? run(p, &ctx) : 1;
}

static void compile(const struct cg_device_rule *rules, size_t count, struct arena *a,
		    struct device_program *p)
{
	struct err err = { 0 };

	assert_int_equal(devices_program(rules, count, a, p, &err), 0);
}

#define DENY_ALL                                                                                   \
	{                                                                                          \
		false, NULL, ANY, ANY, "rwm"                                                       \
	}
#define MAX_RULES 4

static const struct {
	const char *name;
	struct cg_device_rule rules[MAX_RULES];
	size_t count;
	int type;
	unsigned int access;
	uint32_t major, minor;
	int want;
} cases[] = {
	{ "no rules deny", { { 0 } }, 0, CHR, R, 1, 3, 0 },
	{ "deny all", { DENY_ALL }, 1, BLK, MK, 8, 0, 0 },
	{ "allow one", { DENY_ALL, { true, "c", NUM(1), NUM(3), "rw" } }, 2, CHR, R | W, 1, 3, 1 },
	{ "other letter", { DENY_ALL, { true, "c", NUM(1), NUM(3), "rw" } }, 2, CHR, MK, 1, 3, 0 },
	{ "one letter too many",
	  { DENY_ALL, { true, "c", NUM(1), NUM(3), "r" } },
	  2,
	  CHR,
	  R | W,
	  1,
	  3,
	  0 },
	{ "other minor", { DENY_ALL, { true, "c", NUM(1), NUM(3), "rw" } }, 2, CHR, R, 1, 4, 0 },
	{ "other major", { DENY_ALL, { true, "c", NUM(1), NUM(3), "rw" } }, 2, CHR, R, 2, 3, 0 },
	{ "other type", { DENY_ALL, { true, "c", NUM(1), NUM(3), "rw" } }, 2, BLK, R, 1, 3, 0 },
	{ "any minor", { { true, "c", NUM(136), ANY, "rw" } }, 1, CHR, R, 136, 999, 1 },
	{ "minus one is any", { { true, "b", NUM(-1), NUM(-1), "r" } }, 1, BLK, R, 253, 7, 1 },
	{ "major 0 is a number", { { true, "c", NUM(0), ANY, "r" } }, 1, CHR, R, 1, 0, 0 },
	{ "type a", { { true, "a", ANY, ANY, "m" } }, 1, BLK, MK, 8, 0, 1 },
	{ "type a, numbers count", { { true, "a", NUM(1), NUM(3), NULL } }, 1, CHR, R, 8, 0, 0 },
	{ "absent access is all", { { true, "c", NUM(1), NUM(3), NULL } }, 1, CHR, MK, 1, 3, 1 },
	{ "empty access is all", { { false, "a", ANY, ANY, "" } }, 1, CHR, R, 1, 3, 0 },
	{ "last wins: deny",
	  { { true, "c", NUM(1), ANY, NULL }, { false, "c", NUM(1), NUM(1), NULL } },
	  2,
	  CHR,
	  R,
	  1,
	  1,
	  0 },
	{ "last wins: the others stay",
	  { { true, "c", NUM(1), ANY, NULL }, { false, "c", NUM(1), NUM(1), NULL } },
	  2,
	  CHR,
	  R,
	  1,
	  3,
	  1 },
	{ "last wins: deny all",
	  { { true, "c", NUM(1), NUM(3), NULL }, DENY_ALL },
	  2,
	  CHR,
	  R,
	  1,
	  3,
	  0 },
	{ "one letter taken back",
	  { { true, "c", NUM(1), NUM(3), NULL }, { false, "c", NUM(1), NUM(3), "w" } },
	  2,
	  CHR,
	  R | W,
	  1,
	  3,
	  0 },
	{ "the letter left",
	  { { true, "c", NUM(1), NUM(3), NULL }, { false, "c", NUM(1), NUM(3), "w" } },
	  2,
	  CHR,
	  R,
	  1,
	  3,
	  1 },
	{ "letters of two rules",
	  { { true, "c", NUM(1), ANY, "r" }, { true, "c", NUM(1), NUM(3), "w" } },
	  2,
	  CHR,
	  R | W,
	  1,
	  3,
	  1 },
	{ "all but one",
	  { { true, "a", ANY, ANY, NULL }, { false, "b", NUM(8), ANY, NULL } },
	  2,
	  BLK,
	  R,
	  8,
	  1,
	  0 },
	{ "all but another",
	  { { true, "a", ANY, ANY, NULL }, { false, "b", NUM(8), ANY, NULL } },
	  2,
	  BLK,
	  R,
	  9,
	  1,
	  1 },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct device_program p;

		print_message("# %s\n", cases[i].name);
		compile(cases[i].rules, cases[i].count, &a, &p);
		assert_int_equal(
			verdict(&p, cases[i].type, cases[i].access, cases[i].major, cases[i].minor),
			cases[i].want);
	}
}

static void test_defaults(void **state)
{
	static const struct {
		int type;
		unsigned int access;
		uint32_t major, minor;
		int want;
	} expected[] = {
		{ CHR, R | W, 1, 3, 1 },    { CHR, R | W, 1, 5, 1 },   { CHR, R | W, 1, 7, 1 },
		{ CHR, R | W, 1, 8, 1 },    { CHR, R | W, 1, 9, 1 },   { CHR, R | W, 5, 0, 1 },
		{ CHR, R | W, 5, 1, 1 },    { CHR, R | W, 5, 2, 1 },   { CHR, R | W, 136, 0, 1 },
		{ CHR, R | W, 136, 77, 1 }, { CHR, MK, 10, 229, 1 },   { BLK, MK, 8, 0, 1 },
		{ CHR, R, 10, 229, 0 },	    { BLK, R, 8, 0, 0 },       { CHR, R, 1, 1, 0 },
		{ CHR, R, 137, 0, 0 },	    { CHR, R | MK, 10, 1, 0 },
	};
	autoarena a = ARENA_INIT;
	struct device_program p;

	(void)state;
	compile(devices_default, devices_default_count, &a, &p);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(verdict(&p, expected[i].type, expected[i].access,
					 expected[i].major, expected[i].minor),
				 expected[i].want);
}

static bool applies(const struct cg_device_rule *rule, int type, uint32_t major, uint32_t minor,
		    char letter)
{
	char want = type == CHR ? 'c' : 'b';

	if (rule->type && rule->type[0] != 'a' && rule->type[0] != want)
		return false;
	if (rule->major.set && rule->major.value != major)
		return false;
	if (rule->minor.set && rule->minor.value != minor)
		return false;
	return !rule->access || strchr(rule->access, letter);
}

/* The definition, letter by letter. */
static int plain_verdict(const struct cg_device_rule *rules, size_t count, int type,
			 unsigned int access, uint32_t major, uint32_t minor)
{
	static const struct {
		unsigned int bit;
		char letter;
	} letters[] = { { R, 'r' }, { W, 'w' }, { MK, 'm' } };

	for (size_t l = 0; l < ARRAY_SIZE(letters); l++) {
		bool allowed = false;

		for (size_t i = 0; i < count; i++) {
			if (applies(&rules[i], type, major, minor, letters[l].letter))
				allowed = rules[i].allow;
		}
		if (access & letters[l].bit && !allowed)
			return 0;
	}
	return 1;
}

static void random_rule(struct cg_device_rule *rule)
{
	static char *const types[] = { NULL, "a", "c", "b" };
	static char *const accesses[] = { NULL, "rwm", "rw", "r", "w", "m", "rm", "wm" };

	rule->allow = rand() % 2;
	rule->type = types[rand() % 4];
	rule->access = accesses[rand() % 8];
	rule->major = (struct opt_i64){ rand() % 2, rand() % 3 };
	rule->minor = (struct opt_i64){ rand() % 2, rand() % 3 };
}

static void compare_all(const struct cg_device_rule *rules, size_t count)
{
	autoarena a = ARENA_INIT;
	struct device_program p;

	compile(rules, count, &a, &p);
	for (unsigned int n = 0; n < 2 * 7 * 9; n++) {
		int type = n % 2 ? CHR : BLK;
		unsigned int access = 1 + n / 2 % 7;
		uint32_t major = n / 14 % 3, minor = n / 42;

		assert_int_equal(verdict(&p, type, access, major, minor),
				 plain_verdict(rules, count, type, access, major, minor));
	}
}

static void test_random_rules(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 3000; round++) {
		struct cg_device_rule rules[8];
		size_t count = (size_t)rand() % ARRAY_SIZE(rules);

		for (size_t i = 0; i < count; i++)
			random_rule(&rules[i]);
		compare_all(rules, count);
	}
}

static void test_allow_all_is_empty(void **state)
{
	const struct cg_device_rule rules[] = { { false, "c", NUM(1), NUM(3), NULL },
						{ true, NULL, ANY, ANY, NULL },
						{ true, "c", NUM(1), NUM(3), "r" } };
	autoarena a = ARENA_INIT;
	struct device_program p = { NULL, 99 };
	struct err err = { 0 };

	(void)state;
	compile(rules, ARRAY_SIZE(rules), &a, &p);
	assert_int_equal(p.count, 0);
	/* Nothing to do, so that not even the descriptor is looked at. */
	assert_int_equal(devices_attach(-1, &p, &err), 0);
}

static void test_invalid(void **state)
{
	static const struct {
		struct cg_device_rule rule;
		const char *message;
	} invalid[] = {
		{ { true, "x", ANY, ANY, NULL }, "type \"x\"" },
		{ { true, "cb", ANY, ANY, NULL }, "type \"cb\"" },
		{ { true, "c", ANY, ANY, "rx" }, "access \"rx\"" },
		{ { true, "c", NUM(4096), ANY, NULL }, "major 4096" },
		{ { true, "c", ANY, NUM(1048576), NULL }, "minor 1048576" },
		{ { true, "c", NUM(INT64_MAX), ANY, NULL }, "major 9223372036854775807" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		struct cg_device_rule rules[2] = { invalid[i].rule, { true, "a", ANY, ANY, NULL } };
		autoarena a = ARENA_INIT;
		struct device_program p = { NULL, 99 };
		struct err err = { 0 };

		assert_int_equal(devices_program(rules, 2, &a, &p, &err), -EINVAL);
		assert_non_null(strstr(err.msg, invalid[i].message));
		assert_int_equal(p.count, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	     cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_random_rules), cmocka_unit_test(test_allow_all_is_empty),
		cmocka_unit_test(test_invalid),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
