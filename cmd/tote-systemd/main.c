/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-systemd/bus.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define START_TIMEOUT_MS 30000
/* How long a unit of the same name may take to go, once nothing lives in it. */
#define GOING_MS 2000
#define NAP_MS 10
/* For taking back what came too late or wrong. */
#define UNDO_TIMEOUT_MS 5000
#define EXIT_NOT_REACHED 3

static const char usage[] =
	"Usage: tote-systemd [--user] [--timeout MS] start UNIT PROPERTY...\n"
	"       tote-systemd [--user] [--timeout MS] set UNIT PROPERTY...\n"
	"       tote-systemd [--user] [--timeout MS] stop UNIT\n"
	"       tote-systemd --help | --version\n"
	"\n"
	"Has systemd make, change and stop the scope that a container lives in. A property is\n"
	"[?]NAME=TYPE:VALUE. tote executes this; see tote-systemd(8).\n";

struct request {
	struct bus bus;
	struct word *words;
	size_t count;
};

static int complain(const struct err *err)
{
	fprintf(stderr, "tote-systemd: %s\n", err->msg);
	return 1;
}

static bool any_optional(const struct request *rq)
{
	for (size_t i = 0; i < rq->count; i++)
		if (rq->words[i].optional)
			return true;
	return false;
}

/* One at a time: which of them this systemd knows shows only so. */
static int set_each(struct request *rq, bool started, struct err *err)
{
	for (size_t i = 0; i < rq->count; i++) {
		const struct word *w = &rq->words[i];
		int r = started && !w->optional ? 0 : bus_set(&rq->bus, w, 1, err);

		if (r < 0 && !(r == -EOPNOTSUPP && w->optional))
			return r;
	}
	return 0;
}

/* With everything; else with what has to be, and of the rest what this systemd takes. */
static int start_with_most(struct request *rq, struct err *err)
{
	int r = bus_start(&rq->bus, rq->words, rq->count, WORDS_ALL, err);

	if (r != -EOPNOTSUPP || !any_optional(rq))
		return r;
	r = bus_start(&rq->bus, rq->words, rq->count, WORDS_REQUIRED, err);
	return r == 0 ? set_each(rq, true, err) : r;
}

/* systemd takes a moment to forget a unit that has ended. */
static bool on_its_way_out(struct request *rq)
{
	static const char *const living[] = { "active", "activating", "reloading" };
	autofree char *state = NULL;
	struct err ignored;

	if (bus_get(&rq->bus, BUS_UNIT, "ActiveState", &state, &ignored) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(living); i++)
		if (strcmp(state, living[i]) == 0)
			return false;
	bus_reset(&rq->bus);
	return true;
}

static int start(struct request *rq, struct err *err)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };
	struct deadline going = deadline_in(GOING_MS);
	autofree char *group = NULL;
	struct err ignored;
	int r;

	while ((r = start_with_most(rq, err)) == -EEXIST && deadline_left(&going, GOING_MS) &&
	       on_its_way_out(rq))
		nanosleep(&nap, NULL);
	if (r == -EEXIST)
		return r;
	if (r == 0)
		r = bus_get(&rq->bus, BUS_SCOPE, "ControlGroup", &group, err);
	if (r == 0 && !group[0])
		r = err_set(err, ESRCH, "unit %s ended at once", rq->bus.unit);
	if (r == 0 && (printf("%s\n", group) < 0 || fflush(stdout)))
		r = err_errno(err, "write the cgroup's path");
	if (r < 0) {
		rq->bus.deadline = deadline_in(UNDO_TIMEOUT_MS);
		bus_stop(&rq->bus, &ignored);
	}
	return r;
}

static int set(struct request *rq, struct err *err)
{
	int r = bus_set(&rq->bus, rq->words, rq->count, err);

	return r == -EOPNOTSUPP && any_optional(rq) ? set_each(rq, false, err) : r;
}

static int stop(struct request *rq, struct err *err)
{
	return bus_stop(&rq->bus, err);
}

static const struct verb {
	const char *name;
	int (*run)(struct request *rq, struct err *err);
	bool properties;
} verbs[] = {
	{ "start", start, true },
	{ "set", set, true },
	{ "stop", stop, false },
};

/* The one of the command line; NULL with a message when there is none or it lacks arguments. */
static const struct verb *find_verb(char **args, int count, struct err *err)
{
	const struct verb *verb = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (count && strcmp(verbs[i].name, args[0]) == 0)
			verb = &verbs[i];
	if (verb && (verb->properties ? count > 2 : count == 2))
		return verb;
	err_set(err, EINVAL, "%s%s; see tote-systemd --help",
		verb	? "wrong number of arguments for "
		: count ? "unknown command "
			: "no command given",
		count ? args[0] : "");
	return NULL;
}

struct options {
	bool user, help, version;
	int timeout_ms;
};

static int read_options(int argc, char **argv, struct options *ret, struct err *err)
{
	static const struct option options[] = {
		{ "user", no_argument, NULL, 'u' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	*ret = (struct options){ .timeout_ms = START_TIMEOUT_MS };
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:hv", options, NULL)) != -1) {
		ret->user |= opt == 'u';
		ret->help |= opt == 'h';
		ret->version |= opt == 'v';
		if (opt == ':')
			return err_set(err, EINVAL, "option %s requires an argument",
				       argv[optind - 1]);
		if (opt == '?')
			return err_set(err, EINVAL, "unknown option %s", argv[optind - 1]);
		if (opt == 't' && (!isdigit((unsigned char)*optarg) || strlen(optarg) > 7))
			return err_set(err, EINVAL,
				       "--timeout: expected milliseconds, found \"%s\"", optarg);
		if (opt == 't')
			ret->timeout_ms = (int)strtol(optarg, NULL, 10);
	}
	return 0;
}

static int run_verb(const struct options *o, char **args, int count)
{
	autoarena arena = ARENA_INIT;
	struct request rq = { 0 };
	struct err err;
	const struct verb *verb = find_verb(args, count, &err);
	int r = 0;

	if (!verb)
		return complain(&err);
	rq.bus.unit = args[1];
	rq.bus.deadline = deadline_in(o->timeout_ms);
	rq.words = arena_calloc(&arena, (size_t)count, sizeof(*rq.words));
	for (int i = 2; i < count && r == 0; i++)
		r = word_parse(args[i], &rq.words[rq.count++], &err);
	if (r < 0)
		return complain(&err);
	r = bus_open(&rq.bus, o->user, &err);
	if (r == 0)
		r = verb->run(&rq, &err);
	bus_close(&rq.bus);
	if (r < 0)
		complain(&err);
	return r == -ENOTCONN ? EXIT_NOT_REACHED : r < 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct err err;

	/* Without tote nobody hears the answer; what is left half done, delete finds. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read_options(argc, argv, &o, &err) < 0)
		return complain(&err);
	if (o.help)
		return fputs(usage, stdout) < 0;
	if (o.version)
		return printf("tote-systemd version %s\n", TOTE_VERSION) < 0;
	return run_verb(&o, argv + optind, argc - optind);
}
