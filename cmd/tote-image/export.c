/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/export.h"
#include "oci/image/save_file.h"
#include "oci/state.h"
#include "oci/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>

struct export_options {
	const char *output;
};

static const struct option items[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct export_options, output), "FILE",
	  "write to FILE instead of stdout" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void warn(void *arg, const char *path, const char *what)
{
	(void)arg;
	log_warning("export: %s: %s", path, what);
}

/* -ENOENT: no container of that name is recorded. */
static int find_state(const char *id, struct arena *a, struct state *ret, struct err *err)
{
	autofd root = state_root_open(globals.root, false, globals.rootless, err), dir = -1;

	if (root < 0)
		return root;
	dir = state_open(root, id, 0, err);
	return dir < 0 ? dir : state_load(dir, a, ret, err);
}

/* Of a bundle: without what is mounted in it, where we may see to that. */
static int open_bundle(const struct state *st, struct err *err)
{
	struct spec_id_mappings uids, gids;
	autoarena a = ARENA_INIT;
	autofd root = -1;
	int r = 0, tree;

	if (geteuid() != 0) {
		subids_map(&a, &uids, &gids);
		r = subids_enter(&uids, &gids, err);
	}
	if (r < 0)
		return r;
	root = fd_open(AT_FDCWD, st->rootfs, O_PATH | O_DIRECTORY);
	if (root < 0)
		return err_errno(err, "open %s", st->rootfs);
	tree = open_tree(root, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return tree < 0 ? take_fd(&root) : tree;
}

/* The root file system, and what keeps it. */
static int open_root(const char *id, struct arena *a, struct store *store, int *lease,
		     struct err *err)
{
	struct state st = { 0 };
	char *name = NULL;
	int r = find_state(id, a, &st, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && (!st.store || !st.store_container))
		return st.rootfs ? open_bundle(&st, err)
				 : err_set(err, ENOENT, "%s has no root file system yet", id);
	if (r == 0) {
		globals.store = st.store;
		name = st.store_container;
		r = open_store(false, store, NULL, err);
	} else {
		r = open_store(false, store, NULL, err);
		if (r == 0)
			r = export_find_kept(store, id, a, &name, err);
		/* Without a store there are none either. */
		else if (r == -ENOENT)
			r = err_set(err, ENOENT, "no container \"%s\"", id);
	}
	return r < 0 ? r : export_open_container(store, name, a, lease, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct export_options *o = opts;
	autosave_file file = SAVE_FILE_INIT;
	autostore store = STORE_INIT;
	autoarena a = ARENA_INIT;
	autofd lease = -1, tree = -1;
	struct err err;
	int r;

	(void)count;
	signal(SIGPIPE, SIG_IGN);
	/* libarchive takes names for text. */
	setlocale(LC_CTYPE, "C.UTF-8");
	r = tree = open_root(args[0], &a, &store, &lease, &err);
	if (r >= 0)
		r = save_file_open(o->output, &file, &err);
	if (r >= 0) {
		const struct export_opts export_opts = { .root_fd = tree,
							 .warn = warn,
							 .interrupted = catch_interrupts() };

		r = export_tree(&export_opts, file.fd, &err);
	}
	if (r == 0)
		r = save_file_commit(&file, &err);
	return r < 0 ? fail_image(&err) : 0;
}

const struct verb verb_export = { "export",
				  "NAME",
				  "write a container's root file system to a tar archive",
				  &table,
				  1,
				  1,
				  run,
				  sizeof(struct export_options),
				  0 };
