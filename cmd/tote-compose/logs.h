/* SPDX-License-Identifier: Apache-2.0 */
/* What logs.c, which reads the command line, and logs_show.c, which reads the files, have in common. */
#ifndef CMD_TOTE_COMPOSE_LOGS_H
#define CMD_TOTE_COMPOSE_LOGS_H

#include "cmd/tote-compose/client.h"
#include "cmd/tote-compose/logs_source.h"

struct logs_view {
	const char *project;
	const char *dir; /* LOG/PROJECT */
	char **services; /* NULL-terminated; none: all. Names of services, or of one replica, "web-1" */
	struct logs_range range;
	bool follow, timestamps, prefix;
};

/* Prints them on stdout, with follow until it is ended by a signal. -CLIENT_NO_SUCH: one of the services has
 * no log. */
int logs_show(const struct logs_view *v, struct err *err);

#endif
