/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>

struct state_options {
	bool quiet;
};

static const struct option items[] = {
	{ "quiet", 'q', OPT_FLAG, offsetof(struct state_options, quiet), NULL,
	  "print nothing, tell the status by the exit code" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* Of --quiet alone: without it clients of runc expect 0 or 1. 2 is what shells have for wrong usage. */
#define EXIT_ABSENT 3
static const int codes[] = {
	[STATUS_CREATING] = 5, [STATUS_CREATED] = 5, [STATUS_RUNNING] = 0,
	[STATUS_PAUSED] = 6,   [STATUS_STOPPED] = 4,
};

static void print_state(const struct container *c, enum status status)
{
	autobuf out = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &out, true);
	state_write_oci(&c->st, status, c->st.init.pid, &w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
}

/* Without the lock: it must answer while a slow create or a stuck hook holds it. */
static int run(char **args, size_t count, void *opts)
{
	const struct state_options *o = opts;
	autocontainer c = CONTAINER_INIT;
	autofd root = -1;
	enum status status;
	struct err err;
	int r;

	(void)count;
	r = open_container(args[0], false, &c, &root, &err);
	if (r == -ENOENT && o->quiet)
		return EXIT_ABSENT;
	if (r < 0)
		return fail(&err);
	status = container_status(&c);
	if (o->quiet)
		return codes[status];
	print_state(&c, status);
	return 0;
}

const struct verb verb_state = { "state",
				 "ID",
				 "print the state of a container as JSON",
				 &table,
				 1,
				 1,
				 run,
				 sizeof(struct state_options),
				 0 };
