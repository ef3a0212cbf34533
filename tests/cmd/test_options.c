/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"
#include "lib/buf.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define MAX_WORDS 12

struct values {
	const char *bundle, *format;
	bool tty, detach;
	unsigned int number;
	struct option_list env;
};

#define AT(member) offsetof(struct values, member)

static const struct option items[] = {
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR", "" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "" },
	{ "tty", 't', OPT_FLAG, AT(tty), NULL, "" },
	{ "detach", 'd', OPT_FLAG, AT(detach), NULL, "" },
	{ "number", 'n', OPT_UINT, AT(number), "N", "" },
	{ "env", 'e', OPT_LIST, AT(env), "VAR", "" },
	{ "no-subreaper", 0, OPT_IGNORED, 0, NULL, "" },
	{ "criu", 0, OPT_IGNORED_VALUE, 0, "PATH", "" },
};
static const struct option_table anywhere = { items, ARRAY_SIZE(items), false };
static const struct option_table stopping = { items, ARRAY_SIZE(items), true };

/* What came of a command line, in words: values that were set, then the positional arguments. */
static int parse(const struct option_table *table, const char *const *words, struct buf *out,
		 struct err *err)
{
	struct values v = { 0 };
	char *argv[MAX_WORDS + 1] = { NULL };
	bool help = false;
	size_t count = 0;
	int r;

	for (size_t i = 0; words[i]; i++)
		argv[i] = (char *)words[i];
	r = options_parse(table, argv, &v, &count, &help, err);
	if (r < 0)
		return r;
	if (v.bundle)
		buf_addf(out, "bundle=<%s> ", v.bundle);
	if (v.format)
		buf_addf(out, "format=<%s> ", v.format);
	buf_addf(out, "%s%s%s", v.tty ? "tty " : "", v.detach ? "detach " : "",
		 help ? "help " : "");
	if (v.number)
		buf_addf(out, "number=%u ", v.number);
	for (size_t i = 0; i < v.env.count; i++)
		buf_addf(out, "env=<%s> ", v.env.items[i]);
	buf_adds(out, "|");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, " <%s>", argv[i]);
	assert_null(argv[count]);
	return 0;
}

struct good {
	const char *words[MAX_WORDS + 1];
	const char *expected;
};

