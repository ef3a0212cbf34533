/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs share that act on what is there already (all but up): which project is meant, what
 * it consists of, a connection to the supervisor, and the exit codes that scripts can rely on.
 */
#ifndef CMD_TOTE_COMPOSE_CLIENT_H
#define CMD_TOTE_COMPOSE_CLIENT_H

#include "cmd/tote-compose/compose.h"
#include "oci/supervise/instance.h"

#include <errno.h>

/* Besides 0 and 1; tote-status(8) has the list. */
enum client_exit {
	EXIT_NOT_UP = 2,	/* something is not as it should be: status */
	EXIT_NO_SUPERVISOR = 3, /* what needs one finds none */
	EXIT_NO_SUCH = 4,	/* project or service */
};

/* What a project or a service that is not there is: a missing file or program is something else. */
#define CLIENT_NO_SUCH ENXIO

/* Logs err and returns the exit code for it: -CLIENT_NO_SUCH is EXIT_NO_SUCH, -ECONNREFUSED is
 * EXIT_NO_SUPERVISOR, all else 1. */
int client_fail(const struct err *err);

/* A project as it is stored, and where. */
struct client {
	struct arena memory;
	struct supervise_paths paths;
	int state_fd; /* -1: there is no such directory */
	char *name;   /* of the project; NULL: all of them */
	struct desired_project
		project; /* without services while name is NULL or nothing is stored */
	bool stored;
};

#define CLIENT_INIT                                                                                \
	{                                                                                          \
		.memory = ARENA_INIT, .state_fd = -1                                               \
	}

/*
 * Finds the project that the options mean: the named one, else that of the Compose file here, else
 * the only one that the box has. all: where neither is named nor a file here, all are meant. -CLIENT_NO_SUCH:
 * no such project, or none at all. -EINVAL: there are several.
 */
int client_find(struct client *c, const struct project_options *o, bool all, struct err *err);
/* The same for a name that was settled already; it may not be stored. */
int client_load(struct client *c, const char *name, struct err *err);
/* The names of the projects that are stored. */
int client_list(struct client *c, struct strv *ret, struct err *err);
/* -CLIENT_NO_SUCH for the first of the words that is no service of the project. */
int client_check_services(const struct client *c, char **services, struct err *err);
void client_done(struct client *c);

/* -ECONNREFUSED when no supervisor runs. */
int client_connect(const struct client *c, struct control *ret, struct err *err);
/* Sends {"do":what,"project":..,"services":[...],"force":true} and hears all answers; those about a change go
 * to stderr. */
int client_ask(struct client *c, const char *what, char **services, bool force, struct err *err);
/* A whole command that is no more than that: finds the project, checks the services, asks. The exit code. */
int client_order(const struct project_options *o, const char *what, char **services);

/* "web", 3, true of "shop-web-3.b" and project "shop". False when it is none of that project. */
bool client_split_instance(const char *instance, const char *project, struct arena *a,
			   char **ret_service, uint32_t *ret_number, bool *ret_second);

#define autoclient __attribute__((cleanup(client_done))) struct client

#endif
