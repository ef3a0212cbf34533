/* SPDX-License-Identifier: Apache-2.0 */
/* Times and lines of logs, as they are and as nobody should write them. */
#include "cmd/tote-compose/logs_line.h"
#include "cmd/tote-compose/logs_time.h"

#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static const struct {
	const char *text;
	bool good;
	int64_t ns;
} times[] = {
	{ "1970-01-01T00:00:00Z", true, 0 },
	{ "1970-01-01", true, 0 },
	{ "1970-01-01T00:00:00.000000001Z", true, 1 },
	{ "1970-01-01T00:00:00.1Z", true, S / 10 },
	{ "1970-01-01T02:00:00+02:00", true, 0 },
	{ "1969-12-31T22:30:00-01:30", true, 0 },
	{ "1969-12-31T23:59:59Z", true, -S },
	{ "2000-02-29T00:00:00Z", true, 951782400 * S },
	{ "2000-03-01T00:00:00Z", true, 951868800 * S },
	{ "2024-12-31 23:59:60z", true, 1735689600 * S },
	{ "2038-01-19T03:14:08Z", true, (INT64_C(1) << 31) * S },
	{ "2262-04-11T23:47:16Z", true, INT64_C(9223372036) * S },
	{ "2263-01-01T00:00:00Z", false },
	{ "9999-12-31T00:00:00Z", false },
	{ "0000-01-01T00:00:00Z", false },
	{ "1900-02-29", false },
	{ "2001-02-29", false },
	{ "2001-13-01", false },
	{ "2001-00-01", false },
	{ "2001-01-00", false },
	{ "2001-04-31", false },
	{ "2001-1-01", false },
	{ "2001-01-01T", false },
	{ "2001-01-01T24:00:00Z", false },
	{ "2001-01-01T00:60:00Z", false },
	{ "2001-01-01T00:00:61Z", false },
	{ "2001-01-01T00:00Z", false },
	{ "2001-01-01T00:00:00.Z", false },
	{ "2001-01-01T00:00:00Zx", false },
	{ "2001-01-01T00:00:00+2:00", false },
	{ "2001-01-01T00:00:00+25:00", false },
	{ "", false },
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t ns = 42;
		bool good = logs_time_scan(times[i].text, strlen(times[i].text), &ns);

		if (good != times[i].good || (good && ns != times[i].ns))
			fail_msg("%s: %d, %lld", times[i].text, good, (long long)ns);
	}
}

static void test_options(void **state)
{
	const int64_t now = 1000 * S;
	struct err err;
	int64_t ns;

	(void)state;
	assert_int_equal(logs_time_read("--since", "10m", now, &ns, &err), 0);
	assert_int_equal(ns, 400 * S);
	assert_int_equal(logs_time_read("--since", "1m30s500ms", now, &ns, &err), 0);
	assert_int_equal(ns, 1000 * S - 90 * S - S / 2);
	assert_int_equal(logs_time_read("--since", "0s", now, &ns, &err), 0);
	assert_int_equal(ns, now);
	assert_int_equal(logs_time_read("--since", "@7", now, &ns, &err), 0);
	assert_int_equal(ns, 7 * S);
	assert_true(logs_time_read("--since", "", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "10", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "m", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "1m 2s", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "-1m", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "@", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "@1x", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "99999999999999999999d", now, &ns, &err) < 0);
	assert_true(logs_time_read("--since", "999999999999d", now, &ns, &err) < 0);
	assert_non_null(strstr(err.msg, "--since: expected a duration"));
}

#define T "1970-01-01T00:00:01Z"

static const struct {
	const char *line, *text;
	bool timed, partial;
	int stream;
} lines[] = {
	{ T " stdout F hello", "hello", true, false, 0 },
	{ T " stderr P  x ", " x ", true, true, 1 },
	{ T " stdout F ", "", true, false, 0 },
	{ T " stdout F", "", true, false, 0 },
	{ T " stdout F:tag x", "x", true, false, 0 },
	{ T " stdout FX x", T " stdout FX x", false },
	{ T " stdin F x", T " stdin F x", false },
	{ T " stdout X x", T " stdout X x", false },
	{ T, T, false },
	{ "", "", false },
	{ "plain", "plain", false },
	{ "{\"log\":\"a\\n\",\"stream\":\"stderr\",\"time\":\"" T "\"}", "a", true, false, 1 },
	{ "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"" T "\"}", "a", true, true, 0 },
	{ "{ \"time\" : \"" T
	  "\", \"x\":[1,{\"y\":\"]}\"}], \"stream\":\"stdout\",\"log\":\"\\n\"}",
	  "", true, false, 0 },
	{ "{\"log\":\"\\ud83d\\u0041\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}",
	  "\xef\xbf\xbd"
	  "A",
	  true, false, 0 },
	{ "{\"log\":\"a\\n\",\"stream\":\"stdout\"}", "{\"log\":\"a\\n\",\"stream\":\"stdout\"}",
	  false },
	{ "{\"log\":\"a\\q\",\"stream\":\"stdout\",\"time\":\"" T "\"}",
	  "{\"log\":\"a\\q\",\"stream\":\"stdout\",\"time\":\"" T "\"}", false },
};

static void test_lines(void **state)
{
	autobuf scratch = BUF_INIT;
	struct logs_line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		logs_line_read(lines[i].line, strlen(lines[i].line), &scratch, &l);
		if (l.timed != lines[i].timed || l.partial != lines[i].partial ||
		    l.stream != lines[i].stream || l.len != strlen(lines[i].text) ||
		    memcmp(l.text, lines[i].text, l.len) != 0 || l.time != (l.timed ? S : 0))
			fail_msg("%s: \"%.*s\"", lines[i].line, (int)l.len, l.text);
	}
}

/* In memory of exactly its size, for the sanitizers: cut anywhere, and with any byte in any place. */
static void test_damaged(void **state)
{
	static const char bytes[] = "\"\\u{}[],: \n\0PFx\xff";
	autobuf scratch = BUF_INIT;
	struct logs_line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		for (size_t len = 0; len <= strlen(lines[i].line); len++)
			for (size_t n = 0; n < sizeof(bytes); n++) {
				char *copy = malloc(len + 1);

				assert_non_null(copy);
				memcpy(copy, lines[i].line, len);
				copy[len] = bytes[n];
				logs_line_read(copy, len + 1, &scratch, &l);
				assert_true(l.len <= len + 1);
				free(copy);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
