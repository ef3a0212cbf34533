/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "tuning" changes of an interface, and what it was before: kept in RUN_DIR/tuning, a file an
 * attachment, from before the change until DEL.
 */
#ifndef NETNS_TUNING_H
#define NETNS_TUNING_H

#include "netns/plugin.h"

/* Only what is set is to be changed, or was. */
struct tuning_values {
	char *mac; /* NULL: not set */
	struct opt_u32 mtu, queue_length;
	struct opt_bool promisc, allmulti;
};

bool tuning_values_any(const struct tuning_values *v);
/* The members of a JSON object. */
extern const struct json_table tuning_values_table;

/* Reads an interface; only what is set in `only` is set in ret_values. Strings in at->arena. */
int tuning_values_read(struct attach *at, struct rtnl *r, const char *name,
		       const struct tuning_values *only, struct link *ret_link,
		       struct tuning_values *ret_values);
/* Queues the changes. -EINVAL for a bad address. */
int tuning_values_set(struct rtnl *r, const struct link *link, const struct tuning_values *v,
		      struct err *err);

/* What an attachment had. Saving does not replace what is saved already: that is older. */
int tuning_save(struct attach *at, const struct tuning_values *v);
/* -ENOENT when nothing is saved. */
int tuning_load(struct attach *at, struct tuning_values *ret_values);
int tuning_forget(struct attach *at);
/* Forgets what belongs to none of these. */
int tuning_gc(struct attach *at, const struct cni_valid *valid, size_t count);

#endif
