/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs of tote-compose share: which Compose file and which project a command is about,
 * and the verbs themselves. up.c and what it rests on turn the file into a desired project; all
 * other verbs ask the supervisor, or read its files (oci/supervise/).
 */
#ifndef CMD_TOTE_COMPOSE_COMPOSE_H
#define CMD_TOTE_COMPOSE_COMPOSE_H

#include "cmd/program.h"
#include "oci/supervise/control.h"
#include "oci/supervise/paths.h"

extern const struct verb verb_up, verb_down, verb_stop, verb_restart, verb_status, verb_logs,
	verb_attach, verb_events, verb_config;

/* Begins the options of every verb that is about one project. */
struct project_options {
	struct option_list files, env_files, profiles, pins;
	const char *project;
};

#define PROJECT_OPTION(name, letter, kind, member, value, help)                                    \
	{                                                                                          \
		name, letter, kind, offsetof(struct project_options, member), value, help          \
	}

#define PROJECT_OPTIONS                                                                            \
	PROJECT_OPTION("file", 'f', OPT_LIST, files, "FILE",                                       \
		       "the Compose file (default: compose.yaml, here or above)"),                 \
		PROJECT_OPTION("project", 'p', OPT_STRING, project, "NAME",                        \
			       "the project's name (default: what the file says)")

/* Where supervisor and commands have their files. */
int find_paths(struct arena *a, struct supervise_paths *ret, struct err *err);

/*
 * The name of the project: --project, COMPOSE_PROJECT_NAME, the file's "name", or the name of its
 * directory. Reads no more of the file than it has to: for verbs that act on what is there already.
 * -ENOENT: no name given, and no file. In the arena.
 */
int project_name(const struct project_options *o, struct arena *a, char **ret, struct err *err);

/* --format: -EINVAL unless it is NULL, "table" or "json". */
int check_format(const char *format, bool *ret_json, struct err *err);

#endif
