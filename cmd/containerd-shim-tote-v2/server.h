/* SPDX-License-Identifier: Apache-2.0 */
/* The long-lived process of a group of containers: everything it has, and its life. */
#ifndef SHIM_SERVER_H
#define SHIM_SERVER_H

#include "cgroups/cg.h"
#include "cmd/containerd-shim-tote-v2/args.h"
#include "cmd/containerd-shim-tote-v2/events.h"
#include "cmd/containerd-shim-tote-v2/oom.h"
#include "cmd/containerd-shim-tote-v2/ttrpc.h"
#include "cmd/containerd-shim-tote-v2/worker.h"
#include "lib/list.h"
#include "lib/loop.h"

struct server {
	const struct shim_args *args;
	/* The directory of containers where no option names another. */
	char root[sizeof("/run/containerd/tote/") + ARGS_NAME_MAX];
	int listener;
	struct loop loop;
	struct ttrpc_server ttrpc;
	struct events events;
	struct workers workers;
	struct oom oom;
	struct list tasks;
	struct list loggers; /* that were told to end, struct logger */
	struct loop_source signals;
	bool used; /* there was a container or a connection */
	bool reaping, reap_again;
	struct loop_timer idle; /* runs while there is no container */
	struct cg_tree tree;	/* fd -1: not looked for yet, or there is none */
};

/* Serves on a listening socket, which it takes over, until it is told to end. Returns the exit
 * code. */
int server_main(const struct shim_args *args, int listener);

/* Leaves the loop; nobody finds the socket any more. */
void server_stop(struct server *server);
/* Takes note of a container or connection that came or went. */
void server_settle(struct server *server);
/* Reaps what has ended: our processes as far as they are known; strays only while no worker is
 * about to tell us of a new one. reap.c */
void server_reap(struct server *server);

#endif
