/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a container whose root file system is made of layers of a store, as `tote run IMAGE` does,
 * but of a store and a config.json that a test made by hand.
 *
 *	layers [-rkxvdpc] STATE-ROOT ID STORE CONTAINER CONFIG LAYER...     uppermost first
 *
 * -r read-only, -k keep, -x user.overlay.*, -v volatile, -d detach, -p look into it before,
 * -c create only. The exit code is the program's, or 125.
 */
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "oci/container.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct flags {
	bool detach, create, look;
};

static int give_up(const struct err *err)
{
	fprintf(stderr, "layers: %s\n", err->msg);
	return 125;
}

static int finish(struct container *c, int pidfd, struct err *err)
{
	int code;

	flock(c->dir_fd, LOCK_UN);
	code = proc_wait(pidfd);
	flock(c->dir_fd, LOCK_EX);
	if (faccessat(c->dir_fd, STATE_FILE, F_OK, 0) < 0)
		return code;
	return container_delete(c, true, err) < 0 ? give_up(err) : code;
}

static int run(char **args, struct rootfs *rootfs, const struct flags *f)
{
	autoarena a = ARENA_INIT;
	autocontainer c = CONTAINER_INIT;
	struct create_opts opts = { .id = args[1], .run = !f->create, .rootfs = rootfs };
	autofd root = -1, pidfd = -1, terminal = -1, tree = -1;
	struct err err = { 0 };
	char *text;

	opts.bundle = arena_printf(&a, "%s/containers/%s", args[2], args[3]);
	opts.rootless = geteuid() != 0;
	if (file_read(AT_FDCWD, args[4], JSON_MAX_SIZE, &a, &text, NULL, &err) < 0)
		return give_up(&err);
	opts.config_text = text;
	if (f->look) {
		tree = rootfs_open(rootfs, -1, false, &err);
		if (tree < 0)
			return give_up(&err);
		if (faccessat(tree, "bin/busybox", F_OK, 0) < 0)
			perror("bin/busybox");
		rootfs->tree = tree;
	}
	root = state_root_open(args[0], true, false, &err);
	if (root < 0 || container_create(root, &opts, &c, &pidfd, &terminal, &err) < 0)
		return give_up(&err);
	if (tree >= 0)
		close(take_fd(&tree));
	return f->detach || f->create ? 0 : finish(&c, pidfd, &err);
}

int main(int argc, char **argv)
{
	struct rootfs rootfs = ROOTFS_INIT;
	struct flags f = { 0 };
	int o;

	while ((o = getopt(argc, argv, "+rkxvdpc")) > 0) {
		rootfs.read_only |= o == 'r';
		rootfs.keep |= o == 'k';
		rootfs.user_xattr |= o == 'x';
		rootfs.discard |= o == 'v';
		f.detach |= o == 'd';
		f.create |= o == 'c';
		f.look |= o == 'p';
	}
	argv += optind;
	argc -= optind;
	if (argc < 6)
		return 125;
	rootfs.store = argv[2];
	rootfs.container = argv[3];
	rootfs.layers.items = argv + 5;
	rootfs.layers.count = (size_t)argc - 5;
	return run(argv, &rootfs, &f);
}
