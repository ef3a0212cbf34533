/* SPDX-License-Identifier: Apache-2.0 */
/* `containerd-shim-tote-v2 start`: sees to it that the container's group has a server, and tells
 * where. */
#ifndef SHIM_START_H
#define SHIM_START_H

#include "cmd/containerd-shim-tote-v2/args.h"

/*
 * Adds to args what stdin says. Prints the address, and nothing else; what goes wrong on stderr.
 * Returns the exit code. A new server is forked in here: in it server_main() runs and the process
 * ends.
 */
int start_main(struct shim_args *args);

#endif
