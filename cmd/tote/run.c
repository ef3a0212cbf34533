/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tote run`: the OCI command, or an image. Clients of the former always say --bundle, or are in
 * the bundle's directory; an image is meant by whoever names one that the store has. tote-run(8)
 * has the rule.
 */
#include "cmd/tote/run_options.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/proc.h"
#include "lib/relay.h"
#include "oci/close_after.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define RUN_OPTIONS                                                                                \
	MAKE_OPTIONS,                                                                              \
		MAKE_OPTION("detach", 'd', OPT_FLAG, detach, NULL,                                 \
			    "return when the program runs"),                                       \
		MAKE_OPTION("keep", 0, OPT_FLAG, keep, NULL,                                       \
			    "keep the state of the container after its end"),                      \
		NETWORK_OPTIONS

static const struct option items[] = {
	RUN_OPTIONS,
	{ "name", 0, OPT_STRING, offsetof(struct run_options, id), "ID",
	  "image: the container's ID" },
	IMAGE_OPTIONS,
};
/* Behind an image's name its program's own options begin. */
static const struct option_table table = { items, ARRAY_SIZE(items), true };

/* Behind an ID there may be further options of the OCI command. */
static const struct option bundle_items[] = { RUN_OPTIONS };
static const struct option_table bundle_table = { bundle_items, ARRAY_SIZE(bundle_items), false };

/* The lock is free while the program runs, so that exec, kill and delete work from elsewhere. */
static int finish(struct container *c, bool keep, struct err *err)
{
	if (keep && !c->st.network)
		return 0;
	while (flock(c->dir_fd, LOCK_EX) < 0 && errno == EINTR)
		;
	/* Somebody else may have deleted it: then nothing is left to do. */
	if (faccessat(c->dir_fd, STATE_FILE, F_OK, 0) < 0)
		return 0;
	return keep ? container_leave_network(c, err) : container_delete(c, true, err);
}

/* Nobody is to wait for our end who waits for that of a pipe. */
static void leave_streams(const struct running *r)
{
	const int kept[] = { r->pidfd, r->root, r->c.root_fd, r->c.dir_fd };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	fd_close_all_but(kept, ARRAY_SIZE(kept));
	if (chdir("/") < 0)
		log_debug("chdir to /: %s", err_text(errno));
}

/* Waits for the program's end in a process of its own, as nobody else would remove the container.
 */
static int remove_at_end(struct running *r, struct err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_errno(err, "fork");
	if (pid > 0)
		return 0;
	relay_release();
	/* Nor is a file system to stay busy. */
	setsid();
	leave_streams(r);
	proc_wait_gone(r->pidfd, -1);
	_exit(finish(&r->c, false, err) < 0);
}

static int attend_to(struct running *run, const struct make_options *o, bool keep)
{
	struct err err;
	int code, r;

	flock(run->c.dir_fd, LOCK_UN);
	r = relay_notify(&run->c, o->detach, &err);
	if (r < 0)
		fail(&err);
	if (o->detach)
		return r < 0;
	if (run->tree >= 0)
		close_after(run->pidfd, take_fd(&run->tree), take_fd(&run->rest));
	code = attend(run->pidfd, take_fd(&run->terminal), &err);
	if (code < 0)
		fail(&err);
	r = finish(&run->c, keep, &err);
	if (r < 0)
		fail(&err);
	log_warnings(&run->c);
	return code < 0 || r < 0 ? 1 : code;
}

static int run_bundle(const char *id, const struct run_options *o, struct running *run)
{
	struct make_options m = o->make;
	struct network_wish network;
	autoarena a = ARENA_INIT;
	struct err err;

	if (run_network(&o->network, NULL, &a, &network, &err) < 0)
		return fail(&err);
	network.hostname = id;
	m.network_wish = &network;
	/* Only with someone at this end can the terminal stay here. */
	if (make_container(id, &m, true, &run->c, &run->root, &run->pidfd, &run->terminal, &err) <
	    0)
		return fail(&err);
	return attend_to(run, &m, m.keep);
}

static int run_image(struct imaging *im, char **args, const struct run_options *o,
		     struct running *run)
{
	struct err err;
	int code, r = imaging_make(im, o->id, args, o, true, run, &err);

	/* Now: what it holds of the store is the container's, and shall not last as long as we. */
	imaging_close(im);
	code = r < 0 ? imaging_fail(&err) : attend_to(run, &o->make, !o->image.remove);
	streams_take_back(&run->lent);
	if (r < 0)
		return code;
	if (!o->make.detach || code)
		return code;
	printf("%s\n", run->c.st.id);
	fflush(stdout);
	return o->image.remove && remove_at_end(run, &err) < 0 ? fail(&err) : 0;
}

/* Options behind the ID, as clients of runc may write them; -EINVAL when there is anything else. */
static int parse_rest(char **rest, struct run_options *o, struct err *err)
{
	struct run_options all = *o;
	bool help = false;
	size_t count = 0;
	int r = options_parse(&bundle_table, rest, &all, &count, &help, err);

	if (r == 0 && count)
		return err_set(err, EINVAL, "unexpected argument \"%s\": tote run ID", rest[0]);
	if (r == 0)
		*o = all;
	return r;
}

/* With a bundle behind the name it is an ID, whatever images there are. */
static bool names_bundle(char **rest, size_t count, const struct run_options *o)
{
	autofree char **copy = NULL;
	struct run_options probe = *o;
	struct err ignored;

	if (o->make.bundle || o->make.config)
		return true;
	copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		return false;
	memcpy(copy, rest, count * sizeof(*copy));
	return parse_rest(copy, &probe, &ignored) == 0 && probe.make.bundle;
}

/* There is no such image, nor could there be, or no store that we may look into: then it is an ID,
 * unless means_image(). */
static bool is_absent(int error)
{
	return error == -ENOENT || error == -EINVAL || error == -EACCES;
}

/* Options that only images have leave no doubt, nor does a name like "pos:1.2", which no container
 * can have, where there is no bundle. */
static bool means_image(const char *name, const struct run_options *o)
{
	static const struct image_options none;
	struct err ignored;

	if (o->id || memcmp(&o->image, &none, sizeof(none)) != 0)
		return true;
	return state_check_id(name, &ignored) < 0 && access("config.json", F_OK) < 0;
}

/* Neither an image nor a bundle. */
static int fail_both(const struct err *no_image)
{
	autofree char *dir = absolute(NULL);
	struct err err;

	err_set(&err, ENOENT, "run: %.250s; bundle %.200s: open config.json: %s", no_image->msg,
		dir, err_text(ENOENT));
	return fail(&err);
}

static int run(char **args, size_t count, void *opts)
{
	struct run_options *o = opts;
	struct imaging *im = NULL;
	struct running running = RUNNING_INIT;
	bool bundle = names_bundle(args + 1, count - 1, o);
	struct err err;
	int code, found;

	/* One that is ignored leaves no exit status to wait for, here and behind an init. */
	signal(SIGCHLD, SIG_DFL);
	found = bundle ? -ENOENT : imaging_open(args[0], &im, &err);

	/* Somebody who gives up while the container is being made must not leave half of one. */
	relay_hold();
	if (found == 0) {
		code = run_image(im, args + 1, o, &running);
	} else if (!bundle && (!is_absent(found) || means_image(args[0], o))) {
		code = imaging_fail(&err);
	} else if (!bundle && access("config.json", F_OK) < 0) {
		if (found == -ENOENT)
			err_set(&err, ENOENT, "no image \"%s\"", args[0]);
		code = fail_both(&err);
	} else if (parse_rest(args + 1, o, &err) < 0) {
		err_prefix(&err, "run");
		code = fail(&err);
	} else {
		code = run_bundle(args[0], o, &running);
	}
	running_close(&running);
	return code;
}

const struct verb verb_run = {
	"run",
	"ID | IMAGE [COMMAND...]",
	"make a container of a bundle or an image, run its program and wait for its end",
	&table,
	1,
	100000,
	run,
	sizeof(struct run_options),
	0
};
