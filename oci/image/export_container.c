/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/export.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "oci/image/digest.h"
#include "oci/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static const char *member(const struct json_value *meta, const char *key)
{
	const struct json_value *v = meta ? json_get(meta, key) : NULL;

	return v && v->kind == JSON_STRING ? v->text : "";
}

static int read_meta(const struct store *s, const char *name, struct arena *a,
		     struct json_value **ret, struct err *err)
{
	const char *path = arena_printf(a, "containers/%s/meta", name);
	int r = json_read_file(s->fd, path, JSON_MAX_SIZE, a, ret, err);

	return r < 0 ? err_prefix(err, "container %s", name) : 0;
}

/*
 * What the container wrote is the uppermost of read-only layers here: one that runs has it mounted
 * as its upper directory, which nobody else may have at the same time.
 */
static int open_layers(const struct store *s, const char *name, const struct store_image *image,
		       struct arena *a, struct err *err)
{
	struct rootfs r = ROOTFS_INIT;
	char *upper = arena_printf(a, "../containers/%s/upper", name);

	r.store = s->path;
	r.container = name;
	r.read_only = true;
	r.layers.items = arena_calloc(a, 2, sizeof(char *));
	if (faccessat(s->fd, upper + strlen("../"), F_OK, 0) == 0)
		r.layers.items[r.layers.count++] = upper;
	store_links(image, a, &r.layers, &r.user_xattr);
	return rootfs_open(&r, -1, true, err);
}

int export_open_container(const struct store *s, const char *name, struct arena *a, int *ret_lease,
			  struct err *err)
{
	autofd lease =
		fd_open(s->fd, arena_printf(a, "containers/%s", name), O_RDONLY | O_DIRECTORY);
	struct json_value *meta = NULL;
	struct store_image image;
	int r, tree;

	if (lease < 0 || flock(lease, LOCK_SH) < 0)
		return err_errno(err, "container %s", name);
	r = read_meta(s, name, a, &meta, err);
	if (r == 0 && !digest_valid(member(meta, "image")))
		r = err_set(err, EBADMSG, "container %s: its image is not known", name);
	if (r == 0)
		r = store_image_load(s, member(meta, "image"), a, &image, err);
	if (r < 0)
		return r;
	tree = open_layers(s, name, &image, a, err);
	if (tree >= 0)
		*ret_lease = take_fd(&lease);
	return tree;
}

int export_find_kept(const struct store *s, const char *id, struct arena *a, char **ret_name,
		     struct err *err)
{
	struct strv names;
	size_t found = 0;
	int r = file_list(s->fd, "containers", a, &names, err);

	if (r < 0)
		return r;
	for_each (name, &names) {
		struct json_value *meta = NULL;
		struct err broken;

		if (read_meta(s, *name, a, &meta, &broken) < 0 ||
		    strcmp(member(meta, "id"), id) != 0)
			continue;
		*ret_name = *name;
		found++;
	}
	if (found > 1)
		return err_set(err, ENOTUNIQ, "%zu containers were kept that were called %s", found,
			       id);
	return found ? 0 : err_set(err, ENOENT, "no container \"%s\"", id);
}
