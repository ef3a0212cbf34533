/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
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

/* image-spec conversion.md, "config.WorkingDir": it may have to be made. */
static bool has_working_dir(const struct imaging *im, int layer)
{
	const char *dir =
		im->convert.working_dir ? im->convert.working_dir : im->config.process.working_dir;
	autofd fd = dir ? fd_open_in_root(layer, dir, O_PATH | O_DIRECTORY) : -1;

	return !dir || fd >= 0;
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

	if (!o->read_only || im->image.layers.count != 1 || o->volumes.count || o->mounts.count ||
	    o->tmpfs.count || im->config.process.volumes.count)
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
	return has_working_dir(im, layer);
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

/* Namespaces that take their time, while we go on. */
static int begin_namespaces(struct imaging *im)
{
	unsigned long flags =
		(im->own_ids ? CLONE_NEWUSER : 0) | (im->convert.host_network ? 0 : CLONE_NEWNET);
	autofd root = -1;
	int r;

	if (!flags || globals.rootless)
		return 0;
	/* Without own ids it is not who clones. */
	if (im->own_ids) {
		root = fd_open(AT_FDCWD, im->convert.root_path, O_PATH | O_DIRECTORY);
		if (root < 0)
			return err_errno(im->err, "open %s", im->convert.root_path);
	}
	r = ahead_begin(&im->ahead, flags, root);
	return r < 0 && im->own_ids ? err_code(im->err, r, "make a user namespace") : 0;
}

/* A range of the host for the container alone. */
static int map_own_ids(struct imaging *im)
{
	char path[64];
	uint32_t first;
	int r = store_ids_claim(&im->store, im->container, &first, im->err);

	/* But for having no range left, that is a fault of the store, which must not weaken a container. */
	im->ids_asked_for |= r < 0 && r != -EUSERS;
	if (r < 0)
		return r;
	map(&im->a, first, &im->convert.uid_mappings);
	map(&im->a, first, &im->convert.gid_mappings);
	r = idmap_write(im->ahead.pid, &im->convert.uid_mappings, &im->convert.gid_mappings,
			im->err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", im->ahead.pid);
	im->userns = fd_open(AT_FDCWD, path, O_RDONLY);
	return im->userns < 0 ? err_errno(im->err, "open %s", path) : 0;
}

/* Kernel, file system or limits: no failure of the moment, which must not weaken a container. */
static bool is_lack(int error)
{
	static const int lacks[] = { ENOSYS, EOPNOTSUPP, EINVAL, EPERM, ENOSPC, EUSERS };

	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
		if (error == -lacks[i])
			return true;
	return false;
}

/* What nobody asked for must not keep a container from running. */
static int leave_own_ids(struct imaging *im)
{
	if (im->ids_asked_for || !is_lack(im->err->code))
		return im->err->code;
	log_debug("no user namespace: %s", im->err->msg);
	ahead_end(&im->ahead);
	if (im->userns >= 0)
		close(take_fd(&im->userns));
	im->own_ids = false;
	im->convert.uid_mappings.count = im->convert.gid_mappings.count = 0;
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

/* Below all of the image's. */
static void add_places(struct imaging *im)
{
	struct strv *layers = &im->rootfs.layers;

	if (layers->count < ROOTFS_LAYERS_MAX)
		layers->items[layers->count++] = arena_strdup(&im->a, STORE_PLACES);
}

int imaging_make_root(struct imaging *im, const char *id)
{
	bool bound = can_be_bound(im);
	const struct store_container c = { id, globals.root, im->image.digest, bound };
	int r = store_container_new(&im->store, &c, &im->a, &im->container, &im->container_fd,
				    im->err);

	if (r < 0)
		return r;
	im->rootfs.store = im->store.path;
	im->rootfs.container = im->container;
	im->rootfs.read_only = bound;
	im->rootfs.discard = im->o->image.remove;
	im->rootfs.rest = &im->rest;
	im->convert.root_path = rootfs_mount_point(&im->rootfs, &im->a);
	if (begin_namespaces(im) < 0 && leave_own_ids(im) < 0)
		return im->err->code;
	store_links(&im->image, &im->a, &im->rootfs.layers, &im->rootfs.user_xattr);
	if (!bound && im->image.layers.count) {
		copy_root_attributes(im);
		add_places(im);
	}
	return 0;
}

static int mount_root(struct imaging *im)
{
	bool simple = im->rootfs.read_only && !adds_mount_rights(im);
	int r = im->lookup = rootfs_open(&im->rootfs, im->userns, simple, im->err);

	im->rootfs.tree = im->lookup;
	im->rootfs.userns = im->userns;
	return r < 0 ? r : 0;
}

int imaging_look(struct imaging *im)
{
	struct rootfs look = im->rootfs;

	if (im->lookup >= 0)
		return 0;
	if (!im->own_ids)
		return mount_root(im);
	/* What the container writes into comes later, and overlayfs has it once at a time. Nor are
	 * the places to mount on the image's own. */
	look.read_only = true;
	look.layers = (struct strv){ NULL, 0 };
	store_links(&im->image, &im->a, &look.layers, &look.user_xattr);
	im->lookup = rootfs_open(&look, -1, true, im->err);
	return im->lookup < 0 ? im->lookup : 0;
}

static int open_with_own_ids(struct imaging *im)
{
	int r = map_own_ids(im);

	if (im->lookup >= 0)
		close(take_fd(&im->lookup));
	if (r == 0)
		r = imaging_map_mounts(im);
	return r < 0 ? r : mount_root(im);
}

int imaging_open_root(struct imaging *im)
{
	int r = 0;

	if (globals.rootless) {
		im->lookup = open_layer_with_users(im);
		return 0;
	}
	if (im->own_ids && open_with_own_ids(im) < 0)
		r = leave_own_ids(im);
	return r < 0 || im->lookup >= 0 ? r : mount_root(im);
}
