/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of what is wanted, for request.c. Each is on disk before anything is done about it; when it
 * cannot be written nothing has changed.
 */
#ifndef SUPERVISE_APPLY_H
#define SUPERVISE_APPLY_H

#include "cmd/tote-supervise/supervise.h"

struct change {
	const char *change, *service, *why;
};
struct change_list {
	struct change *items;
	size_t count;
};

/* A project as `tote up` sends it. names: only those services, and what they depend on; empty: all,
 * and what is not in it goes. */
int apply(struct supervisor *sup, const struct json_value *project, const struct strv *names,
	  bool dry_run, struct arena *a, struct change_list *ret, struct err *err);
int set_stopped(struct project *p, const struct strv *names, bool stopped, struct err *err);
int take_down(struct project *p, const struct strv *names, bool force, struct err *err);

#endif
