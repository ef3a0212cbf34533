/* SPDX-License-Identifier: Apache-2.0 */
/* `tote run IMAGE` and `tote create --image`: from an image and options to what container_create() takes. */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int open_store(struct imaging *im, const char *path, const char *name)
{
	int r = store_open(path, false, &im->store, im->err);

	return r == -ENOENT ? err_prefix(im->err, "no image \"%s\"", name) : r;
}

static int open_image(struct imaging *im, const char *name)
{
	char *path;
	int r = store_path(globals.store, globals.rootless, &im->a, &path, im->err);

	if (r == 0)
		r = open_store(im, path, name);
	if (r == 0)
		r = store_find(&im->store, name, &im->a, &im->image, im->err);
	return r < 0 ? r : store_config(&im->store, &im->image, &im->a, &im->config, im->err);
}

int imaging_open(const char *image, struct imaging **ret, struct err *err)
{
	struct imaging *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_code(err, ENOMEM, "image");
	im->name = image;
	im->store = (struct store)STORE_INIT;
	im->rootfs = (struct rootfs)ROOTFS_INIT;
	im->container_fd = im->lookup = im->userns = im->rest = -1;
	im->err = err;
	r = open_image(im, image);
	if (r < 0)
		imaging_close(im);
	else
		*ret = im;
	return r;
}

void imaging_close(struct imaging *im)
{
	struct err ignored;

	if (!im)
		return;
	if (im->container)
		rootfs_remove(im->store.path, im->container, &ignored);
	cleanup_fd(&im->lookup);
	cleanup_fd(&im->userns);
	cleanup_fd(&im->rest);
	ahead_end(&im->ahead);
	cleanup_fd(&im->container_fd);
	store_close(&im->store);
	arena_done(&im->a);
	free(im);
}

/* "pos-3f2a" for pos:1.2, where no name is given. */
static char *make_id(const char *image, struct arena *a)
{
	struct reference ref;
	struct err err;
	uint16_t n = 0;
	const char *base = reference_parse(image, a, &ref, &err) == 0 ? ref.name : "container",
		   *slash = strrchr(base, '/');

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint16_t)getpid();
	return arena_printf(a, "%s-%04x", slash ? slash + 1 : base, n);
}

/*
 * As people know it: without -i nobody types, and with -d nobody listens. Returns stdout as it was,
 * to print the ID to, when it was put aside.
 */
static int set_streams(const struct run_options *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), out = -1;

	if (null < 0)
		return -1;
	if (o->make.detach)
		out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (!o->image.interactive || o->make.detach)
		dup2(null, STDIN_FILENO);
	if (o->make.detach) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	close(null);
	return out;
}

/* The id of the host that its root has. */
static unsigned int own_root(const struct imaging *im)
{
	return im->convert.uid_mappings.items[0].host_id;
}

static int make(struct imaging *im, const char *id, bool run, struct running *running)
{
	struct make_options m = im->o->make;
	autobuf config = BUF_INIT;
	autofd err_before = -1, out = -1;
	int r = convert_spec(&im->config, &im->convert, im->lookup, &config, im->err);

	if (r < 0)
		return r;
	m.bundle = arena_printf(&im->a, "%s/containers/%s", im->store.path, im->container);
	m.config_text = config.data;
	m.rootfs = &im->rootfs;
	m.network_wish = &im->network;
	m.ahead = im->ahead.pid ? &im->ahead : NULL;
	err_before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	out = set_streams(im->o);
	if (im->own_ids && !im->convert.tty)
		streams_lend(own_root(im), &running->lent);
	r = make_container(id, &m, run, &running->c, &running->root, &running->pidfd,
			   &running->terminal, im->err);
	if (im->o->make.detach) {
		dup2(err_before, STDERR_FILENO);
		dup2(out, STDOUT_FILENO);
	}
	if (r < 0)
		return r;
	if (run && im->rootfs.discard)
		store_container_unmark(im->container_fd);
	/* Now it is the container's. What failed before container_create() had it is ours to remove. */
	im->container = NULL;
	if (run && !im->o->make.detach) {
		running->tree = take_fd(&im->lookup);
		running->rest = take_fd(&im->rest);
	}
	return 0;
}

int imaging_make(struct imaging *im, const char *id, char **args, const struct run_options *o,
		 bool run, struct running *running, struct err *err)
{
	bool drawn = !id;
	int r;

	if (drawn)
		id = make_id(im->name, &im->a);
	r = state_check_id(id, err);
	im->o = o;
	im->err = err;
	if (r == 0)
		r = imaging_choose(im, id, args);
	/* An ID that was drawn just now had no container before: nothing to look through. */
	if (r == 0 && !drawn)
		imaging_sweep(im, id);
	if (r == 0)
		r = imaging_make_root(im, id);
	if (r == 0)
		r = imaging_add_mounts(im);
	if (r == 0)
		r = imaging_open_root(im);
	if (r == 0)
		imaging_add_names(im);
	return r < 0 ? r : make(im, id, run, running);
}

int imaging_fail(const struct err *err)
{
	fail(err);
	if (strncmp(err->msg, "exec: ", 6) != 0)
		return 125;
	return err->code == -ENOENT ? 127 : 126;
}

void running_close(struct running *running)
{
	container_close(&running->c);
	cleanup_fd(&running->root);
	cleanup_fd(&running->pidfd);
	cleanup_fd(&running->terminal);
	cleanup_fd(&running->tree);
	cleanup_fd(&running->rest);
}
