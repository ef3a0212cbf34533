/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tote status` in three parts: status.c has the command, status_read.c says what a supervisor
 * would when there is none, status_show.c judges and prints. What they hand on is the document that the
 * supervisor answers with, as tote-status(8) describes it.
 */
#ifndef CMD_TOTE_COMPOSE_STATUS_H
#define CMD_TOTE_COMPOSE_STATUS_H

#include "cmd/tote-compose/client.h"

/* Of what STATE and RUN have, for one project or, with NULL, all: {"projects":[...]}. In the arena. */
int status_read(struct client *c, const char *project, struct arena *a, struct json_value **ret,
		struct err *err);

/* True when all instances are as they should be. projects: the array. */
bool status_good(const struct json_value *projects);
/* colour: with escape sequences. */
void status_print_table(const struct json_value *projects, bool colour);
void status_print_names(const struct json_value *projects);
/* supervisor may be NULL: none runs. */
void status_print_json(const struct json_value *supervisor, const struct json_value *projects);

#endif
