/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <stdio.h>

static const struct option_table table = { NULL, 0, false };

/* Without the lock: it must answer while a slow create or a stuck hook holds it. */
static int run(char **args, size_t count, void *opts)
{
	autocontainer c = CONTAINER_INIT;
	autobuf out = BUF_INIT;
	autofd root = -1;
	struct json_writer w;
	struct err err;

	(void)count;
	(void)opts;
	if (open_container(args[0], false, &c, &root, &err) < 0)
		return fail(&err);
	json_writer_init(&w, &out, true);
	state_write_oci(&c.st, container_status(&c), c.st.init.pid, &w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
	return 0;
}

const struct verb verb_state = { "state", "ID", "print the state of a container as JSON",
				 &table,  1,	1,
				 run,	  0,	0 };
