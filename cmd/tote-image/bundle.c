/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "oci/image/convert.h"
#include "oci/image/ingest.h"
#include "oci/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Behind the image there are a directory and a command, with options of its own. */
static const struct option_table table = { NULL, 0, true };

struct bundling {
	struct store store;
	/* Of an ordinary user, as they are outside of the user namespace that we work in. */
	struct spec_id_mappings uids, gids;
	struct strv args;
	const volatile int *interrupted;
};

/* The image, and a lease on its layers. The store's lock is held until then only: a copy may take
 * minutes, in which others have images to load and to remove. */
static int choose(const struct bundling *b, const char *name, struct ingest *in, struct arena *a,
		  struct store_image *image, struct image_config *config, struct err *err)
{
	autofd lock = store_lock(&b->store, false, err);
	int r = lock < 0 ? lock : store_find(&b->store, name, a, image, err);

	if (r == 0)
		r = store_config(&b->store, image, a, config, err);
	return r < 0 ? r : ingest_rely_image(in, image, err);
}

static int convert(const struct bundling *b, const struct image_config *config, int tree,
		   struct buf *ret, struct err *err)
{
	const struct convert_opts opts = { .root_path = "rootfs",
					   .args = b->args,
					   .rootless = globals.rootless,
					   .host_network = globals.rootless,
					   .uid_mappings = b->uids,
					   .gid_mappings = b->gids,
					   .portable = true };
	int r = convert_spec(config, &opts, tree, ret, err);

	if (r == 0)
		buf_adds(ret, "\n");
	return r;
}

/* *ret_made: it was not there before. */
static int open_directory(const char *path, bool *ret_made, struct err *err)
{
	autofd dir = -1;

	*ret_made = mkdir(path, 0755) == 0;
	if (!*ret_made && errno != EEXIST)
		return err_errno(err, "make %s", path);
	dir = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return err_errno(err, "open %s", path);
	if (faccessat(dir, "rootfs", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    faccessat(dir, "config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, EEXIST, "%s holds a bundle already", path);
	return take_fd(&dir);
}

static int copy_files(const struct bundling *b, int tree, int dir, struct err *err)
{
	autofd rootfs = -1;
	int r;

	if (mkdirat(dir, "rootfs", 0755) < 0)
		return err_errno(err, "make rootfs");
	rootfs = fd_open(dir, "rootfs", O_RDONLY | O_DIRECTORY);
	r = rootfs < 0 ? -errno : tree_copy(tree, rootfs, b->interrupted);
	if (r == -EINTR)
		return err_set(err, EINTR, "interrupted");
	return r < 0 ? err_code(err, r, "copy the image's files") : 0;
}

static int write_config(int dir, const struct buf *config, struct err *err)
{
	autofd fd = fd_create(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	int r;

	if (fd < 0)
		return err_errno(err, "create config.json");
	r = fd_write_full(fd, config->data, config->len);
	return r < 0 ? err_code(err, r, "write config.json") : 0;
}

static int fill(const struct bundling *b, int tree, const struct buf *config, const char *path,
		struct err *err)
{
	bool made;
	autofd dir = open_directory(path, &made, err);
	int r;

	if (dir < 0)
		return dir;
	r = copy_files(b, tree, dir, err);
	if (r == 0)
		r = write_config(dir, config, err);
	if (r < 0) {
		tree_remove(dir, "rootfs");
		unlinkat(dir, "config.json", 0);
		if (made)
			rmdir(path);
	}
	return r < 0 ? err_prefix(err, "bundle %s", path) : 0;
}

static int make_bundle(const struct bundling *b, const char *name, const char *path,
		       struct err *err)
{
	autoingest in = INGEST_INIT;
	autoarena a = ARENA_INIT;
	autobuf text = BUF_INIT;
	autofd tree = -1;
	struct store_image image;
	struct image_config config;
	int r = ingest_open(&b->store, &in, err);

	if (r == 0)
		r = choose(b, name, &in, &a, &image, &config, err);
	if (r == 0)
		r = tree = open_image(&b->store, &image, &a, err);
	/* What the configuration lacks is told before anything is copied. */
	if (r >= 0)
		r = convert(b, &config, tree, &text, err);
	return r < 0 ? r : fill(b, tree, &text, path, err);
}

static int run(char **args, size_t count, void *opts)
{
	autofree char *path = absolute(args[1]);
	struct bundling b = { .store = STORE_INIT, .args = { args + 2, count - 2 } };
	autoarena a = ARENA_INIT;
	struct err err;
	int r;

	(void)opts;
	if (globals.rootless)
		subids_map(&a, &b.uids, &b.gids);
	r = open_store(false, &b.store, NULL, &err);
	b.interrupted = catch_interrupts();
	if (r == 0)
		r = make_bundle(&b, args[0], path, &err);
	store_close(&b.store);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_bundle = { "bundle",
				  "IMAGE DIR [COMMAND...]",
				  "make an OCI bundle of an image",
				  &table,
				  2,
				  100000,
				  run,
				  0,
				  0 };
