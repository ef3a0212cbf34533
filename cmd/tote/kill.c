/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "cmd/tote/match.h"
#include "lib/cleanup.h"
#include "lib/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct kill_options {
	bool all, regex;
};

static const struct option items[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct kill_options, all), NULL,
	  "signal all processes of the container" },
	{ "regex", 'r', OPT_FLAG, offsetof(struct kill_options, regex), NULL,
	  "ID is an extended regular expression" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), true };

static int kill_one(int root, const char *id, const struct kill_options *o, int sig,
		    struct err *err)
{
	autocontainer c = CONTAINER_INIT;
	/* Not under the lock: a container whose start hangs must be killable. */
	int r = container_open(root, id, false, &c, err);

	return r < 0 ? r : container_kill(&c, sig, o->all, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct kill_options *o = opts;
	const char *signal_text = count > 1 ? args[1] : "TERM";
	int sig = signal_parse(signal_text);
	autoarena a = ARENA_INIT;
	autofd root = -1;
	struct strv ids;
	struct err err = { 0 };
	int code = 0;

	if (sig < 0) {
		err_set(&err, EINVAL, "kill: unknown signal \"%s\"", signal_text);
		return fail(&err);
	}
	root = open_root(false, &err);
	if (root < -1 || match_ids(root, args[0], o->regex, &a, &ids, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < ids.count; i++)
		if (kill_one(root, ids.items[i], o, sig, &err) < 0)
			code = fail(&err);
	return code;
}

const struct verb verb_kill = { "kill",
				"ID [SIGNAL]",
				"send a signal (default TERM) to a container",
				&table,
				1,
				2,
				run,
				sizeof(struct kill_options),
				0 };
