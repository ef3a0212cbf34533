/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network interfaces: find them, bring them up, move them to another network namespace. netdev.c
 * calls this. Functions without an err queue a request on the socket; rtnl_run() sends it.
 */
#ifndef NETNS_LINK_H
#define NETNS_LINK_H

#include "netns/rtnl.h"

#include <net/if.h>
#include <stdbool.h>

struct link {
	int index;	    /* per network namespace; may change by a move */
	unsigned int flags; /* IFF_* */
	char name[IFNAMSIZ];
};

/* Whether the kernel takes it for an interface's name: 1 to 15 bytes, no "/", ":" or white space,
 * not "." or "..". */
bool link_name_ok(const char *name);

/*
 * Finds an interface by name (or by alternative name, Linux 5.5; ret_link has the real one).
 * Returns 0, -ENODEV when there is none (with a message, which callers that only ask drop), -EINVAL
 * for what is no name, or another -errno.
 */
int link_find(struct rtnl *r, const char *name, struct link *ret_link, struct err *err);

/* Finds it by index. Returns as link_find() does. */
int link_find_index(struct rtnl *r, int index, struct link *ret_link, struct err *err);

/* Brings it up. */
void link_up(struct rtnl *r, const struct link *link);

/*
 * Moves it to the namespace netns_fd refers to, under new_name. The kernel takes it down and drops
 * its addresses and routes. It moves first and renames then: a failure of the renaming leaves it
 * moved, under its old name.
 */
void link_move(struct rtnl *r, const struct link *link, int netns_fd, const char *new_name);

#endif
