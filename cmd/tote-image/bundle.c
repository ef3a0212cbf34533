/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "oci/image/convert.h"
#include "oci/rootfs.h"
#include "oci/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const struct option_table table = { NULL, 0, false };

struct bundling {
	struct store store;
	/* Of an ordinary user, as they are outside of the user namespace that we work in. */
	struct spec_id_mappings uids, gids;
};

/* All layers, one over the other, as a tree to read. */
static int open_tree(const struct store *s, const struct store_image *image, struct arena *a,
		     struct err *err)
{
	struct rootfs rootfs = ROOTFS_INIT;

	rootfs.store = s->path;
	rootfs.container = "bundle"; /* read-only: nothing is looked for there */
	rootfs.read_only = true;
	store_links(image, a, &rootfs.layers, &rootfs.user_xattr);
	return rootfs_open(&rootfs, -1, true, err);
}

static int write_config(const struct bundling *b, const struct store_image *image, int dir,
			int rootfs, struct arena *a, struct err *err)
{
	const struct convert_opts opts = { .root_path = "rootfs",
					   .rootless = globals.rootless,
					   .host_network = globals.rootless,
					   .uid_mappings = b->uids,
					   .gid_mappings = b->gids,
					   .portable = true };
	struct image_config config;
	autobuf text = BUF_INIT;
	autofd fd = -1;
	char *json;
	size_t len;
	int r = store_blob(&b->store, image->config, a, &json, &len, err);

	if (r == 0)
		r = image_config_parse(json, len, a, &config, err);
	if (r == 0)
		r = convert_spec(&config, &opts, rootfs, &text, err);
	if (r < 0)
		return r;
	buf_adds(&text, "\n");
	fd = fd_create(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return err_errno(err, "create config.json");
	r = fd_write_full(fd, text.data, text.len);
	return r < 0 ? err_code(err, r, "write config.json") : 0;
}

static int fill(const struct bundling *b, const struct store_image *image, int dir, struct arena *a,
		struct err *err)
{
	autofd tree = open_tree(&b->store, image, a, err), rootfs = -1;
	int r;

	if (tree < 0)
		return tree;
	if (mkdirat(dir, "rootfs", 0755) < 0)
		return err_errno(err, "make rootfs");
	rootfs = fd_open(dir, "rootfs", O_RDONLY | O_DIRECTORY);
	r = rootfs < 0 ? -errno : tree_copy(tree, rootfs);
	if (r < 0)
		return err_code(err, r, "copy the image's files");
	return write_config(b, image, dir, rootfs, a, err);
}

static int make_bundle(const struct bundling *b, const char *name, const char *path,
		       struct err *err)
{
	/* gc must not take layers that are being copied. */
	autofd lock = store_lock(&b->store, false, err), dir = -1;
	autoarena a = ARENA_INIT;
	struct store_image image;
	int r = lock < 0 ? lock : store_find(&b->store, name, &a, &image, err);
	bool made;

	if (r < 0)
		return r;
	made = mkdir(path, 0755) == 0;
	if (!made && errno != EEXIST)
		return err_errno(err, "make %s", path);
	dir = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return err_errno(err, "open %s", path);
	if (faccessat(dir, "rootfs", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    faccessat(dir, "config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, EEXIST, "%s holds a bundle already", path);
	r = fill(b, &image, dir, &a, err);
	if (r < 0) {
		tree_remove(dir, "rootfs");
		unlinkat(dir, "config.json", 0);
		if (made)
			rmdir(path);
	}
	return r < 0 ? err_prefix(err, "bundle %s", path) : 0;
}

static int run(char **args, size_t count, void *opts)
{
	autofree char *path = absolute(args[1]);
	struct bundling b = { .store = STORE_INIT };
	autoarena a = ARENA_INIT;
	struct err err;
	int r;

	(void)count;
	(void)opts;
	if (globals.rootless)
		subids_map(&a, &b.uids, &b.gids);
	r = open_store(false, &b.store, NULL, &err);
	if (r == 0)
		r = make_bundle(&b, args[0], path, &err);
	store_close(&b.store);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_bundle = { "bundle", "IMAGE DIR", "make an OCI bundle of an image",
				  &table,   2,		 2,
				  run,	    0,		 0 };
