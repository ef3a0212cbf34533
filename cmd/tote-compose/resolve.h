/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of the way from a command line to a project in which nothing is left to be looked up: `up` and
 * `config` do it in the same way, so that what the one shows is what the other runs.
 */
#ifndef CMD_TOTE_COMPOSE_RESOLVE_H
#define CMD_TOTE_COMPOSE_RESOLVE_H

#include "cmd/tote-compose/load.h"

#define RESOLVE_OPTIONS                                                                            \
	PROJECT_OPTION("env-file", 0, OPT_LIST, env_files, "FILE",                                 \
		       "variables (default: .env beside the Compose file)"),                       \
		PROJECT_OPTION("profile", 0, OPT_LIST, profiles, "NAME",                           \
			       "services of this profile as well"),                                \
		PROJECT_OPTION("pin", 0, OPT_LIST, pins, "NAME@DIGEST",                            \
			       "the image that NAME is in the file; with it, all need one")

struct resolution {
	const struct project_options *o;
	int order;		  /* enum replace_order: in place of what the file says */
	bool without_images;	  /* the store may lack them: the project is good for names only */
	bool lacks_image;	  /* that was why it failed */
	struct surroundings host; /* of this box; open until resolution_done() */
	struct surroundings around;
	struct composition c;
	struct compose_file file;
	struct translation t;
};

/* Fills in what is below o, order and without_images; services as those of struct translate_options. Logs
 * warnings. All in a; resolution_done() in any case. */
int resolve(struct resolution *r, char **services, size_t count, struct arena *a, struct err *err);
/* The project as a document, on stdout. */
void resolution_print(const struct resolution *r);
void resolution_done(struct resolution *r);

#endif
