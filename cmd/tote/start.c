/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <sys/file.h>

static const struct option_table table = { NULL, 0, false };

static int run(char **args, size_t count, void *opts)
{
	autocontainer c = CONTAINER_INIT;
	autofd root = -1;
	struct err err;
	int r = open_container(args[0], true, &c, &root, &err);

	(void)count;
	(void)opts;
	if (r == 0)
		r = container_start(&c, &err);
	if (r == 0) {
		/* It may take its time to be ready, and may be killed or deleted meanwhile. */
		flock(c.dir_fd, LOCK_UN);
		r = relay_notify(&c, true, &err);
	}
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_start = { "start", "ID", "run the program of a created container",
				 &table,  1,	1,
				 run,	  0,	0 };
