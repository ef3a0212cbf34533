/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/verify.h"

#include "cmd/tote-image/image.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "oci/image/reference.h"
#include "oci/image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As often as an image may be removed and loaded again while it is looked at. */
#define TRIES 20

struct verify_options {
	const char *format;
	bool deep;
};

static const struct option items[] = {
	{ "deep", 0, OPT_FLAG, offsetof(struct verify_options, deep), NULL,
	  "read all contents, and compare all attributes" },
	{ "format", 'f', OPT_STRING, offsetof(struct verify_options, format), "FORMAT",
	  "table (default) or json" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void tell(const struct listed_image *image, const struct err *why, struct json_writer *w)
{
	if (!w) {
		printf("%s: %s\n", listed_name(image), why ? why->msg : "whole");
		return;
	}
	json_begin_object(w);
	json_pair_string(w, "name", listed_name(image));
	if (image->image.digest)
		json_pair_string(w, "digest", image->image.digest);
	json_pair_bool(w, "whole", !why);
	if (why)
		json_pair_string(w, "error", why->msg);
	json_end_object(w);
}

static bool is_wanted(const struct listed_image *image, const struct store_image *wanted,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(wanted[i].digest, image->image.digest) == 0)
			return true;
	return !count;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Others may remove it meanwhile, and load it again. Its record goes before all else of it and comes last, so
 * what was found holds when the record is the one that was there before. 0, -errno, or 1 when it is gone.
 */
static int verify_one(const struct store *s, const struct store_image *image,
		      enum verify_depth depth, struct err *err)
{
	struct stat before, after;
	char path[STORE_NAME_SIZE];
	int r = 0;

	store_image_path(image->digest, path);
	for (int i = 0; i < TRIES; i++) {
		if (fstatat(s->fd, path, &before, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 1 : err_errno(err, "%s", path);
		r = verify_image(s, image, depth, err);
		if (r == 0 || (fstatat(s->fd, path, &after, AT_SYMLINK_NOFOLLOW) == 0 &&
			       is_same_file(&before, &after)))
			break;
	}
	return r;
}

/* A name that leads to no image: 1, 0 when it does, or -errno. */
static int verify_name(const struct store *s, const char *name, struct arena *a,
		       struct json_writer *w, struct err *err)
{
	struct listed_image image = { .references = { (char *[]){ (char *)name, NULL }, 1 } };
	struct err why;
	int r = store_ref(s, name, a, &image.image.digest, &why);

	if (r == 0) {
		/* What is wrong with a record was told with its image. */
		if (store_image_load(s, image.image.digest, a, &image.image, &why) != -ENOENT)
			return 0;
		r = err_set(&why, EBADMSG, "the record of its image is missing");
	}
	if (r == -EBADMSG) {
		tell(&image, &why, w);
		return 1;
	}
	if (r == -ENOENT)
		return 0;
	*err = why;
	return r;
}

/* Nothing else would tell of them. Returns how many lead nowhere, or -errno. */
static int verify_names(const struct store *s, struct json_writer *w, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv files;
	int r = file_list(s->fd, "refs", &a, &files, err), lost = 0;

	for (size_t i = 0; r >= 0 && i < files.count; i++) {
		const char *name = reference_from_file(files.items[i], &a);

		r = name ? verify_name(s, name, &a, w, err) : 0;
		lost += r == 1;
	}
	return r < 0 ? r : lost;
}

/* Returns how many are damaged, or -errno. */
static int verify(const struct verify_options *o, const struct store *s, char **names, size_t count,
		  struct json_writer *w, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct store_image *wanted = arena_calloc(&a, count + 1, sizeof(*wanted));
	struct listed_images images;
	int r = list_images(s, &a, &images, err), damaged = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = store_find(s, names[i], &a, &wanted[i], err);
	for (size_t i = 0; r == 0 && i < images.count; i++) {
		struct err why;
		int bad;

		if (!is_wanted(&images.items[i], wanted, count))
			continue;
		bad = verify_one(s, &images.items[i].image, o->deep ? VERIFY_DEEP : VERIFY_QUICK,
				 &why);
		if (bad == 1)
			continue;
		/* What could not be looked at is not known to be damaged. */
		if (bad < 0 && bad != -EBADMSG && bad != -EFBIG) {
			*err = why;
			return bad;
		}
		damaged += bad < 0;
		tell(&images.items[i], bad < 0 ? &why : NULL, w);
	}
	if (r < 0 || count)
		return r < 0 ? r : damaged;
	for_each (image, &images.broken)
		tell(image, image->why, w);
	return damaged + (int)images.broken.count;
}

static int run(char **args, size_t count, void *opts)
{
	struct verify_options *o = opts;
	autostore store = STORE_INIT;
	autobuf out = BUF_INIT;
	struct json_writer w;
	struct err err;
	bool json;
	int r = check_format(o->format, &json, &err);

	if (r == 0)
		r = open_store(false, &store, NULL, &err);
	if (r == 0 && json) {
		json_writer_init(&w, &out, false);
		json_begin_array(&w);
	}
	if (r == 0)
		r = verify(o, &store, args, count, json ? &w : NULL, &err);
	if (r >= 0 && !count) {
		int lost = verify_names(&store, json ? &w : NULL, &err);

		r = lost < 0 ? lost : r + lost;
	}
	if (r >= 0 && json) {
		json_end_array(&w);
		json_writer_done(&w);
		printf("%s\n", buf_str(&out));
	}
	return r < 0 ? fail_image(&err) : r ? EXIT_DAMAGED : 0;
}

const struct verb verb_verify = { "verify", "[IMAGE...]", "check that images are whole", &table, 0,
				  1000,	    run,	  sizeof(struct verify_options), 0 };
