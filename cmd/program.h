/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our programs with many verbs have in common: global options, the table of verbs, how a verb
 * is run. A program is its table and a main() that hands it to program_main().
 */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "cmd/log.h"
#include "cmd/options.h"
#include "oci/container.h"

struct globals {
	const char *root;  /* the directory of all containers */
	const char *store; /* --store, NULL: not given */
	bool rootless;
	enum cgroup_manager manager;
};

extern struct globals globals;

struct verb {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *help;
	const struct option_table *options;
	size_t min_args, max_args; /* positional ones */
	/* args is NULL-terminated; opts is zeroed memory of opts_size that the options were stored
	 * in. Returns the exit code. */
	int (*run)(char **args, size_t count, void *opts);
	size_t opts_size;
	int failure; /* the exit code for wrong usage, 1 unless exec */
};

/* Verbs that another program of ours has: their names and help, and who runs them with the same
 * arguments. */
struct delegation {
	const char *program;
	const struct verb *verbs;
	size_t count;
};

struct program {
	const char *name, *help;
	const struct verb *const *verbs;
	size_t count;
	void (*print_version)(void);
	const struct delegation *delegations;
	size_t delegation_count;
	const char
		*group; /* the word before our verbs ("network"), which may be left out; or NULL */
	bool without_root; /* most verbs work without a directory of containers */
};

/* Returns the exit code. */
int program_main(const struct program *p, int argc, char **argv);

/* Logs err and returns the exit code 1. */
int fail(const struct err *err);
/* An absolute form of a path (of the working directory for NULL or a relative one), on the heap;
 * ends the program else. */
char *absolute(const char *path);

#endif
