/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tote, not for people: removes a container's directory in the store where only a process in
 * the user's own user namespace may, as files in it belong to subordinate ids.
 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"

static const struct option_table table = { NULL, 0, false };

static int run(char **args, size_t count, void *opts)
{
	autostore store = STORE_INIT;
	struct err err;
	int r = open_store(false, &store, NULL, &err);

	(void)count;
	(void)opts;
	if (r == 0)
		r = store_container_remove(&store, args[0], &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_remove_container = {
	"remove-container", "NAME", NULL, &table, 1, 1, run, 0, 0
};
