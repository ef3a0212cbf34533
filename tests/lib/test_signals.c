/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/signals.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static void names_and_numbers(void **state)
{
	(void)state;
	assert_int_equal(signal_parse("15"), SIGTERM);
	assert_int_equal(signal_parse("0"), 0);
	assert_int_equal(signal_parse("TERM"), SIGTERM);
	assert_int_equal(signal_parse("SIGTERM"), SIGTERM);
	assert_int_equal(signal_parse("sigusr1"), SIGUSR1);
	assert_int_equal(signal_parse("RTMIN"), SIGRTMIN);
	assert_int_equal(signal_parse("SIGRTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(signal_parse("sigrtmax"), SIGRTMAX);
	assert_int_equal(signal_parse("RTMAX-14"), SIGRTMAX - 14);
	assert_int_equal(signal_parse("64"), SIGRTMAX);
}

static void what_is_none(void **state)
{
	static const char *const bad[] = {
		"",	    "SIG",	"FOO",	  "-1",		"+1",
		" 15",	    "15 ",	"15x",	  "65",		"99999999",
		"TERM ",    "RTMIN-1",	"RTMIN+", "RTMIN+31",	"RTMAX+1",
		"RTMAX-31", "RTMIN+ 1", "RTMIN3", "4294967311", "18446744073709551631"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(signal_parse(bad[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(what_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
