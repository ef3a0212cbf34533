/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/join.h"

struct down_options {
	struct place_options place;
	const char *netns, *config, *ifname;
	bool answer;
};

static const struct option items[] = {
	PLACE_OPTIONS,
	{ "netns", 0, OPT_STRING, offsetof(struct down_options, netns), "PATH",
	  "the container's network namespace, as far as it is still there" },
	{ "config", 0, OPT_STRING, offsetof(struct down_options, config), "NAME",
	  "the network (default: all it is on)" },
	{ "ifname", 0, OPT_STRING, offsetof(struct down_options, ifname), "NAME",
	  "the interface (default: all)" },
	{ "answer", 0, OPT_FLAG, offsetof(struct down_options, answer), NULL,
	  "say so over stdin, a socket, before what takes the kernel long" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int run(char **args, size_t count, void *opts)
{
	const struct down_options *o = opts;
	autolater later = { BUF_INIT, BUF_INIT };
	const struct leave_wish wish = {
		.id = args[0],
		.netns = o->netns,
		.config = o->config,
		.ifname = o->ifname,
		.later = o->answer ? &later : NULL,
	};
	autoplace place = PLACE_INIT;
	struct err err;
	int r = join_check_id(args[0], &err);

	(void)count;
	if (o->answer)
		leave_begin_answer();
	if (r == 0)
		r = open_place(&o->place, &place, &err);
	if (r == 0)
		r = leave_networks(&place, &wish, &err);
	if (r < 0)
		return fail(&err);
	if (o->answer)
		leave_answer(&place, &later);
	else
		update_names(&place);
	return 0;
}

const struct verb verb_down = { "down", "ID", "detach a container from networks", &table, 1,
				1,	run,  sizeof(struct down_options),	  0 };
