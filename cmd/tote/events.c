/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/events.h"

#include "cgroups/watch.h"
#include "cmd/tote/interval.h"
#include "cmd/tote/tote.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_INTERVAL "5s"

struct events_options {
	const char *interval;
	bool stats;
	/* Of the supervisor's. */
	bool all, follow;
	const char *project, *format;
};

static const struct option items[] = {
	{ "stats", 0, OPT_FLAG, offsetof(struct events_options, stats), NULL,
	  "print one line of statistics and end" },
	{ "interval", 0, OPT_STRING, offsetof(struct events_options, interval), "DURATION",
	  "time between lines of statistics: 500ms, 5s (default), 1m" },
	{ "all", 'a', OPT_FLAG, offsetof(struct events_options, all), NULL,
	  "what the supervisor did with all services, and end" },
	{ "follow", 0, OPT_FLAG, offsetof(struct events_options, follow), NULL,
	  "with --all: go on with what happens from now on" },
	{ "project", 'p', OPT_STRING, offsetof(struct events_options, project), "NAME",
	  "with --all: of this project only" },
	{ "format", 'f', OPT_STRING, offsetof(struct events_options, format), "FORMAT",
	  "json (default)" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* What is watched. */
struct watch {
	struct container *c;
	struct cg cg;
	struct sample_netns netns; /* ours */
	int pidfd;
	int memory_events;  /* -1 while the group has no memory controller; update may enable it */
	uint64_t oom_kills; /* told of already */
};

static int print(const struct buf *line, struct err *err)
{
	int r = fd_write_full(STDOUT_FILENO, line->data, line->len);

	return r < 0 ? err_code(err, r, "events: write to stdout") : 0;
}

/* The pid was still the container's after its interfaces were read. */
static void read_net(const struct watch *w, struct arena *a, struct sample_net *ret_net)
{
	sample_read_net(&w->netns, w->c->st.init.pid, a, ret_net);
	if (proc_signal(w->pidfd, 0) < 0)
		*ret_net = (struct sample_net){ 0 };
}

static int print_stats(const struct watch *w, struct err *err)
{
	autoarena a = ARENA_INIT;
	autobuf line = BUF_INIT;
	struct cg_stats stats;
	struct sample_net net;
	int r = stats_read_some(&w->cg, STATS_ALL & ~STATS_RESERVED, NULL, &a, &stats, err);

	if (r < 0)
		return r;
	read_net(w, &a, &net);
	events_write_stats(w->c->st.id, &stats, &net, &line);
	return print(&line, err);
}

/* How many processes of the group and below the OOM killer took. Reading arms the next POLLPRI. */
static int64_t read_oom_kills(struct watch *w)
{
	char text[512];
	ssize_t n = pread(w->memory_events, text, sizeof(text) - 1, 0);
	const char *line;

	if (n < 0) {
		close(take_fd(&w->memory_events));
		return -1;
	}
	text[n] = '\0';
	line = strstr(text, "oom_kill ");
	return line ? strtoll(line + strlen("oom_kill "), NULL, 10) : -1;
}

static void open_memory_events(struct watch *w)
{
	int64_t kills;

	if (w->memory_events >= 0)
		return;
	w->memory_events = openat(w->cg.fd, "memory.events", O_RDONLY | O_CLOEXEC);
	kills = w->memory_events >= 0 ? read_oom_kills(w) : 0;
	w->oom_kills = kills > 0 ? (uint64_t)kills : 0;
}

static int print_ooms(struct watch *w, struct err *err)
{
	int64_t kills = w->memory_events >= 0 ? read_oom_kills(w) : -1;
	autobuf line = BUF_INIT;

	if (kills < 0 || (uint64_t)kills <= w->oom_kills)
		return 0;
	w->oom_kills = (uint64_t)kills;
	events_write_oom(w->c->st.id, &line);
	return print(&line, err);
}

/* Waits for something to happen until a time. 1 when the container is gone. */
static int wait_until(const struct watch *w, int64_t time, struct err *err)
{
	int64_t now = deadline_now_ms();
	struct pollfd fds[] = { { .fd = w->pidfd, .events = POLLIN },
				{ .fd = w->memory_events, .events = POLLPRI } };
	int r = poll(fds, ARRAY_SIZE(fds), time > now ? (int)(time - now) : 0);

	if (r < 0 && errno != EINTR)
		return err_errno(err, "events: poll");
	return r > 0 && fds[0].revents;
}

/* Until the container is gone; its last OOM kill may be what ended it. */
static int follow(struct watch *w, int interval, struct err *err)
{
	int64_t next = deadline_now_ms() + interval;

	for (;;) {
		int gone, r;

		open_memory_events(w);
		gone = wait_until(w, next, err);
		if (gone < 0)
			return gone;
		r = print_ooms(w, err);
		if (r < 0 || gone)
			return r;
		if (deadline_now_ms() < next)
			continue;
		r = print_stats(w, err);
		if (r < 0)
			return r == -ENODEV ? 0 : r;
		next = deadline_now_ms() + interval;
	}
}

static int open_watch(struct watch *w, struct cg_tree *tree, struct err *err)
{
	const struct state *st = &w->c->st;

	w->netns = sample_own_netns();
	w->pidfd = st->init.pid ? proc_open(&st->init) : -ESRCH;
	if (w->pidfd == -ESRCH)
		return err_set(err, ESRCH, "container %s: container not running", st->id);
	if (w->pidfd < 0)
		return err_code(err, w->pidfd, "open process %d of container %s", st->init.pid,
				st->id);
	return container_cgroup(w->c, tree, &w->cg, err);
}

static int watch_container(struct container *c, const struct events_options *o, int interval,
			   struct err *err)
{
	struct watch w = { .c = c, .cg = CG_INIT, .pidfd = -1, .memory_events = -1 };
	struct cg_tree tree = { .fd = -1 };
	int r = open_watch(&w, &tree, err);

	if (r == 0 && !o->stats)
		watch_begin(&w.cg);
	if (r == 0)
		r = o->stats ? print_stats(&w, err) : follow(&w, interval, err);
	cleanup_fd(&w.memory_events);
	cg_done(&w.cg);
	cg_tree_close(&tree);
	cleanup_fd(&w.pidfd);
	return r;
}

/* tote-compose has them. Returns only when it could not be executed. */
static int execute_all(const struct events_options *o, struct err *err)
{
	char path[PATH_MAX], *argv[12];
	size_t n = 0;
	int r = proc_sibling("tote-compose", path, sizeof(path));

	if (r < 0)
		return err_code(err, r, "find tote-compose");
	argv[n++] = (char *)"tote-compose";
	argv[n++] = (char *)(globals.rootless ? "--rootless=true" : "--rootless=false");
	argv[n++] = (char *)"events";
	if (o->follow)
		argv[n++] = (char *)"--follow";
	if (o->project) {
		argv[n++] = (char *)"--project";
		argv[n++] = (char *)o->project;
	}
	argv[n] = NULL;
	execv(path, argv);
	return err_errno(err, "execute %s", path);
}

static int check(const struct events_options *o, size_t count, struct err *err)
{
	if (o->format && strcmp(o->format, "json") != 0)
		return err_set(err, EINVAL, "events: --format: expected json, found \"%s\"",
			       o->format);
	if (o->all && (count || o->stats || o->interval))
		return err_set(err, EINVAL, "events: --all: not with an ID, --stats or --interval");
	if (!o->all && (o->follow || o->project))
		return err_set(err, EINVAL, "events: --follow and --project need --all");
	if (!o->all && !count)
		return err_set(err, EINVAL, "events: missing argument: tote events ID");
	return 0;
}

static int run(char **args, size_t count, void *opts)
{
	const struct events_options *o = opts;
	autocontainer c = CONTAINER_INIT;
	autofd root = -1;
	struct err err;
	int interval = interval_read(o->interval ? o->interval : DEFAULT_INTERVAL, &err);
	int r = interval < 0 ? err_prefix(&err, "events") : check(o, count, &err);

	if (r == 0 && o->all)
		r = execute_all(o, &err);
	/* Not under the lock: it watches for as long as the container lives. */
	if (r == 0)
		r = open_container(args[0], false, &c, &root, &err);
	if (r >= 0)
		r = watch_container(&c, o, interval, &err);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_events = {
	"events",
	"ID",
	"print statistics and out-of-memory events of a container as JSON lines",
	&table,
	0,
	1,
	run,
	sizeof(struct events_options),
	0
};
