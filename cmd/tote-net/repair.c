/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/repair.h"
#include "netns/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

static const struct option items[] = { PLACE_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void tell(void *arg, bool failed, const char *line)
{
	(void)arg;
	if (failed)
		log_error("%s", line);
	else
		printf("%s\n", line);
	fflush(stdout);
}

static struct repair repair_at(const struct place *p)
{
	return (struct repair){ p->run_dir, p->plugin_path, p->run_fd, tell, NULL, false };
}

static int run_part(int (*part)(const struct repair *rp, struct err *err), void *opts)
{
	autoplace place = PLACE_INIT;
	struct repair rp;
	struct err err;
	int r = open_place(opts, &place, &err);

	if (r == 0) {
		rp = repair_at(&place);
		r = part(&rp, &err);
	}
	if (r < 0)
		return fail(&err);
	update_names(&place);
	return r > 0;
}

static int run_gc(char **args, size_t count, void *opts)
{
	(void)args;
	(void)count;
	return run_part(repair_gc, opts);
}

static int run_repair(char **args, size_t count, void *opts)
{
	(void)args;
	(void)count;
	return run_part(repair_all, opts);
}

/* Both end it at once: nothing is kept in memory that is not on disk. */
static int signals_open(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, "signalfd") : fd;
}

static int watch(struct watch *w, struct err *err)
{
	autofd signals = signals_open(err);
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = watch_fd(w), .events = POLLIN },
	};
	int r = signals < 0 ? signals : 0;

	while (r >= 0 && !fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), watch_timeout(w)) < 0 && errno != EINTR)
			return err_errno(err, "poll");
		if (!fds[0].revents)
			r = watch_step(w, err);
	}
	return r;
}

static int run_watch(char **args, size_t count, void *opts)
{
	autoplace place = PLACE_INIT;
	struct watch w = WATCH_INIT;
	struct repair rp;
	struct err err;
	int r = open_place(opts, &place, &err);

	(void)args;
	(void)count;
	if (r < 0)
		return fail(&err);
	rp = repair_at(&place);
	r = watch_open(&w, &rp, &err);
	if (r == 0)
		r = watch(&w, &err);
	watch_close(&w);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_gc = { "gc",
			      "",
			      "remove what containers that are gone have left",
			      &table,
			      0,
			      0,
			      run_gc,
			      sizeof(struct place_options),
			      0 };
const struct verb verb_repair = {
	"repair", "",	      "put back what networks have lost", &table, 0,
	0,	  run_repair, sizeof(struct place_options),	  0
};
const struct verb verb_watch = { "watch", "",	     "repair whenever something is lost", &table, 0,
				 0,	  run_watch, sizeof(struct place_options),	  0 };
