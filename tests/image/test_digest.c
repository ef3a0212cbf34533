/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180-2, B.1 and C.1 */
#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                  \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void only_whole_digests_are_valid(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"sha256",
		"sha256:",
		"sha256:ba7816bf",
		"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		ABC_256 "0",
		ABC_256 "/",
		" " ABC_256,
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a/",
		"sha256:../7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		"sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha384:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};

	(void)state;
	assert_true(digest_valid(ABC_256));
	assert_true(digest_valid(ABC_512));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(digest_valid(bad[i]));
	assert_string_equal(digest_hex(ABC_256), ABC_256 + 7);
}

static void digests_are_those_of_the_standard(void **state)
{
	char text[DIGEST_SIZE];
	struct hash *h = hash_new(ABC_512);

	(void)state;
	hash_add(h, "a", 1);
	hash_add(h, "", 0);
	hash_add(h, "bc", 2);
	hash_finish(h, text);
	assert_string_equal(text, ABC_512);
	hash_bytes("abc", 3, text);
	assert_string_equal(text, ABC_256);
	h = hash_new("sha256");
	hash_finish(h, text);
	assert_string_equal(
		text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_chain_id_is_made_of_the_one_below(void **state)
{
	char text[DIGEST_SIZE], joined[DIGEST_SIZE];

	(void)state;
	hash_chain(NULL, ABC_256, text);
	assert_string_equal(text, ABC_256);
	hash_bytes(ABC_256 " " ABC_512, strlen(ABC_256 " " ABC_512), joined);
	hash_chain(ABC_256, ABC_512, text);
	assert_string_equal(text, joined);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_digests_are_valid),
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(a_chain_id_is_made_of_the_one_below),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
