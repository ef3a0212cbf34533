/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without the right to mount: the uppermost layer that has a passwd is as good as all of them in
 * nearly every image. */
static int open_layer_with_users(struct imaging *im)
{
	for_each (link, &im->rootfs.layers) {
		int fd = fd_open(im->store.fd, arena_printf(&im->a, "l/%s", *link),
				 O_PATH | O_DIRECTORY);

		if (fd >= 0 && faccessat(fd, "etc/passwd", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/*
 * A lone layer that is only read needs no overlay, if all that will be mounted on is there. Else
 * there is an upper layer for the mount points, and the root becomes read-only once they are made.
 */
static bool can_be_bound(const struct imaging *im)
{
	static const char *const mount_points[] = { "proc", "sys", "dev" };
	const struct image_options *o = &im->o->image;
	autofd layer = -1;

	if (!o->read_only || im->image.layers.count != 1 || o->volumes.count || o->tmpfs.count ||
	    im->config.process.volumes.count)
		return false;
	layer = fd_open(
		im->store.fd,
		arena_printf((struct arena *)&im->a, "l/%s", im->image.layers.items[0].link),
		O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		struct stat st;

		if (layer < 0 || fstatat(layer, mount_points[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			return false;
	}
	return true;
}

/* Who may mount could make a bound layer writable, and it is everybody's. */
static bool adds_mount_rights(const struct imaging *im)
{
	const struct option_list *caps = &im->o->image.cap_add;

	for (size_t i = 0; i < caps->count; i++)
		if (strcasecmp(caps->items[i], "all") == 0 ||
		    strcasecmp(caps->items[i], "sys_admin") == 0 ||
		    strcasecmp(caps->items[i], "cap_sys_admin") == 0)
			return true;
	return false;
}

static void map(struct arena *a, uint32_t first, struct spec_id_mappings *ret)
{
	ret->items = arena_calloc(a, 1, sizeof(*ret->items));
	ret->items[0] = (struct spec_id_mapping){ 0, first, STORE_IDS };
	ret->count = 1;
}

static int map_own_ids(struct imaging *im)
{
	uint32_t first;
	int r = store_ids_claim(&im->store, im->container, &first, im->err);

	if (r < 0)
		return r;
	map(&im->a, first, &im->convert.uid_mappings);
	map(&im->a, first, &im->convert.gid_mappings);
	return 0;
}

/* The root directory is the upper layer's: it has to look like the image's. */
static void copy_root_attributes(const struct imaging *im)
{
	const struct store_layer *top = &im->image.layers.items[im->image.layers.count - 1];
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "layers/%s/fs", top->id);
	if (fstatat(im->store.fd, path, &st, 0) < 0)
		return;
	snprintf(path, sizeof(path), "containers/%s/upper", im->container);
	/* An ordinary user's container shows it as root's, as he is that there. */
	if (fchownat(im->store.fd, path, st.st_uid, st.st_gid, 0) < 0 && !globals.rootless)
		log_debug("owner of %s: %s", path, err_text(errno));
	if (fchmodat(im->store.fd, path, st.st_mode & 07777, 0) < 0)
		log_debug("mode of %s: %s", path, err_text(errno));
}

int imaging_make_root(struct imaging *im, const char *id)
{
	bool bound = can_be_bound(im);
	struct rootfs look;
	const struct store_container c = { id, globals.root, im->image.digest, bound };
	int r = store_container_new(&im->store, &c, &im->a, &im->container, &im->container_fd,
				    im->err);

	if (r < 0)
		return r;
	im->rootfs.store = im->store.path;
	im->rootfs.container = im->container;
	im->rootfs.read_only = bound;
	im->rootfs.discard = im->o->image.remove;
	store_links(&im->image, &im->a, &im->rootfs.layers, &im->rootfs.user_xattr);
	if (!bound && im->image.layers.count)
		copy_root_attributes(im);
	im->convert.root_path = rootfs_mount_point(&im->rootfs, &im->a);
	if (globals.rootless) {
		im->lookup = open_layer_with_users(im);
		return 0;
	}
	if (im->own_ids) {
		r = map_own_ids(im);
		if (r < 0)
			return r;
	}
	/*
	 * Looked into now, mounted later: one mount serves both, but for a container with ids of
	 * its own. Two at once cannot be volatile (overlayfs), and the first ends before the second
	 * begins.
	 */
	look = im->rootfs;
	look.discard &= !im->own_ids;
	r = im->lookup = rootfs_open(&look, -1, bound && !adds_mount_rights(im), im->err);
	im->rootfs.tree = im->own_ids ? -1 : im->lookup;
	return r < 0 ? r : 0;
}
