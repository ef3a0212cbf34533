/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tote create`: the OCI command, whose line is a contract with other programs; with --image a container
 * of an image, as `tote run IMAGE` makes it.
 */
#include "cmd/tote/run_options.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option items[] = {
	MAKE_OPTIONS,
	{ "image", 0, OPT_STRING, offsetof(struct run_options, image_name), "IMAGE",
	  "make it of an image that was loaded" },
	NETWORK_OPTIONS,
	IMAGE_OPTIONS,
};
/* Behind the ID of an image's container its program's own options begin. */
static const struct option_table table = { items, ARRAY_SIZE(items), true };

static const struct option bundle_items[] = { MAKE_OPTIONS };
static const struct option_table bundle_table = { bundle_items, ARRAY_SIZE(bundle_items), false };

/* --debug: what will be done. An error will be told by the attempt itself. */
static void log_plan(const struct create_opts *opts)
{
	autobuf text = BUF_INIT;
	struct err ignored;
	char *save = NULL;

	if (!log_enabled(LOG_LEVEL_DEBUG) || container_plan(opts, &text, &ignored) < 0)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		log_debug("%s", line);
}

int make_container(const char *id, const struct make_options *o, bool run, struct container *ret_c,
		   int *ret_root, int *ret_pidfd, int *ret_terminal, struct err *err)
{
	struct create_opts opts = {
		.id = id,
		.bundle = absolute(o->bundle),
		.config = o->config ? absolute(o->config) : NULL,
		.run = run,
		.attended = run && !o->detach,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.console_socket = o->console_socket ? absolute(o->console_socket) : NULL,
		.pid_file = o->pid_file ? absolute(o->pid_file) : NULL,
		.pidfd_socket = o->pidfd_socket ? absolute(o->pidfd_socket) : NULL,
		.root = globals.root,
		.notify_socket = getenv("NOTIFY_SOCKET"),
		.manager = globals.manager,
		.rootless = globals.rootless,
		.config_text = o->config_text,
		.rootfs = o->rootfs,
		.ahead = o->ahead,
		.network = o->network_wish,
	};
	int r = inherited_fds(o->preserve_fds, &opts.listen_fds, &opts.preserve_fds, err);

	if (r == 0) {
		log_plan(&opts);
		r = *ret_root = open_root(true, err);
	}
	if (r >= 0)
		r = container_create(*ret_root, &opts, ret_c, ret_pidfd, ret_terminal, err);
	if (r >= 0) {
		log_warnings(ret_c);
		ret_c->warnings.count = 0;
	}
	free((char *)opts.bundle);
	free((char *)opts.config);
	free((char *)opts.console_socket);
	free((char *)opts.pid_file);
	free((char *)opts.pidfd_socket);
	return r;
}

/* What only an image's container can be asked for: with a bundle, config.json says it. */
static int check_bundle(const struct run_options *o, struct err *err)
{
	static const struct network_options no_network;
	static const struct image_options no_image;

	if (memcmp(&o->network, &no_network, sizeof(no_network)) == 0 &&
	    memcmp(&o->image, &no_image, sizeof(no_image)) == 0)
		return 0;
	return err_set(err, EINVAL,
		       "create: an option that is for images only, without --image IMAGE");
}

static int create_of_bundle(char **args, struct run_options *o, struct running *running)
{
	struct err err;
	bool help = false;
	size_t count = 0;
	int r = options_parse(&bundle_table, args + 1, o, &count, &help, &err);

	if (r == 0 && count)
		r = err_set(&err, EINVAL, "unexpected argument \"%s\": tote create ID", args[1]);
	if (r == 0)
		r = check_bundle(o, &err);
	if (r == 0)
		r = make_container(args[0], &o->make, false, &running->c, &running->root,
				   &running->pidfd, &running->terminal, &err);
	return r < 0 ? fail(&err) : 0;
}

/* Streams stay lent: the container has them for longer than we are there. */
static int create_of_image(char **args, const struct run_options *o, struct running *running)
{
	struct imaging *im = NULL;
	struct err err;
	int r = 0;

	if (o->make.bundle || o->make.config)
		r = err_set(&err, EINVAL, "create: --image goes with no --bundle and no --config");
	if (r == 0)
		r = imaging_open(o->image_name, &im, &err);
	if (r == 0)
		r = imaging_make(im, args[0], args + 1, o, false, running, &err);
	imaging_close(im);
	if (r < 0)
		streams_take_back(&running->lent);
	return r < 0 ? imaging_fail(&err) : 0;
}

static int run(char **args, size_t count, void *opts)
{
	struct run_options *o = opts;
	struct running running = RUNNING_INIT;
	int code;

	(void)count;
	/* One that the caller ignores is ignored by the container too, and by an init in it, which then
	 * gets no exit status. */
	signal(SIGCHLD, SIG_DFL);
	code = o->image_name ? create_of_image(args, o, &running)
			     : create_of_bundle(args, o, &running);
	running_close(&running);
	return code;
}

const struct verb verb_create = { "create",
				  "ID | --image IMAGE ID [ARGUMENT...]",
				  "make a container that waits for start",
				  &table,
				  1,
				  100000,
				  run,
				  sizeof(struct run_options),
				  0 };
