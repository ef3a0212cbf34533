/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/image/reference.h"
#include "oci/image/store_private.h"
#include "oci/rootfs.h"
#include "oci/subids.h"
#include "oci/supervise/desired.h"
#include "oci/supervise/paths.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int error, code;
} exit_codes[] = {
	{ ENOENT, EXIT_NOT_FOUND },  { EBADMSG, EXIT_DAMAGED }, { EFBIG, EXIT_DAMAGED },
	{ ENOSPC, EXIT_FULL },	     { EDQUOT, EXIT_FULL },	{ EOPNOTSUPP, EXIT_UNSUPPORTED },
	{ EINTR, EXIT_INTERRUPTED },
};

int fail_image(const struct err *err)
{
	int code = fail(err);

	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++)
		if (err->code == -exit_codes[i].error)
			code = exit_codes[i].code;
	return code;
}

static int enter_user_namespace(bool *ret_keep_ids, struct err *err)
{
	struct spec_id_mappings uids, gids;
	autoarena a = ARENA_INIT;

	subids_map(&a, &uids, &gids);
	*ret_keep_ids = uids.count > 1;
	return subids_enter(&uids, &gids, err);
}

int open_store(bool create, struct store *ret, bool *ret_keep_ids, struct err *err)
{
	autoarena a = ARENA_INIT;
	bool keep_ids = true;
	char *path;
	int r = store_path(globals.store, globals.rootless, &a, &path, err);

	if (r == 0 && geteuid() != 0)
		r = enter_user_namespace(&keep_ids, err);
	if (ret_keep_ids)
		*ret_keep_ids = keep_ids;
	return r < 0 ? r : store_open(path, create, ret, err);
}

int collect_garbage(const struct store *s, unsigned int flags, struct arena *a,
		    struct gc_result *ret, struct err *err)
{
	struct supervise_paths paths = { NULL, NULL, NULL };
	struct strv needed = { NULL, 0 };
	int r = supervise_paths(globals.rootless, a, &paths, err);

	/* Without a directory to run in there may be projects all the same. */
	if (r == 0 || paths.state)
		r = desired_images(paths.state, a, &needed, err);
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return err_prefix(err, "nothing is removed, as a project may need it");
	return gc(s, flags, &needed, a, ret, err);
}

int open_image(const struct store *s, const struct store_image *image, struct arena *a,
	       struct err *err)
{
	struct rootfs rootfs = ROOTFS_INIT;

	rootfs.store = s->path;
	rootfs.container = "image"; /* read-only: nothing is looked for there */
	rootfs.read_only = true;
	store_links(image, a, &rootfs.layers, &rootfs.user_xattr);
	return rootfs_open(&rootfs, -1, true, err);
}

static volatile int interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

const volatile int *catch_interrupts(void)
{
	/* No SA_RESTART: what waits shall notice. */
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return &interrupted;
}

int check_format(const char *format, bool *ret_json, struct err *err)
{
	*ret_json = format && strcmp(format, "json") == 0;
	if (format && !*ret_json && strcmp(format, "table") != 0)
		return err_set(err, EINVAL, "--format: expected table or json, found \"%s\"",
			       format);
	return 0;
}

const char *size_text(uint64_t bytes, char ret[24])
{
	static const char units[] = "kMGTPE";
	double n = (double)bytes;
	int unit = -1;

	while (n >= 999.5 && unit < (int)sizeof(units) - 2) {
		n /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(ret, 24, "%llu B", (unsigned long long)bytes);
	else
		snprintf(ret, 24, n < 9.95 ? "%.1f %cB" : "%.0f %cB", n, units[unit]);
	return ret;
}

static void add_references(const struct store *s, const struct strv *files, struct arena *a,
			   struct listed_image *image)
{
	image->references.items = arena_calloc(a, files->count + 1, sizeof(char *));
	for_each (file, files) {
		char *reference = reference_from_file(*file, a), *digest;
		struct err broken;

		if (reference && store_ref(s, reference, a, &digest, &broken) == 0 &&
		    strcmp(digest, image->image.digest) == 0)
			image->references.items[image->references.count++] = reference;
	}
}

const char *listed_name(const struct listed_image *image)
{
	if (image->references.count)
		return image->references.items[0];
	return image->image.config ? image->image.config : image->image.digest;
}

static void list_image(const struct store *s, const char *file, const struct strv *refs,
		       struct arena *a, struct listed_images *ret)
{
	const char *algorithm = strlen(file) == 64 ? "sha256" : "sha512";
	char *digest = arena_printf(a, "%s:%s", algorithm, file);
	struct listed_image image = { 0 };
	struct err broken;

	int r = store_image_load(s, digest, a, &image.image, &broken);

	/* Removed meanwhile. */
	if (r == -ENOENT)
		return;
	if (r < 0) {
		image.image.digest = digest;
		image.why = arena_memdup(a, &broken, sizeof(broken));
	}
	add_references(s, refs, a, &image);
	for_each (layer, &image.image.layers)
		image.bytes += layer->bytes;
	if (!image.why) {
		ret->items[ret->count++] = image;
		return;
	}
	ret->broken.items[ret->broken.count++] = image;
	log_warning("%s: %s", listed_name(&image), broken.msg);
}

int list_images(const struct store *s, struct arena *a, struct listed_images *ret, struct err *err)
{
	struct strv names, refs;
	int r = file_list(s->fd, "images", a, &names, err);

	if (r == 0)
		r = file_list(s->fd, "refs", a, &refs, err);
	if (r < 0)
		return r;
	*ret = (struct listed_images){ arena_calloc(a, names.count + 1, sizeof(*ret->items)), 0 };
	ret->broken.items = arena_calloc(a, names.count + 1, sizeof(*ret->items));
	for_each (name, &names)
		list_image(s, *name, &refs, a, ret);
	return 0;
}
