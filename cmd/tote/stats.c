/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/interval.h"
#include "cmd/tote/stats_row.h"
#include "cmd/tote/tote.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_INTERVAL_MS 2000
/* Long enough for a CPU share that means something, short enough to wait for. */
#define FIRST_MS 200
/* So many files stay open between two looks: fewer than descriptors, wherever few are allowed. */
#define KEPT_MAX 200

/* What the columns and members need. */
#define TABLE_STATS (STATS_CPU | STATS_MEMORY | STATS_TASKS | STATS_IO | STATS_PRESSURE)
#define JSON_STATS (TABLE_STATS | STATS_OOM | STATS_MORE)

struct stats_options {
	const char *format, *interval;
	bool no_stream;
};

static const struct option items[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct stats_options, format), "FORMAT",
	  "table (default) or json" },
	{ "interval", 0, OPT_STRING, offsetof(struct stats_options, interval), "DURATION",
	  "time between tables: 500ms, 2s (default), 1m" },
	{ "no-stream", 0, OPT_FLAG, offsetof(struct stats_options, no_stream), NULL,
	  "print one table and end" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* A container in a round. What state.json said is taken over from round to round while it is the
 * same file, as it is replaced, never changed. */
struct seen {
	struct sample sample;
	struct state st; /* the strings that are needed live in the round's arena */
	ino_t ino;
	struct timespec written;
	int cpu_stat; /* left open by the first look; 0: none */
};

/* One look at all containers. */
struct round {
	struct arena arena;
	LIST(struct seen) all;
};

struct stats_view {
	char **named; /* NULL: all that run */
	struct sample_host host;
	bool json, redraw, follow;
	int interval, first; /* ms */
	int root;
};

/* Rounds are in the same order: what is looked for mostly stands where it stood in another one. */
static struct seen *find(const struct round *round, const char *id, size_t place)
{
	for (size_t i = 0; i < round->all.count; i++) {
		struct seen *s = &round->all.items[(place + i) % round->all.count];

		if (strcmp(s->st.id, id) == 0)
			return s;
	}
	return NULL;
}

static char *copy(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

/* Only what a sample and the questions below need. */
static void keep_state(const struct state *st, struct arena *a, struct state *ret)
{
	*ret = (struct state){ .id = copy(a, st->id),
			       .cgroup_path = copy(a, st->cgroup_path),
			       .init = st->init,
			       .made = st->made };
}

/* Which file it is and when it was written. Nothing is set when there is none. */
static void stamp(const struct stats_view *v, const char *id, struct seen *s)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" STATE_FILE, id);
	if (v->root < 0 || fstatat(v->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	s->ino = st.st_ino;
	s->written = st.st_mtim;
}

static bool same_file(const struct seen *a, const struct seen *b)
{
	return a->ino && a->ino == b->ino && a->written.tv_sec == b->written.tv_sec &&
	       a->written.tv_nsec == b->written.tv_nsec;
}

static int load(struct stats_view *v, const char *id, const struct round *before,
		struct round *round, struct seen *ret, struct err *err)
{
	const struct seen *old = find(before, id, round->all.count);
	autoarena a = ARENA_INIT;
	struct state st;
	int r;

	v->host.memo.cpu_stat = 0;
	/* The stamp is taken before the file is read. What one answer takes is too short for news:
	 * whether init is alive is asked in any case. */
	if (v->follow)
		stamp(v, id, ret);
	if (old && (!v->follow || same_file(old, ret))) {
		keep_state(&old->st, &round->arena, &ret->st);
		v->host.memo.cpu_stat = old->cpu_stat;
		return 0;
	}
	r = state_peek(v->root, id, &a, &st, err);
	if (r == 0)
		keep_state(&st, &round->arena, &ret->st);
	return r;
}

/* Its program, not only tote-init waiting for start. */
static bool started(const struct stats_view *v, const struct seen *s)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" STATE_START_SOCKET, s->st.id);
	return s->st.made && fstatat(v->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

/* For the share of CPU time that comes next. 1 when there is a sample. */
static int first_look(const struct stats_view *v, const struct round *round, struct seen *s,
		      struct err *err)
{
	if (v->named && !proc_alive(&s->st.init))
		return err_set(err, ESRCH, "container %s: container not running", s->st.id);
	sample_read_cpu(&v->host, &s->st, &s->sample,
			round->all.count < KEPT_MAX ? &s->cpu_stat : NULL);
	return 1;
}

/* 1 when there is a sample, 0 when the container does not run. */
static int look(struct stats_view *v, struct round *round, struct seen *s, struct err *err)
{
	unsigned int what = v->json ? JSON_STATS : TABLE_STATS;
	int r;

	if (!v->named && !started(v, s))
		return 0;
	r = sample_read_group(&v->host, &s->st, what, &round->arena, &s->sample, err);
	if (r < 0)
		return r;
	sample_read_net(&v->host.netns, s->st.init.pid, &round->arena, &s->sample.net);
	/* Asked last: init alive now was alive when its interfaces were read. */
	return proc_alive(&s->st.init);
}

/* Says what is wrong with a container in the first round only. One that is gone is left out, except
 * that a named one must be there at first. */
static int add_all(struct stats_view *v, const struct strv *ids, const struct round *before,
		   struct round *round, struct err *err)
{
	round->all.items = arena_calloc(&round->arena, ids->count + 1, sizeof(*round->all.items));
	for (size_t i = 0; i < ids->count; i++) {
		struct seen *s = &round->all.items[round->all.count];
		int r;

		*s = (struct seen){ 0 };
		r = load(v, ids->items[i], before, round, s, err);

		if (r == 0)
			r = before->all.items ? look(v, round, s, err)
					      : first_look(v, round, s, err);
		if (r > 0)
			round->all.count++;
		else if (r < 0 && !before->all.items && v->named)
			return r;
		else if (r < 0 && !before->all.items && r != -ENOENT)
			log_warning("stats: %s", err->msg);
	}
	return 0;
}

static void round_done(struct round *round)
{
	for_each (s, &round->all)
		if (s->cpu_stat)
			close(s->cpu_stat);
	arena_done(&round->arena);
	*round = (struct round){ 0 };
}

/* before: nothing in it for the first round. */
static int take_round(struct stats_view *v, const struct round *before, struct round *round,
		      struct err *err)
{
	struct strv ids = { v->named, 0 };
	int r = 0;

	round_done(round);
	v->host.memo = (struct stats_memo){ 0 };
	/* The directory may be made any time. */
	if (v->root < 0)
		v->root = open_root(false, err);
	if (v->root < -1)
		return v->root;
	for (; v->named && v->named[ids.count]; ids.count++)
		;
	if (!v->named && v->root >= 0)
		r = state_list(v->root, &round->arena, &ids, err);
	return r < 0 ? r : add_all(v, &ids, before, round, err);
}

static struct stats_rows make_rows(const struct round *now, const struct round *before,
				   struct arena *a)
{
	struct stats_rows rows = { arena_calloc(a, now->all.count + 1, sizeof(struct stats_row)),
				   now->all.count };

	for (size_t i = 0; i < rows.count; i++) {
		const struct seen *s = &now->all.items[i], *old = find(before, s->st.id, i);

		stats_row_fill(&s->sample, old ? &old->sample : NULL, &rows.items[i]);
	}
	return rows;
}

/* Over the one before, in one write, each line erased behind its end: nothing flickers, and there
 * is no state of the terminal to restore. */
static void draw(const struct stats_rows *rows, struct buf *out)
{
	struct winsize w = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	buf_adds(out, "\033[H");
	stats_rows_table(rows, w.ws_col, w.ws_row > 1 ? w.ws_row - 1u : 0, "\033[K\r\n", out);
	buf_adds(out, "\033[J");
}

static int print(const struct stats_view *v, const struct stats_rows *rows, bool first,
		 struct err *err)
{
	autobuf out = BUF_INIT;
	int r;

	if (v->redraw && first)
		buf_adds(&out, "\033[2J");
	else if (!v->json && !first)
		buf_adds(&out, v->redraw ? "" : "\n");
	if (v->json)
		stats_rows_json(rows, &out);
	else if (v->redraw)
		draw(rows, &out);
	else
		stats_rows_table(rows, 0, 0, "\n", &out);
	r = fd_write_full(STDOUT_FILENO, out.data, out.len);
	return r < 0 ? err_code(err, r, "stats: write to stdout") : 0;
}

/* Ends early when the terminal changes its size. */
static void nap(int ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static int show(struct stats_view *v, struct err *err)
{
	struct round rounds[2] = { 0 };
	int r = take_round(v, &rounds[1], &rounds[0], err);
	bool more = true;

	for (unsigned int n = 1; r == 0 && more; n++) {
		struct round *now = &rounds[n & 1], *before = &rounds[(n + 1) & 1];

		nap(n == 1 ? v->first : v->interval);
		r = take_round(v, before, now, err);
		/* Nobody is left whom to wait for. */
		more = v->follow && (!v->named || now->all.count);
		if (r == 0 && (more || !v->follow)) {
			struct stats_rows rows = make_rows(now, before, &now->arena);

			r = print(v, &rows, n == 1, err);
		}
	}
	round_done(&rounds[0]);
	round_done(&rounds[1]);
	return r;
}

static void resized(int sig)
{
	(void)sig;
}

static bool can_redraw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

static int set_view(const struct stats_options *o, struct stats_view *v, struct err *err)
{
	const struct sigaction act = { .sa_handler = resized };
	int interval = o->interval ? interval_read(o->interval, err) : DEFAULT_INTERVAL_MS;

	if (interval < 0)
		return err_prefix(err, "stats");
	v->json = o->format && strcmp(o->format, "json") == 0;
	if (o->format && !v->json && strcmp(o->format, "table") != 0)
		return err_set(err, EINVAL, "stats: --format: expected table or json, found \"%s\"",
			       o->format);
	/* A script is given one answer, unless it says how often it wants one. */
	v->follow = !o->no_stream && (o->interval || isatty(STDOUT_FILENO));
	v->redraw = v->follow && !v->json && can_redraw();
	v->interval = interval;
	v->first = (o->interval && !v->follow) || interval < FIRST_MS ? interval : FIRST_MS;
	if (v->redraw)
		sigaction(SIGWINCH, &act, NULL);
	return 0;
}

static int run(char **args, size_t count, void *opts)
{
	struct stats_view v = { .named = count ? args : NULL, .root = -1 };
	struct err err;
	int r = set_view(opts, &v, &err);

	if (r == 0) {
		sample_host_open(&v.host);
		r = show(&v, &err);
		sample_host_close(&v.host);
	}
	cleanup_fd(&v.root);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_stats = { "stats",
				 "[ID...]",
				 "show what containers use, as a table that refreshes or as JSON",
				 &table,
				 0,
				 (size_t)-1,
				 run,
				 sizeof(struct stats_options),
				 0 };
