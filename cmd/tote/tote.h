/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the program share: its verbs, a few helpers. */
#ifndef CMD_TOTE_TOTE_H
#define CMD_TOTE_TOTE_H

#include "cmd/program.h"

#define EXIT_EXEC_FAILED 255 /* exec of ours that failed, as runc's */

extern const struct verb verb_create, verb_run, verb_start, verb_state, verb_kill, verb_delete,
	verb_exec, verb_list, verb_ps, verb_pause, verb_resume, verb_update, verb_events,
	verb_stats, verb_metrics, verb_features, verb_spec, verb_plan, verb_doctor, verb_probe;

/* version.c */
void print_version(void);

/* Opens globals.root; create makes it. -1 without an error when it is missing and need not be made.
 */
int open_root(bool create, struct err *err);
/* Logs what a container's making left out. */
void log_warnings(const struct container *c);
/* Opens a container below globals.root, or logs why not and returns a negative value. *ret_root is
 * the caller's. */
int open_container(const char *id, bool lock, struct container *ret_c, int *ret_root,
		   struct err *err);
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
