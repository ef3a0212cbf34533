/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "oci/caps.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define BIT(cap) (UINT64_C(1) << (cap))

static uint64_t mask_of(char **names, size_t count, const char **ret_unknown)
{
	struct strv v = { names, count };

	return caps_mask(&v, ret_unknown);
}

static void names(void **state)
{
	static const struct {
		const char *name;
		uint64_t mask;
	} cases[] = {
		{ "CAP_CHOWN", BIT(CAP_CHOWN) },
		{ "CHOWN", BIT(CAP_CHOWN) },
		{ "cap_chown", BIT(CAP_CHOWN) },
		{ "Cap_Net_Admin", BIT(CAP_NET_ADMIN) },
		{ "net_admin", BIT(CAP_NET_ADMIN) },
		{ "CAP_SETFCAP", BIT(CAP_SETFCAP) },
		{ "CAP_MAC_OVERRIDE", BIT(CAP_MAC_OVERRIDE) },
		{ "CAP_BPF", BIT(CAP_BPF) },
		{ "CAP_CHECKPOINT_RESTORE", BIT(CAP_CHECKPOINT_RESTORE) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *one[] = { (char *)cases[i].name };
		const char *unknown = NULL;

		assert_true(mask_of(one, 1, &unknown) == cases[i].mask);
		assert_null(unknown);
	}
}

static void lists(void **state)
{
	char *many[] = { (char *)"CAP_KILL", (char *)"CAP_KILL", (char *)"CAP_SYS_ADMIN" };
	char *some[] = { (char *)"CAP_KILL", (char *)"CAP_X", (char *)"CAP_CHOWN",
			 (char *)"CAP_Y" };
	const char *unknown = NULL;

	(void)state;
	assert_true(mask_of(NULL, 0, &unknown) == 0);
	assert_true(mask_of(many, 3, &unknown) == (BIT(CAP_KILL) | BIT(CAP_SYS_ADMIN)));
	assert_null(unknown);
	assert_true(mask_of(some, 4, &unknown) == (BIT(CAP_KILL) | BIT(CAP_CHOWN)));
	assert_string_equal(unknown, "CAP_Y");
	assert_true(mask_of(some, 4, NULL) == (BIT(CAP_KILL) | BIT(CAP_CHOWN)));
}

/* None of these may grant anything. */
static void unknown_names(void **state)
{
	static const char *const bad[] = {
		"",
		"CAP_",
		"CAP_NOTHING",
		"CAP_CAP_CHOWN",
		"CAP_CHOWNX",
		"CAP_CHOW",
		"0",
		"CAP_0",
		"21",
		"CAP_21",
		"all",
		"CAP_ALL",
		"=",
		"cap_chown=ep",
		"CAP_CHOWN,CAP_SYS_ADMIN",
		"CAP_CHOWN ",
		" CAP_CHOWN",
		"CAP_CHOWN\n",
		"CAP_"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAA",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *one[] = { (char *)bad[i] };
		const char *unknown = NULL;

		if (mask_of(one, 1, &unknown) != 0 || unknown != bad[i])
			fail_msg("granted: \"%s\"", bad[i]);
	}
}

static void names_of_masks(void **state)
{
	autoarena a = ARENA_INIT;
	struct strv v = caps_names(BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_CHOWN) | BIT(63), &a);

	(void)state;
	assert_int_equal(v.count, 2);
	assert_string_equal(v.items[0], "CAP_CHOWN");
	assert_string_equal(v.items[1], "CAP_CHECKPOINT_RESTORE");
	assert_null(v.items[2]);
	assert_true(caps_mask(&v, NULL) == (BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_CHOWN)));
	assert_int_equal(caps_names(0, &a).count, 0);
}

static void kernels(void **state)
{
	uint64_t known = caps_kernel();
	char line[256] = "";
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;

	(void)state;
	assert_non_null(f);
	/* Contiguous, and as new as Linux 5.9 at least. */
	assert_true((known & (known + 1)) == 0);
	assert_true(known & BIT(CAP_CHECKPOINT_RESTORE));
	while (fgets(line, sizeof(line), f) && sscanf(line, "CapEff: %llx", &effective) != 1)
		;
	fclose(f);
	assert_true(strncmp(line, "CapEff:", 7) == 0);
	assert_true(caps_effective() == effective);
	assert_true((caps_effective() & ~known) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),	 cmocka_unit_test(lists),
		cmocka_unit_test(unknown_names), cmocka_unit_test(names_of_masks),
		cmocka_unit_test(kernels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
