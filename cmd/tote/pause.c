/* SPDX-License-Identifier: Apache-2.0 */
/* pause and resume: the two ways of one switch. */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

static const struct option_table table = { NULL, 0, false };

static int change(const char *id, int (*fn)(struct container *, struct err *))
{
	autocontainer c = CONTAINER_INIT;
	autofd root = -1;
	struct err err;
	int r = open_container(id, true, &c, &root, &err);

	if (r == 0)
		r = fn(&c, &err);
	return r < 0 ? fail(&err) : 0;
}

static int run_pause(char **args, size_t count, void *opts)
{
	(void)count;
	(void)opts;
	return change(args[0], container_pause);
}

static int run_resume(char **args, size_t count, void *opts)
{
	(void)count;
	(void)opts;
	return change(args[0], container_resume);
}

const struct verb verb_pause = { "pause",   "ID", "freeze all processes of a container",
				 &table,    1,	  1,
				 run_pause, 0,	  0 };
const struct verb verb_resume = { "resume",   "ID", "thaw a paused container",
				  &table,     1,    1,
				  run_resume, 0,    0 };
