/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/make_options.h"

#include "lib/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option items[] = { MAKE_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

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

static int run(char **args, size_t count, void *opts)
{
	autocontainer c = CONTAINER_INIT;
	autofd root = -1, pidfd = -1, terminal = -1;
	struct err err;

	(void)count;
	return make_container(args[0], opts, false, &c, &root, &pidfd, &terminal, &err) < 0
		       ? fail(&err)
		       : 0;
}

const struct verb verb_create = { "create",
				  "ID",
				  "make a container that waits for start",
				  &table,
				  1,
				  1,
				  run,
				  sizeof(struct make_options),
				  0 };
