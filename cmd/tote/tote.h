/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the program share: the global options, the verb table's type, a few helpers. */
#ifndef CMD_TOTE_TOTE_H
#define CMD_TOTE_TOTE_H

#include "cmd/tote/log.h"
#include "cmd/tote/options.h"
#include "oci/container.h"

#define EXIT_EXEC_FAILED 255 /* exec of ours that failed, as runc's */

struct globals {
	const char *root; /* the directory of all containers */
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

extern const struct verb verb_create, verb_run, verb_start, verb_state, verb_kill, verb_delete,
	verb_exec, verb_list, verb_ps, verb_pause, verb_resume, verb_update, verb_events,
	verb_stats, verb_metrics, verb_features, verb_spec, verb_plan, verb_doctor;

/* version.c */
void print_version(void);

/* Opens globals.root; create makes it. -1 without an error when it is missing and need not be made.
 */
int open_root(bool create, struct err *err);
/* Logs err (and the warnings of c, if given) and returns the exit code 1. */
int fail(const struct err *err);
void log_warnings(const struct container *c);
/* Opens a container below globals.root, or logs why not and returns a negative value. *ret_root is
 * the caller's. */
int open_container(const char *id, bool lock, struct container *ret_c, int *ret_root,
		   struct err *err);
/* An absolute form of a path (of the working directory for NULL or a relative one), on the heap;
 * ends the program else. */
char *absolute(const char *path);
/* How many descriptors from 3 on are passed: those asked for and those of LISTEN_FDS; checks that
 * they are open. */
int inherited_fds(unsigned int preserve, unsigned int *ret_listen, unsigned int *ret_all,
		  struct err *err);

/*
 * sd_notify for a container that was just started: waits for READY=1 and passes it on, in a process
 * of its own unless wait is set. No-op without NOTIFY_SOCKET.
 */
int relay_notify(struct container *c, bool wait, struct err *err);

/*
 * For `run` and `exec` in the foreground: passes signals and terminal data on until the process
 * ends; its exit code. terminal (-1: none) is taken over.
 */
int attend(int pidfd, int terminal, struct err *err);

#endif