static void expect(const struct option_table *table, const struct good *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		autobuf out = BUF_INIT;
		struct err err = { 0 };

		if (parse(table, cases[i].words, &out, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(buf_str(&out), cases[i].expected);
	}
}

static void values_in_every_form(void **state)
{
	static const struct good cases[] = {
		{ { NULL }, "|" },
		{ { "-b", "DIR" }, "bundle=<DIR> |" },
		{ { "-b=DIR" }, "bundle=<DIR> |" },
		{ { "-bDIR" }, "bundle=<DIR> |" },
		{ { "--bundle", "DIR" }, "bundle=<DIR> |" },
		{ { "--bundle=DIR" }, "bundle=<DIR> |" },
		{ { "-bundle", "DIR" }, "bundle=<DIR> |" },
		{ { "-bundle=DIR" }, "bundle=<DIR> |" },
		{ { "--bundle=" }, "bundle=<> |" },
		{ { "-b=" }, "bundle=<> |" },
		{ { "--bundle", "" }, "bundle=<> |" },
		{ { "--bundle=a=b" }, "bundle=<a=b> |" },
		/* The next word is the value, whatever it looks like. */
		{ { "--bundle", "--tty" }, "bundle=<--tty> |" },
		{ { "-b", "--" }, "bundle=<--> |" },
		{ { "-b", "-" }, "bundle=<-> |" },
		{ { "--bundle", "1", "--bundle=2" }, "bundle=<2> |" },
		{ { "-e", "A=1", "--env=B=2", "-eC", "--env", "D" },
		  "env=<A=1> env=<B=2> env=<C> env=<D> |" },
		{ { "--number=2147483647" }, "number=2147483647 |" },
		{ { "-n7" }, "number=7 |" },
		{ { "--number", "007" }, "number=7 |" },
	};

	(void)state;
	expect(&anywhere, cases, ARRAY_SIZE(cases));
}

static void flags(void **state)
{
	static const struct good cases[] = {
		{ { "-t" }, "tty |" },
		{ { "--tty" }, "tty |" },
		{ { "-tty" }, "tty |" },
		{ { "--tty=true" }, "tty |" },
		{ { "--tty=1" }, "tty |" },
		{ { "-tty=true" }, "tty |" },
		{ { "--tty=false" }, "|" },
		{ { "--tty", "--tty=0" }, "|" },
		/* A flag takes no second word. */
		{ { "--tty", "false" }, "tty | <false>" },
		{ { "-dt" }, "tty detach |" },
		{ { "-td" }, "tty detach |" },
		{ { "-tdbDIR" }, "bundle=<DIR> tty detach |" },
		{ { "-tdb", "DIR" }, "bundle=<DIR> tty detach |" },
		{ { "-tb=DIR", "x" }, "bundle=<DIR> tty | <x>" },
		{ { "-no-subreaper" }, "|" },
		{ { "--no-subreaper" }, "|" },
		{ { "--no-subreaper", "x" }, "| <x>" },
		{ { "--criu", "x", "y" }, "| <y>" },
		{ { "--criu=x", "y" }, "| <y>" },
		{ { "--help" }, "help |" },
		{ { "-h" }, "help |" },
		{ { "-th", "x" }, "tty help | <x>" },
	};

	(void)state;
	expect(&anywhere, cases, ARRAY_SIZE(cases));
}

static void positional_arguments(void **state)
{
	static const struct good cases[] = {
		{ { "a", "b" }, "| <a> <b>" },
		{ { "a", "--tty", "b", "-b", "DIR", "c" }, "bundle=<DIR> tty | <a> <b> <c>" },
		{ { "-", "--tty" }, "tty | <->" },
		{ { "", "-t" }, "tty | <>" },
		{ { "--", "-t", "--bundle", "--" }, "| <-t> <--bundle> <-->" },
		{ { "-t", "--", "-x" }, "tty | <-x>" },
		{ { "a", "--", "-t", "b" }, "| <a> <-t> <b>" },
		{ { "--" }, "|" },
	};

	(void)state;
	expect(&anywhere, cases, ARRAY_SIZE(cases));
}

static void commands_keep_their_own_options(void **state)
{
	static const struct good cases[] = {
		{ { "-t", "id", "ls", "-t", "--bundle", "--", "x" },
		  "tty | <id> <ls> <-t> <--bundle> <--> <x>" },
		{ { "id", "-9" }, "| <id> <-9>" },
		{ { "-t", "--", "id", "-t" }, "tty | <id> <-t>" },
		{ { "--", "-id", "-t" }, "| <-id> <-t>" },
		{ { "-bDIR", "-", "--tty" }, "bundle=<DIR> | <-> <--tty>" },
	};

	(void)state;
	expect(&stopping, cases, ARRAY_SIZE(cases));
}

static void mistakes(void **state)
{
	static const struct {
		const char *words[MAX_WORDS + 1];
		const char *message;
	} cases[] = {
		{ { "--nothing" }, "unknown option: --nothing" },
		{ { "--nothing=1" }, "unknown option: --nothing=1" },
		{ { "--bund", "x" }, "unknown option: --bund" },
		{ { "--bundlex", "x" }, "unknown option: --bundlex" },
		{ { "--=x" }, "unknown option: --=x" },
		{ { "---tty" }, "unknown option: ---tty" },
		{ { "-x" }, "unknown option: -x" },
		{ { "-tx" }, "unknown option: -tx" },
		{ { "-nothing" }, "--number: expected a number, found \"othing\"" },
		{ { "-b" }, "option -b requires an argument" },
		{ { "-tb" }, "option -b requires an argument" },
		{ { "--bundle" }, "option --bundle requires an argument" },
		{ { "-bundle" }, "option --bundle requires an argument" },
		{ { "--criu" }, "option --criu requires an argument" },
		{ { "--tty=yes" }, "--tty: expected true or false, found \"yes\"" },
		{ { "--tty=" }, "--tty: expected true or false, found \"\"" },
		{ { "--number=" }, "--number: expected a number, found \"\"" },
		{ { "-n", "x" }, "--number: expected a number, found \"x\"" },
		{ { "-n", "1x" }, "--number: expected a number, found \"1x\"" },
		{ { "-n", "1 " }, "--number: expected a number, found \"1 \"" },
		{ { "-n", " 1" }, "--number: expected a number, found \" 1\"" },
		{ { "-n", "+1" }, "--number: expected a number, found \"+1\"" },
		{ { "-n", "-1" }, "--number: expected a number, found \"-1\"" },
		{ { "-n", " -18446744073709551615" },
		  "--number: expected a number, found \" -18446744073709551615\"" },
		{ { "-n", "2147483648" }, "--number: expected a number, found \"2147483648\"" },
		{ { "-n", "99999999999999999999" },
		  "--number: expected a number, found \"99999999999999999999\"" },
		{ { "-n", "0x10" }, "--number: expected a number, found \"0x10\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autobuf out = BUF_INIT;
		struct err err = { 0 };

		if (parse(&anywhere, cases[i].words, &out, &err) != -EINVAL)
			fail_msg("accepted: %s %s", cases[i].words[0],
				 cases[i].words[1] ? cases[i].words[1] : "");
		assert_string_equal(err.msg, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_every_form),
		cmocka_unit_test(flags),
		cmocka_unit_test(positional_arguments),
		cmocka_unit_test(commands_keep_their_own_options),
		cmocka_unit_test(mistakes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
