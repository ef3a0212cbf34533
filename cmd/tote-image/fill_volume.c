/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tote, not for people: makes a volume with what an image has in its place, for an ordinary
 * user's container. Only a process in the user's own user namespace sees the layers as one, and may
 * give the files the owners that they have there.
 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "oci/image/volumes.h"

#include <stdlib.h>

static const struct option_table table = { NULL, 0, false };

static int fill(const struct store *s, char **args, size_t count, struct err *err)
{
	const char *digest = args[0], *path = args[1];
	autoarena a = ARENA_INIT;
	struct store_image image;
	autofd tree = -1;
	char *ignored;
	int r = store_image_load(s, digest, &a, &image, err);

	if (r == 0)
		r = tree = open_image(s, &image, &a, err);
	if (r < 0)
		return r;
	return count == 3 ? volume_named(s, args[2], tree, path, &a, &ignored, err)
			  : volume_anonymous(s, args[2], (unsigned int)strtoul(args[3], NULL, 10),
					     tree, path, &a, &ignored, err);
}

static int run(char **args, size_t count, void *opts)
{
	autostore store = STORE_INIT;
	struct err err;
	int r = open_store(false, &store, NULL, &err);

	(void)opts;
	if (r == 0)
		r = fill(&store, args, count, &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_fill_volume = {
	"fill-volume", "DIGEST PATH NAME | DIGEST PATH CONTAINER N", NULL, &table, 3, 4, run, 0, 0
};
