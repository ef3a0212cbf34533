/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "cmd/tote/match.h"
#include "lib/cleanup.h"

#include <errno.h>

struct delete_options {
	bool force, regex;
};

static const struct option items[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct delete_options, force), NULL,
	  "kill it first if it runs; no error if there is none" },
	{ "regex", 'r', OPT_FLAG, offsetof(struct delete_options, regex), NULL,
	  "ID is an extended regular expression" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int delete_one(int root, const char *id, bool force, struct deadline forced, struct err *err)
{
	autocontainer c = CONTAINER_INIT;
	int r;

	if (force) {
		c.deadline = forced;
		r = container_delete_any(root, id, &c, err);
	} else {
		r = container_open(root, id, true, &c, err);
		if (r == 0)
			r = container_delete(&c, false, err);
	}
	log_warnings(&c);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct delete_options *o = opts;
	autoarena a = ARENA_INIT;
	autofd root = -1;
	struct strv ids;
	/* However many match. */
	struct deadline forced = deadline_in(CONTAINER_DELETE_MS);
	struct err err = { 0 };
	int code = 0;

	(void)count;
	root = open_root(false, &err);
	if (root < -1 || match_ids(root, args[0], o->regex, &a, &ids, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < ids.count; i++)
		if (delete_one(root, ids.items[i], o->force, forced, &err) < 0)
			code = fail(&err);
	return code;
}

const struct verb verb_delete = { "delete", "ID", "remove a stopped container",	 &table, 1,
				  1,	    run,  sizeof(struct delete_options), 0 };
