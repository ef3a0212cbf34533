/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/netdev.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* NAME[=OTHER]; points into argv. */
struct device {
	const char *name;
	const char *other; /* NULL when absent */
};

static int complain(const struct err *err)
{
	fprintf(stderr, "tote-net: %s\n", err->msg);
	return 1;
}

static int parse_pid(const char *text, struct err *err)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || pid < 1 || pid > INT_MAX)
		return err_set(err, EINVAL, "--pid: expected a process id, found \"%s\"", text);
	return (int)pid;
}

/* Opens the namespace that the options name; optind then is at the first device. Returns a
 * descriptor or -errno. */
static int open_netns(int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "netns", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	char proc[32];
	int opt, fd, pid, given = 0;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		given++;
		if (opt == ':')
			return err_set(err, EINVAL, "option %s requires an argument",
				       argv[optind - 1]);
		if (opt == '?')
			return err_set(err, EINVAL, "unknown option %s", argv[optind - 1]);
		path = optarg;
		if (opt == 'p') {
			pid = parse_pid(optarg, err);
			if (pid < 0)
				return pid;
			snprintf(proc, sizeof(proc), "/proc/%d/ns/net", pid);
			path = proc;
		}
	}
	if (given != 1)
		return err_set(err, EINVAL, "give either --pid or --netns, once");
	/* O_NONBLOCK: a path to a fifo must not hang. */
	fd = fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
	return fd < 0 ? err_errno(err, "cannot open the network namespace %s", path) : fd;
}

/* Splits in place. Returns the number of devices or -EINVAL. */
static int parse_devices(char **args, int count, struct device *devices, struct err *err)
{
	if (count < 1)
		return err_set(err, EINVAL, "no interface is named; see tote-net --help");
	for (int i = 0; i < count; i++) {
		char *equals = strchr(args[i], '=');

		if (equals)
			*equals = '\0';
		devices[i] = (struct device){ args[i], equals ? equals + 1 : NULL };
	}
	return count;
}

static void undo_moves(struct netdev_ends *ends, const struct netdev_move *moves, int count)
{
	struct err err;

	while (count--)
		if (netdev_undo(ends, &moves[count], &err) < 0)
			complain(&err);
}

/* What netdev-out is to be told: the names chosen for "%d" are known only here. */
static int print_moves(const struct netdev_move *moves, int count, struct err *err)
{
	for (int i = 0; i < count; i++)
		printf("%s=%s\n", moves[i].inside, moves[i].name);
	return fflush(stdout) ? err_errno(err, "cannot write the names") : 0;
}

static int netdev_in(struct netdev_ends *ends, const struct device *devices, int count)
{
	autoarena arena = ARENA_INIT;
	struct netdev_move *moves = arena_calloc(&arena, (size_t)count, sizeof(*moves));
	struct err err;
	int done = 0, rc = 0;

	while (rc >= 0 && done < count) {
		const struct device *d = &devices[done];

		rc = netdev_move_in(ends, d->name, d->other, &arena, &moves[done], &err);
		if (rc >= 0)
			done++;
	}
	if (rc >= 0)
		rc = print_moves(moves, count, &err);
	if (rc < 0) {
		complain(&err);
		undo_moves(ends, moves, done);
		return 1;
	}
	for (int i = 0; i < count; i++)
		if (moves[i].lost_route.code)
			fprintf(stderr, "tote-net: warning: a route was left behind: %s\n",
				moves[i].lost_route.msg);
	return 0;
}

/* Best effort: one device that cannot be given back does not keep the others. */
static int netdev_out(struct netdev_ends *ends, const struct device *devices, int count)
{
	int failed = 0;

	for (int i = 0; i < count; i++) {
		const struct device *d = &devices[i];
		struct err err;

		if (netdev_give_back(ends, d->name, d->other ? d->other : d->name, &err) < 0)
			failed = complain(&err);
	}
	return failed;
}

static const struct verb {
	const char *name;
	int (*run)(struct netdev_ends *ends, const struct device *devices, int count);
} verbs[] = {
	{ "netdev-in", netdev_in },
	{ "netdev-out", netdev_out },
};

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	static struct netdev_ends ends;
	autoarena arena = ARENA_INIT;
	struct device *devices = arena_calloc(&arena, (size_t)argc, sizeof(*devices));
	struct err err;
	autofd netns = open_netns(argc, argv, &err);
	int count, rc;

	if (netns < 0)
		return complain(&err);
	count = parse_devices(argv + optind, argc - optind, devices, &err);
	if (count < 0 || netdev_open(&ends, netns, &err) < 0)
		return complain(&err);
	rc = verb->run(&ends, devices, count);
	netdev_close(&ends);
	return rc;
}

int netdev_main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run_verb(&verbs[i], argc - 1, argv + 1);
	return -1;
}
