/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/compose.h"

#include "lib/cleanup.h"

#include <stdio.h>

static const struct verb *const verbs[] = {
	&verb_up,   &verb_down,	  &verb_stop,	&verb_restart, &verb_status,
	&verb_logs, &verb_attach, &verb_events, &verb_config,
};

static void print_version(void)
{
	printf("tote-compose version %s\n", TOTE_VERSION);
}

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "tote-compose",
		.help = "keeps the services of a Compose file running",
		.verbs = verbs,
		.count = ARRAY_SIZE(verbs),
		.print_version = print_version,
		.without_root = true,
	};

	return program_main(&program, argc, argv);
}
