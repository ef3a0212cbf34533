/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of specs that must be refused, each with the message, for the tests of oci/spec*.c. */
#ifndef TESTS_OCI_SPEC_BAD_H
#define TESTS_OCI_SPEC_BAD_H

#include "tests/oci/spec_text.h"

struct bad {
	const char *text, *message;
};

static inline void expect_bad(const struct bad *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		autoarena a = ARENA_INIT;
		char *json = to_json(&a, cases[i].text);
		struct spec *spec = NULL;
		struct err err = { 0 };

		if (spec_parse(json, strlen(json), &a, &spec, &err) != -EINVAL)
			fail_msg("accepted: %s", json);
		if (strcmp(err.msg, cases[i].message) != 0)
			fail_msg("%s\n  expected: %s\n  found:    %s", json, cases[i].message,
				 err.msg);
		assert_null(spec);
	}
}

#define EXPECT_BAD(cases) expect_bad(cases, ARRAY_SIZE(cases))

#endif
