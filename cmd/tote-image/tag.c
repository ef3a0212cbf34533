/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "oci/image/ingest.h"
#include "oci/image/reference.h"

#include <errno.h>

static const struct option_table table = { NULL, 0, false };

static int tag(const struct store *s, const char *name, const char *target, struct err *err)
{
	/* gc must not take the image between the look and the reference. */
	autofd lock = store_lock(s, false, err);
	autoarena a = ARENA_INIT;
	struct store_image image;
	struct reference ref = { 0 };
	int r = lock < 0 ? lock : store_find(s, name, &a, &image, err);

	if (r == 0)
		r = reference_parse(target, &a, &ref, err);
	if (r == 0 && ref.digest)
		r = err_set(err, EINVAL, "\"%s\": a digest is no name to give", target);
	return r < 0 ? r : store_ref_set(s, ref.text, image.digest, err);
}

static int run(char **args, size_t count, void *opts)
{
	autostore store = STORE_INIT;
	struct err err;
	int r = open_store(false, &store, NULL, &err);

	(void)opts;
	for (size_t i = 1; r == 0 && i < count; i++)
		r = tag(&store, args[0], args[i], &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_tag = {
	"tag", "IMAGE NAME...", "give an image a further name", &table, 2, 1000, run, 0, 0
};
