/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include "lib/cleanup.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: fault count [-c] -- CMD ARGS                  print the number of system calls of "
	"CMD\n"
	"       fault kill -n N [-c] [-a] -- CMD ARGS         SIGKILL at the entry of the N-th "
	"call\n"
	"       fault fail -n N -e ERRNO [-c] -- CMD ARGS     the N-th call is not executed and "
	"fails\n"
	"       fault enosys -s NAME[,NAME..] -- CMD ARGS     the calls answer ENOSYS, in all "
	"descendants\n"
	"  -c  count the calls of all descendants in the order they come, not only the main "
	"process's\n"
	"  -a  kill the main process and all its descendants, not only the caller\n"
	"  -t SECONDS  (20) then kill everything traced and exit 124\n"
	"  -v  print \"N: PID CALL\" of each hit to stderr\n"
	"The exit code is CMD's, or 128 + signal. Descendants that outlive CMD go on untraced.\n"
	"count sends CMD's stdout to stderr.\n";

static const struct {
	const char *name;
	enum fault_action action;
	const char *options;
} verbs[] = {
	{ "count", FAULT_COUNT, "+ct:v" },
	{ "kill", FAULT_KILL, "+n:cat:v" },
	{ "fail", FAULT_FAIL, "+n:e:ct:v" },
	{ "enosys", FAULT_ENOSYS, "+s:t:v" },
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("fault: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAULT);
}

static uint64_t parse_nth(const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || n == 0)
		die("-n %s: expected a number from 1", text);
	return n;
}

static int parse_errno(const char *text)
{
	for (int err = 1; err < 134; err++) {
		const char *name = strerrorname_np(err);

		if (name && strcmp(name, text) == 0)
			return err;
	}
	die("-e %s: expected the name of an error, as ENOMEM", text);
}

static double parse_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= 1e6))
		die("-t %s: expected seconds, from 0.001 to 1000000", text);
	return seconds;
}

static void parse_calls(char *text, struct fault_opts *opts)
{
	char *save, *name;

	for (name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		long nr = call_number(name);

		if (nr < 0)
			die("-s %s: unknown system call (its number serves too)", name);
		opts->calls = reallocarray(opts->calls, opts->n_calls + 1, sizeof(*opts->calls));
		if (!opts->calls)
			die("out of memory");
		opts->calls[opts->n_calls++] = nr;
	}
}

static void parse_option(int c, struct fault_opts *opts)
{
	switch (c) {
	case 'n':
		opts->nth = parse_nth(optarg);
		break;
	case 'e':
		opts->err = parse_errno(optarg);
		break;
	case 's':
		parse_calls(optarg, opts);
		break;
	case 't':
		opts->timeout = parse_seconds(optarg);
		break;
	case 'c':
		opts->children = true;
		break;
	case 'a':
		opts->all = true;
		break;
	case 'v':
		opts->verbose = true;
		break;
	default:
		fputs(usage, stderr);
		exit(EXIT_FAULT);
	}
}

static void parse(int argc, char **argv, struct fault_opts *opts)
{
	size_t verb = 0;
	int c;

	while (argc > 1 && verb < ARRAY_SIZE(verbs) && strcmp(verbs[verb].name, argv[1]) != 0)
		verb++;
	if (argc < 2 || verb == ARRAY_SIZE(verbs)) {
		fputs(usage, stderr);
		exit(EXIT_FAULT);
	}
	opts->action = verbs[verb].action;
	while ((c = getopt(argc - 1, argv + 1, verbs[verb].options)) != -1)
		parse_option(c, opts);
	opts->argv = argv + 1 + optind;
	if (!*opts->argv)
		die("%s: a command is missing", argv[1]);
	if ((opts->action == FAULT_KILL || opts->action == FAULT_FAIL) && opts->nth == 0)
		die("%s: -n is missing", argv[1]);
	if (opts->action == FAULT_FAIL && opts->err == 0)
		die("fail: -e is missing");
	if (opts->action == FAULT_ENOSYS && opts->n_calls == 0)
		die("enosys: -s is missing");
}

int main(int argc, char **argv)
{
	struct fault_opts opts = { .timeout = 20 };
	uint64_t count = 0;
	int code;

	parse(argc, argv, &opts);
	code = trace_run(&opts, &count);
	if (opts.action == FAULT_COUNT)
		printf("%llu\n", (unsigned long long)count);
	free(opts.calls);
	return code;
}
