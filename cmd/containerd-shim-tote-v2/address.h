/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of a group of containers (a pod): its name is a hash, so that whoever starts the second
 * container finds the server of the first. Who looks at such a socket, makes or removes it holds
 * its lock, or else two that start at the same instant could take each other's for one that was left
 * behind. Each has a lock of its own: a server that hangs is in nobody else's way.
 */
#ifndef SHIM_ADDRESS_H
#define SHIM_ADDRESS_H

#include "cmd/containerd-shim-tote-v2/args.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>

/* What containers of one server have in common: the value of the first of the grouping annotations
 * in the bundle's config.json, else id. In the arena. */
int address_group(const char *bundle, const char *id, struct arena *a, const char **ret_group,
		  struct err *err);
/* The same for annotations at hand; NULL: none of them groups. */
const char *address_group_of(const struct key_value_list *annotations);

/* "unix://DIR/HASH", in the arena. Different groups, namespaces and daemons have different ones,
 * whatever their names are. */
char *address_make(const struct shim_args *args, const char *group, struct arena *a);

/* Locks an address: a byte of the file ".lock" in its directory, which is made (0700) when it is
 * missing. Returns a descriptor, close-on-exec: closing it unlocks. -ETIMEDOUT after three seconds. */
int address_lock(const char *address, struct err *err);
/*
 * Binds and listens; under the lock. 1: a server lives there already (*ret_fd -1). A socket that
 * nobody serves is replaced. -EBUSY: somebody does, but takes no connection for two seconds.
 */
int address_listen(const char *address, int *ret_fd, struct err *err);
/* Removes a socket that nobody serves (connect is refused); takes the lock. What is no address of
 * ours is left alone. */
void address_remove_stale(const char *address);
/* Removes the socket of a listener that is ours. */
void address_unlink(int listener);

/* Whether somebody listens, or may do so. */
bool address_served(const char *address);

/* Writes BUNDLE/address. */
int address_write(const char *bundle, const char *address, struct err *err);

#endif
