/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interfaces lent to a container: runtime-spec 1.3, config-linux.md, "Network Devices"
 * (linux.netDevices). cmd/tote-net calls this.
 */
#ifndef NETNS_NETDEV_H
#define NETNS_NETDEV_H

#include "netns/addr.h"
#include "netns/route.h"

/* The two namespaces a device goes between. About 40 KiB. */
struct netdev_ends {
	int host_fd, inside_fd;
	struct rtnl host, inside;
};

/* One move, with what it takes to undo it. Lists are in the caller's arena. */
struct netdev_move {
	char name[IFNAMSIZ];   /* on the host */
	char inside[IFNAMSIZ]; /* in the container */
	bool was_up;
	struct addr_list addrs;
	struct route_list routes;
	struct err lost_route; /* code 0, or the first route that did not hold inside */
};

/*
 * Opens the calling thread's network namespace (the host) and the one inside_fd refers to, which
 * stays the caller's and must stay open. Returns 0; -EINVAL when it is not a network namespace or
 * is the host's own; another -errno.
 */
int netdev_open(struct netdev_ends *ends, int inside_fd, struct err *err);
void netdev_close(struct netdev_ends *ends);

/*
 * Moves the host's interface name inside, as new_name (NULL: under its own; "%d" in it stands for
 * the lowest number that is free), with its permanent addresses of global scope, and brings it up.
 * Routes go along as far as they hold there. An error leaves the interface on the host as it was:
 * -ENODEV no such interface, -EEXIST the name is taken inside, -EINVAL a loopback or a bad name.
 */
int netdev_move_in(struct netdev_ends *ends, const char *name, const char *new_name,
		   struct arena *a, struct netdev_move *ret_move, struct err *err);

/* Takes a move back: the interface is on the host again with its old name, addresses, routes and
 * state. */
int netdev_undo(struct netdev_ends *ends, const struct netdev_move *move, struct err *err);

/*
 * Gives the interface called inside back to the host as original. It arrives down, without
 * addresses or routes: what it has by now is of the container's making, and the host must not come
 * to live by that. Returns 0; -ENODEV, -EEXIST when the host uses the name meanwhile, another
 * -errno.
 */
int netdev_give_back(struct netdev_ends *ends, const char *inside, const char *original,
		     struct err *err);

#endif
