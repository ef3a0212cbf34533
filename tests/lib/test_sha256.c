/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

/* From NIST's examples for FIPS 180-4. */
static const struct {
	const char *text, *digest;
} known[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

static void test_known(void **state)
{
	char text[SHA256_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		sha256_text(known[i].text, strlen(known[i].text), text);
		assert_string_equal(text, known[i].digest);
	}
}

/* Every length around the ends of blocks, against coreutils. */
static void test_lengths(void **state)
{
	char data[200], command[300], line[SHA256_TEXT_SIZE], text[SHA256_TEXT_SIZE];

	(void)state;
	memset(data, 'x', sizeof(data));
	for (size_t len = 50; len < 132; len++) {
		FILE *p;

		snprintf(command, sizeof(command), "printf %%s %.*s | sha256sum", (int)len, data);
		p = popen(command, "r");
		assert_non_null(p);
		assert_non_null(fgets(line, sizeof(line), p));
		pclose(p);
		sha256_text(data, len, text);
		assert_string_equal(text, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
