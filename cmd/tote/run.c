/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/make_options.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

static const struct option items[] = {
	MAKE_OPTIONS,
	MAKE_OPTION("detach", 'd', OPT_FLAG, detach, NULL, "return when the program runs"),
	MAKE_OPTION("keep", 0, OPT_FLAG, keep, NULL,
		    "keep the state of the container after its end"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* The lock is free while the program runs, so that exec, kill and delete work from elsewhere. */
static int finish(struct container *c, bool keep, struct err *err)
{
	int r = 0;

	if (keep)
		return 0;
	while (flock(c->dir_fd, LOCK_EX) < 0 && errno == EINTR)
		;
	/* Somebody else may have deleted it: then nothing is left to do. */
	if (faccessat(c->dir_fd, STATE_FILE, F_OK, 0) == 0)
		r = container_delete(c, true, err);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct make_options *o = opts;
	autocontainer c = CONTAINER_INIT;
	autofd root = -1, pidfd = -1, terminal = -1;
	struct err err;
	int code, r;

	(void)count;
	/* Only with someone at this end can the terminal stay here. */
	r = make_container(args[0], o, true, &c, &root, &pidfd, &terminal, &err);
	if (r < 0)
		return fail(&err);
	flock(c.dir_fd, LOCK_UN);
	r = relay_notify(&c, o->detach, &err);
	if (r < 0)
		fail(&err);
	if (o->detach)
		return r < 0;
	code = attend(pidfd, take_fd(&terminal), &err);
	if (code < 0)
		fail(&err);
	r = finish(&c, o->keep, &err);
	if (r < 0)
		fail(&err);
	log_warnings(&c);
	return code < 0 || r < 0 ? 1 : code;
}

const struct verb verb_run = { "run",
			       "ID",
			       "make a container, run its program and wait for its end",
			       &table,
			       1,
			       1,
			       run,
			       sizeof(struct make_options),
			       0 };
