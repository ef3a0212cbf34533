/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tote up` share. */
#ifndef CMD_TOTE_COMPOSE_UP_H
#define CMD_TOTE_COMPOSE_UP_H

#include "cmd/tote-compose/load.h"
#include "netns/conf.h"

/* What becomes of a service; the words of control.h. */
struct up_change {
	const char *change, *service, *why;
};

struct up_changes {
	struct up_change *items;
	size_t count;
};

/* up_plan.c: what would change, from what is stored, for when no supervisor can be asked. services
 * as in struct translation. */
void up_compare(const struct desired_project *now, const struct desired_project *wanted,
		const struct strv *services, struct arena *a, struct up_changes *ret);
/* Aligned lines, or JSON objects, one a line. */
void up_print(const struct up_changes *changes, bool json);

/* up_prepare.c: networks, directories of bind mounts, contents in a directory (NULL: STATE/files);
 * what has to be there and is not is an error. */
int up_prepare(const struct translation *t, const char *state, const char *contents,
	       const struct surroundings *host, struct err *err);
/* up_source.c: -EEXIST when a Compose file in another directory made the project and nobody has named
 * it: named is false. Else that is a warning. */
int up_check_source(const struct supervise_paths *paths, const struct desired_project *p,
		    bool named, struct arena *a, struct err *err);
/* up_network.c: what the file says of a network must be so in the one that is there; what it says nothing
 * of may be anything. -EEXIST. */
int up_compare_network(const struct needed_network *n, const struct cni_network *found,
		       struct arena *a, struct err *err);
/* A connection to the supervisor, which is started if none runs. */
int up_connect(const struct supervise_paths *paths, struct control *ret, struct err *err);

/* surroundings.c: whether the store has the volume. */
bool host_has_volume(const struct surroundings *s, const char *name);

#endif
