/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA256 "sha256:" HEX64
#define TEN "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define TAG128 HUNDRED TEN TEN "aaaaaaaa"

static void good(void **state)
{
	static const struct {
		const char *text, *name, *tag, *digest, *one_form;
	} cases[] = {
		{ "pos", "pos", "latest", NULL, "pos:latest" },
		{ "pos:1.2", "pos", "1.2", NULL, "pos:1.2" },
		{ "docker.io/library/pos", "pos", "latest", NULL, "pos:latest" },
		{ "docker.io/pos:1", "pos", "1", NULL, "pos:1" },
		{ "index.docker.io/library/pos", "pos", "latest", NULL, "pos:latest" },
		{ "library/pos", "pos", "latest", NULL, "pos:latest" },
		{ "library", "library", "latest", NULL, "library:latest" },
		{ "docker.io/library/a/b", "library/a/b", "latest", NULL, "library/a/b:latest" },
		{ "docker.io/a/b", "a/b", "latest", NULL, "a/b:latest" },
		{ "a/b__c/d--e.f_g:V", "a/b__c/d--e.f_g", "V", NULL, "a/b__c/d--e.f_g:V" },
		/* Without the domain these would be another's. */
		{ "docker.io/localhost/x", "docker.io/localhost/x", "latest", NULL,
		  "docker.io/localhost/x:latest" },
		{ "docker.io/a.b/c", "docker.io/a.b/c", "latest", NULL, "docker.io/a.b/c:latest" },
		{ "localhost/pos", "localhost/pos", "latest", NULL, "localhost/pos:latest" },
		{ "localhost:5000/pos", "localhost:5000/pos", "latest", NULL,
		  "localhost:5000/pos:latest" },
		{ "Registry/pos:t", "Registry/pos", "t", NULL, "Registry/pos:t" },
		{ "r-1.example:443/a/b:_x.-", "r-1.example:443/a/b", "_x.-", NULL,
		  "r-1.example:443/a/b:_x.-" },
		{ "[fd00::1]:5000/a", "[fd00::1]:5000/a", "latest", NULL,
		  "[fd00::1]:5000/a:latest" },
		{ "[::1]/a:1", "[::1]/a", "1", NULL, "[::1]/a:1" },
		{ "pos@" SHA256, "pos", NULL, SHA256, "pos@" SHA256 },
		{ "docker.io/pos:1@" SHA256, "pos", "1", SHA256, "pos@" SHA256 },
		{ "pos:" TAG128, "pos", TAG128, NULL, "pos:" TAG128 },
		{ HUNDRED HUNDRED TEN TEN TEN ":aaaaaaaaa", HUNDRED HUNDRED TEN TEN TEN,
		  "aaaaaaaaa", NULL, HUNDRED HUNDRED TEN TEN TEN ":aaaaaaaaa" },
		{ "localhost/sha256:1", "localhost/sha256", "1", NULL, "localhost/sha256:1" },
		{ "sha256/a:1", "sha256/a", "1", NULL, "sha256/a:1" },
		{ "a" HEX64, "a" HEX64, "latest", NULL, "a" HEX64 ":latest" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autoarena a = ARENA_INIT;
		struct reference r;
		struct err err = { 0 };

		if (reference_parse(cases[i].text, &a, &r, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(r.name, cases[i].name);
		assert_string_equal(r.text, cases[i].one_form);
		assert_string_equal(r.tag ? r.tag : "-", cases[i].tag ? cases[i].tag : "-");
		assert_string_equal(r.digest ? r.digest : "-",
				    cases[i].digest ? cases[i].digest : "-");
	}
}

static void bad(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "\"\": empty" },
		{ "Pos", "lower-case" },
		{ "a//b", "lower-case" },
		{ "/a", "lower-case" },
		{ "a/", "lower-case" },
		{ "../a", "no host name" },
		{ "a/../b", "lower-case" },
		{ "-a", "lower-case" },
		{ "a_", "lower-case" },
		{ "a___b", "lower-case" },
		{ "a..b", "lower-case" },
		{ "a b", "lower-case" },
		{ "a\nb", "\"a?b\"" },
		{ "\xc3\xa9", "\"\?\?\"" },
		{ "x.example/", "lower-case" },
		{ "x.example:port/a", "no host name" },
		{ "x.example:/a", "no host name" },
		{ "x.example:123456/a", "no host name" },
		{ "x..example/a", "no host name" },
		{ "-x.example/a", "no host name" },
		{ "x-.example/a", "no host name" },
		{ "[fd00::1/a", "no host name" },
		{ "[]/a", "no host name" },
		{ "[::1]x/a", "no host name" },
		{ "pos:", "a tag is" },
		{ "pos:.x", "a tag is" },
		{ "pos:-x", "a tag is" },
		{ "pos:a+b", "a tag is" },
		{ "pos:" TAG128 "a", "longer than 128" },
		{ "pos@", "digest" },
		{ "pos@sha256:12", "digest" },
		{ "pos@sha256:../../../etc/passwd", "digest" },
		{ "pos@" SHA256 "@" SHA256, "digest" },
		{ "@" SHA256, "lower-case" },
		{ HEX64, "by its digest" },
		{ "docker.io/" HEX64, "by its digest" },
		{ SHA256, "by its ID" },
		{ "sha512", "by its ID" },
		{ "docker.io/library/sha256:1", "by its ID" },
		{ "sha256@" SHA256, "by its ID" },
		{ HUNDRED HUNDRED HUNDRED, "longer than 255" },
		{ HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED, "too long" },
		/* Within the limits of both, but no file can be called so. */
		{ HUNDRED HUNDRED ":" TAG128, "too long to be kept" },
		{ HUNDRED HUNDRED TEN TEN TEN ":" TEN "a", "too long to be kept" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autoarena a = ARENA_INIT;
		struct reference r;
		struct err err = { 0 };

		if (reference_parse(cases[i].text, &a, &r, &err) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		if (!strstr(err.msg, cases[i].message))
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_ptr_equal(strstr(err.msg, "image name \""), err.msg);
	}
}

static void files(void **state)
{
	static const char *const pairs[][2] = {
		{ "pos:latest", "pos:latest" },
		{ "localhost:5000/a/b:1.2_x-y", "localhost:5000%2Fa%2Fb:1.2_x-y" },
		{ "[fd00::1]/a:1", "%5Bfd00::1%5D%2Fa:1" },
		{ "pos@" SHA256, "pos@" SHA256 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		autoarena a = ARENA_INIT;

		assert_string_equal(reference_to_file(pairs[i][0], &a), pairs[i][1]);
		assert_string_equal(reference_from_file(pairs[i][1], &a), pairs[i][0]);
	}
}

/* Nothing that a reference is not: no path, no second spelling, no temporary file. */
static void no_files(void **state)
{
	static const char *const bad_files[] = {
		"",	   ".",	       "..",	   ".pos:1.tmp",   "pos",
		"a%2fb:1", "a/b:1",    "pos%",	   "pos:1%2",	   "pos:1%00",
		"%70os:1", "%2E%2E",   "a%2F..:1", "a%2F%2Fb:1",   "docker.io%2Fa:1",
		"pos:1 ",  "pos:1%0A", "POS:1",	   "pos@sha256:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		autoarena a = ARENA_INIT;

		if (reference_from_file(bad_files[i], &a))
			fail_msg("taken: %s", bad_files[i]);
	}
}

/* Whatever it is given, the name of a file stays one. */
static void hostile_to_file(void **state)
{
	autoarena a = ARENA_INIT;

	(void)state;
	assert_string_equal(reference_to_file("..", &a), "%2E.");
	assert_string_equal(reference_to_file("../../x", &a), "%2E.%2F..%2Fx");
	assert_string_equal(reference_to_file("a\n%\xff", &a), "a%0A%25%FF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(files),
		cmocka_unit_test(no_files),
		cmocka_unit_test(hostile_to_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
