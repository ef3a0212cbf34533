/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces removed, without waiting for the kernel to let go of their memory. */
#ifndef NETNS_LINK_DELETE_H
#define NETNS_LINK_DELETE_H

#include "netns/link.h"

/*
 * Removes interfaces of the socket's namespace, by name; 0 also when there is none. A veth's other end
 * goes with it, wherever it is. Returns when their names are free and nothing passes them any more,
 * after 2 to 5 ms; the kernel's request takes 10 to 30 ms (it waits for all its readers), which a
 * child of init is left with. Where that cannot be had it takes as long as it takes.
 */
int link_delete(struct rtnl *r, const char *name, struct err *err);
/* The same for one that was found. */
int link_delete_found(struct rtnl *r, const struct link *link, struct err *err);

/* Queues a plain removal by index, for which rtnl_run() waits. */
void link_delete_now(struct rtnl *r, const struct link *link);

/* Deletes host interfaces (their indices, ints) of the calling thread's network namespace, and waits for
 * the end of it. What is gone already is fine. */
void link_delete_all(const struct buf *indices);

#endif
