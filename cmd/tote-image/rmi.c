/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "oci/image/gc.h"
#include "oci/image/reference.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <string.h>

struct rmi_options {
	bool force, no_gc;
};

static const struct option items[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct rmi_options, force), NULL,
	  "an image that is not there is no error; all names of an ID" },
	{ "no-gc", 0, OPT_FLAG, offsetof(struct rmi_options, no_gc), NULL,
	  "leave the layers to a later gc" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* Also of an image whose record is damaged; NULL: there is none. */
static const struct listed_image *find_listed(const struct listed_images *images,
					      const char *digest)
{
	for_each (image, images)
		if (strcmp(image->image.digest, digest) == 0)
			return image;
	for_each (image, &images->broken)
		if (strcmp(image->image.digest, digest) == 0)
			return image;
	return NULL;
}

static int remove_all_names(const struct store *s, const char *digest, bool force, struct arena *a,
			    struct err *err)
{
	const struct listed_image *image;
	struct listed_images images;
	int r = list_images(s, a, &images, err);

	if (r < 0)
		return r;
	image = find_listed(&images, digest);
	if (!image)
		return err_set(err, ENOENT, "no image \"%.19s\"", digest);
	if (image->references.count > 1 && !force)
		return err_set(err, EBUSY, "image %.19s has %zu names: name one, or use --force",
			       digest, image->references.count);
	for (size_t i = 0; r == 0 && i < image->references.count; i++)
		r = store_ref_remove(s, image->references.items[i], err);
	return r;
}

/* Those names of the image that belong to one repository: "pos" of "pos@sha256:...". */
static int remove_pinned(const struct store *s, const struct reference *ref, struct arena *a,
			 struct err *err)
{
	const struct listed_image *image;
	struct listed_images images;
	bool any = false;
	int r = list_images(s, a, &images, err);

	if (r < 0)
		return r;
	image = find_listed(&images, ref->digest);
	for (size_t i = 0; image && r == 0 && i < image->references.count; i++) {
		const char *name = image->references.items[i];
		struct reference its;

		if (reference_parse(name, a, &its, err) < 0 || strcmp(its.name, ref->name) != 0)
			continue;
		r = store_ref_remove(s, name, err);
		any = true;
	}
	return r < 0 || any ? r : err_set(err, ENOENT, "no image \"%s\"", ref->text);
}

/* A name goes, whatever has become of its image; an ID goes with all of its names. */
static int remove_image(const struct store *s, const char *name, bool force, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct reference ref;
	int r = -ENOENT;
	char *digest;

	if (reference_parse(name, &a, &ref, err) == 0) {
		if (ref.digest)
			return remove_pinned(s, &ref, &a, err);
		r = store_ref_remove(s, ref.text, err);
		if (r == -ENOENT && !strchr(ref.name, '/'))
			r = store_ref_remove(s, arena_printf(&a, "localhost/%s", ref.text), err);
	}
	if (r == -ENOENT)
		r = store_find_digest(s, name, &a, &digest, err) < 0
			    ? err->code
			    : remove_all_names(s, digest, force, &a, err);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct rmi_options *o = opts;
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	struct gc_result gone;
	struct err err;
	int r = open_store(false, &store, NULL, &err), code = r < 0 ? fail_image(&err) : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		int removed = remove_image(&store, args[i], o->force, &err);

		if (removed < 0 && !(removed == -ENOENT && o->force))
			code = fail_image(&err);
	}
	if (r == 0 && !o->no_gc && collect_garbage(&store, GC_KEEP_CONTAINERS, &a, &gone, &err) < 0)
		code = fail_image(&err);
	return code;
}

const struct verb verb_rmi = {
	"rmi", "IMAGE...", "remove images", &table, 1, 1000, run, sizeof(struct rmi_options), 0
};
