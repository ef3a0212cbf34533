/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"
#include "cmd/tote-net/netdev.h"

#include "lib/cleanup.h"

#include <stdio.h>

static const struct verb *const verbs[] = {
	&verb_create, &verb_ls,	   &verb_inspect, &verb_rm,	&verb_up,
	&verb_down,   &verb_check, &verb_gc,	  &verb_repair, &verb_watch,
};

static void print_version(void)
{
	printf("tote-net version %s\n", TOTE_VERSION);
}

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "tote-net",
		.help = "makes networks, attaches containers to them and keeps them whole",
		.verbs = verbs,
		.count = ARRAY_SIZE(verbs),
		.print_version = print_version,
		.group = "network",
		.without_root = true,
	};
	int code = netdev_main(argc, argv);

	return code >= 0 ? code : program_main(&program, argc, argv);
}
