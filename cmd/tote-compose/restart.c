/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"

static const struct option items[] = { PROJECT_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int run(char **args, size_t count, void *opts)
{
	(void)count;
	return client_order(opts, "restart", args);
}

const struct verb verb_restart = { "restart",
				   "[SERVICE...]",
				   "stop services and start them again",
				   &table,
				   0,
				   SIZE_MAX,
				   run,
				   sizeof(struct project_options),
				   0 };
