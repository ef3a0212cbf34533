/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"

struct restart_options {
	struct project_options project;
};

static const struct option items[] = { PROJECT_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int run(char **args, size_t count, void *opts)
{
	const struct restart_options *o = opts;
	autoclient c = CLIENT_INIT;
	struct err err;
	int r = client_find(&c, &o->project, false, &err);

	(void)count;
	if (r == 0)
		r = client_check_services(&c, args, &err);
	if (r == 0)
		r = client_ask(&c, "restart", args, false, &err);
	return r < 0 ? client_fail(&err) : 0;
}

const struct verb verb_restart = { "restart",
				   "[SERVICE...]",
				   "stop services and start them again",
				   &table,
				   0,
				   SIZE_MAX,
				   run,
				   sizeof(struct restart_options),
				   0 };
