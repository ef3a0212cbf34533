/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct list_options {
	const char *format;
	bool quiet;
};

static const struct option items[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct list_options, format), "FORMAT",
	  "table (default) or json" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct list_options, quiet), NULL, "only the IDs" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void print_row(const struct container *c, enum status status)
{
	printf("%-16s %-8d %-9s %-30s %-31s %s\n", c->st.id,
	       status == STATUS_STOPPED ? 0 : c->st.init.pid, status_name(status), c->st.bundle,
	       c->st.created, c->st.owner);
}

static void print_container(const struct container *c, const struct list_options *o, bool json,
			    struct json_writer *w)
{
	enum status status = container_status(c);

	if (o->quiet)
		printf("%s\n", c->st.id);
	else if (json)
		state_write_oci(&c->st, status, c->st.init.pid, w);
	else
		print_row(c, status);
}

/* Without locks; what disappears meanwhile is not listed. */
static void print_all(int root, const struct strv *ids, const struct list_options *o, bool json)
{
	autobuf out = BUF_INIT;
	struct json_writer w;
	struct err ignored;

	json_writer_init(&w, &out, false);
	json_begin_array(&w);
	if (!json && !o->quiet)
		printf("%-16s %-8s %-9s %-30s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	for (size_t i = 0; i < ids->count; i++) {
		autocontainer c = CONTAINER_INIT;

		if (container_open(root, ids->items[i], false, &c, &ignored) == 0)
			print_container(&c, o, json, &w);
	}
	json_end_array(&w);
	json_writer_done(&w);
	if (json && !o->quiet)
		printf("%s\n", buf_str(&out));
}

static int run(char **args, size_t count, void *opts)
{
	struct list_options *o = opts;
	bool json = o->format && strcmp(o->format, "json") == 0;
	autoarena a = ARENA_INIT;
	struct strv ids = { NULL, 0 };
	struct err err;
	autofd root = -1;

	(void)args;
	(void)count;
	if (o->format && !json && strcmp(o->format, "table") != 0) {
		err_set(&err, EINVAL, "list: --format: expected table or json, found \"%s\"",
			o->format);
		return fail(&err);
	}
	root = open_root(false, &err);
	if (root < -1 || (root >= 0 && state_list(root, &a, &ids, &err) < 0))
		return fail(&err);
	print_all(root, &ids, o, json);
	return 0;
}

const struct verb verb_list = { "list", "",  "list containers",		  &table, 0,
				0,	run, sizeof(struct list_options), 0 };
