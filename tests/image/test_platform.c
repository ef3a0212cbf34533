/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "oci/image/platform.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char *all(const struct platform_list *list, struct arena *a)
{
	autobuf b = BUF_INIT;

	for_each (p, list)
		buf_addf(&b, "%s%s", b.len ? " " : "", platform_text(p, a));
	return arena_strdup(a, buf_str(&b));
}

static void normalize(void **state)
{
	static const struct {
		const char *os, *architecture, *variant, *expected;
	} cases[] = {
		{ "linux", "amd64", NULL, "linux/amd64" },
		{ NULL, "x86_64", "", "linux/amd64" },
		{ "", "x86-64", "v1", "linux/amd64" },
		{ "Linux", "AMD64", "V3", "linux/amd64/v3" },
		{ "linux", "i686", "x", "linux/386" },
		{ "linux", "aarch64", "8", "linux/arm64" },
		{ "linux", "arm64", "v8", "linux/arm64" },
		{ "linux", "arm64", "v9", "linux/arm64/v9" },
		{ "linux", "arm", NULL, "linux/arm/v7" },
		{ "linux", "arm", "6", "linux/arm/v6" },
		{ "linux", "arm", "v8", "linux/arm/v8" },
		{ "linux", "armhf", NULL, "linux/arm/v7" },
		{ "linux", "armel", NULL, "linux/arm/v6" },
		{ "linux", "armv7l", NULL, "linux/arm/v7" },
		{ "windows", "amd64", NULL, "windows/amd64" },
		{ "linux", "riscv64", NULL, "linux/riscv64" },
		{ "unknown", "unknown", NULL, "unknown/unknown" },
		{ NULL, NULL, NULL, "linux/unknown" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct platform p = { (char *)cases[i].os, (char *)cases[i].architecture,
				      (char *)cases[i].variant };

		platform_normalize(&p, &a);
		assert_string_equal(platform_text(&p, &a), cases[i].expected);
		platform_normalize(&p, &a);
		assert_string_equal(platform_text(&p, &a), cases[i].expected);
	}
}

static void parse(void **state)
{
	static const char *const cases[][2] = {
		{ "linux/arm64/v8", "linux/arm64" }, { "linux/amd64", "linux/amd64" },
		{ "arm64", "linux/arm64" },	     { "arm/v7", "linux/arm/v7" },
		{ "arm", "linux/arm/v7" },	     { "Linux/x86_64/v2", "linux/amd64/v2" },
		{ "s390x", "linux/s390x" },
	};
	static const char *const bad[][2] = {
		{ "", "ARCHITECTURE" },
		{ "linux", "no such architecture" },
		{ "amd46", "no such architecture" },
		{ "linux/amd46", "no such architecture" },
		{ "linux/", "ARCHITECTURE" },
		{ "linux//v8", "ARCHITECTURE" },
		{ "linux/arm/v7/x", "ARCHITECTURE" },
		{ "windows/amd64", "only linux" },
		{ "linux/amd64 ", "ARCHITECTURE" },
		{ "a\nb", "platform \"a\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct platform_list list;
		struct err err = { 0 };

		if (platform_parse(cases[i][0], &a, &list, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(list.count, 1);
		assert_string_equal(all(&list, &a), cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct platform_list list;
		struct err err = { 0 };

		assert_int_equal(platform_parse(bad[i][0], &a, &list, &err), -EINVAL);
		if (!strstr(err.msg, bad[i][1]) || strchr(err.msg, '\n'))
			fail_msg("%s: %s", bad[i][0], err.msg);
	}
}

static void lists(void **state)
{
	static const struct {
		const char *architecture;
		int level;
		bool runs_32bit;
		const char *expected;
	} cases[] = {
		{ "amd64", 1, true, "linux/amd64 linux/386" },
		{ "x86_64", 3, true, "linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386" },
		{ "amd64", 9, false, "linux/amd64/v4 linux/amd64/v3 linux/amd64/v2 linux/amd64" },
		{ "aarch64", 8, true,
		  "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5" },
		{ "arm64", 8, false, "linux/arm64" },
		{ "armv7l", 7, true, "linux/arm/v7 linux/arm/v6 linux/arm/v5" },
		{ "armv6l", 6, true, "linux/arm/v6 linux/arm/v5" },
		{ "i686", 0, true, "linux/386" },
		{ "riscv64", 0, true, "linux/riscv64" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct platform_list list;

		platform_of(cases[i].architecture, cases[i].level, cases[i].runs_32bit, &a, &list);
		assert_string_equal(all(&list, &a), cases[i].expected);
	}
}

static void rank(void **state)
{
	static const struct {
		const char *os, *architecture, *variant;
		int expected;
	} cases[] = {
		{ "linux", "arm64", "v8", 0 },	  { "linux", "aarch64", NULL, 0 },
		{ NULL, "arm", NULL, 2 },	  { "", "arm", "8", 1 },
		{ "linux", "arm", "v5", 4 },	  { "linux", "amd64", NULL, -1 },
		{ "windows", "arm64", NULL, -1 }, { "linux", "arm64", "v9", -1 },
		{ "linux", NULL, NULL, -1 },	  { "unknown", "unknown", NULL, -1 },
	};
	autoarena a = ARENA_INIT;
	struct platform_list list, none = { NULL, 0 };

	(void)state;
	platform_of("arm64", 8, true, &a, &list);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct platform p = { (char *)cases[i].os, (char *)cases[i].architecture,
				      (char *)cases[i].variant };

		assert_int_equal(platform_rank(&list, &p, &a), cases[i].expected);
		assert_int_equal(platform_rank(&none, &p, &a), -1);
	}
}

#define V1 "processor\t: 0\nflags\t\t: fpu sse sse2"
#define V2 V1 " ssse3 sse4_1 sse4_2 pni popcnt cx16 lahf_lm"
#define V3 V2 " abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"

static void amd64_levels(void **state)
{
	(void)state;
	assert_int_equal(platform_amd64_level(""), 1);
	assert_int_equal(platform_amd64_level(V1 "\n"), 1);
	/* Another processor's, or part of a longer word. */
	assert_int_equal(platform_amd64_level(V1 "\nflags: cx16 lahf_lm popcnt pni sse4_1 sse4_2 "
						 "ssse3\n"),
			 1);
	assert_int_equal(platform_amd64_level(V1 " ssse3 sse4_1 sse4_2 pni popcnt cx16x lahf_lm"),
			 1);
	assert_int_equal(platform_amd64_level(V2), 2);
	assert_int_equal(platform_amd64_level(V3 "\n"), 3);
	/* v4 without v3 is none. */
	assert_int_equal(platform_amd64_level(V2 " avx512f avx512bw avx512cd avx512dq avx512vl"),
			 2);
	assert_int_equal(platform_amd64_level(V3 " avx512f avx512bw avx512cd avx512dq avx512vl"),
			 4);
}

/* This machine runs itself, and asking does not change how. */
static void host(void **state)
{
	autoarena a = ARENA_INIT;
	int before = personality(0xffffffff);
	struct platform_list list;
	struct platform own = { 0 };
	struct utsname u;

	(void)state;
	uname(&u);
	own.architecture = u.machine;
	platform_host(&a, &list);
	assert_true(list.count > 0);
	assert_true(platform_rank(&list, &own, &a) >= 0);
	assert_int_equal(personality(0xffffffff), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalize), cmocka_unit_test(parse),
		cmocka_unit_test(lists),     cmocka_unit_test(rank),
		cmocka_unit_test(host),	     cmocka_unit_test(amd64_levels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
