/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's way to tote: a shim for a container or a pod. containerd runs `start`, which leaves a
 * server behind and prints its address, and `delete`, which clears up when all is over.
 */
#include "cmd/containerd-shim-tote-v2/args.h"
#include "cmd/containerd-shim-tote-v2/delete.h"
#include "cmd/containerd-shim-tote-v2/info.h"
#include "cmd/containerd-shim-tote-v2/start.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

static int fail(const struct err *err)
{
	args_complain(err);
	return 1;
}

static int act(struct shim_args *args)
{
	struct err err;

	if (args->info)
		return info_main();
	if (strcmp(args->action, "start") == 0)
		return start_main(args);
	if (strcmp(args->action, "delete") == 0)
		return delete_main(args);
	err_set(&err, EINVAL, "unknown action \"%s\"", args->action);
	return fail(&err);
}

int main(int argc, char **argv)
{
	static struct arena a = ARENA_INIT; /* the server lives on it */
	struct shim_args args;
	struct err err;

	if (args_parse(argc, argv, &a, &args, &err) < 0)
		return fail(&err);
	if (args.help) {
		info_print_usage();
		return 0;
	}
	if (args.version) {
		info_print_version();
		return 0;
	}
	return act(&args);
}
