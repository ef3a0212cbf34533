/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include <stdio.h>
#include <stdlib.h>

static const struct option_table table = { NULL, 0, false };

static int run(char **args, size_t count, void *opts)
{
	struct create_opts o = {
		.id = "ID",
		.bundle = absolute(count ? args[0] : NULL),
		.run = true,
		.manager = globals.manager,
		.rootless = globals.rootless,
	};
	autobuf text = BUF_INIT;
	struct err err;
	int r = container_plan(&o, &text, &err);

	(void)opts;
	free((char *)o.bundle);
	if (r < 0)
		return fail(&err);
	printf("%s", buf_str(&text));
	return 0;
}

const struct verb verb_plan = {
	"plan", "[BUNDLE]", "print every step that running a bundle would take, and take none",
	&table, 0,	    1,
	run,	0,	    0
};
