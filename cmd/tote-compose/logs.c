/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/logs.h"

#include "cmd/tote-compose/logs_time.h"
#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* By which the monitor's lines are found in the journal. */
#define JOURNAL_FIELD "CONTAINER_NAME"

struct logs_options {
	struct project_options project;
	bool follow, timestamps, no_prefix;
	const char *since, *until, *tail;
};

#define OPTION(name, letter, kind, member, value, help)                                            \
	{                                                                                          \
		name, letter, kind, offsetof(struct logs_options, member), value, help             \
	}

static const struct option items[] = {
	/* Without its letter: "-f" follows. */
	OPTION("file", 0, OPT_LIST, project.files, "FILE",
	       "the Compose file (default: compose.yaml, here or above)"),
	OPTION("project", 'p', OPT_STRING, project.project, "NAME",
	       "the project's name (default: what the file says)"),
	OPTION("follow", 'f', OPT_FLAG, follow, NULL, "go on with what is written from now on"),
	OPTION("since", 0, OPT_STRING, since, "TIME",
	       "not before: 10m (ago), 2025-03-01T12:00:00Z"),
	OPTION("until", 0, OPT_STRING, until, "TIME", "not after"),
	OPTION("tail", 'n', OPT_STRING, tail, "N", "only the last N lines of each, or all"),
	OPTION("timestamps", 't', OPT_FLAG, timestamps, NULL, "print each line's time"),
	OPTION("no-prefix", 0, OPT_FLAG, no_prefix, NULL, "print lines without the service"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int read_tail(const char *text, uint64_t *ret, struct err *err)
{
	const char *p = text;

	*ret = UINT64_MAX;
	if (!text || strcmp(text, "all") == 0)
		return 0;
	if (*p < '0' || *p > '9' || !number_scan(&p, ret) || *p)
		return err_set(err, EINVAL, "--tail: expected a number or all, found \"%s\"", text);
	return 0;
}

static int read_range(const struct logs_options *o, struct logs_range *ret, struct err *err)
{
	struct timespec t;
	int64_t now;
	int r;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	*ret = (struct logs_range){ INT64_MIN, INT64_MAX, UINT64_MAX };
	r = read_tail(o->tail, &ret->tail, err);
	if (r == 0 && o->since)
		r = logs_time_read("--since", o->since, now, &ret->since, err);
	if (r == 0 && o->until)
		r = logs_time_read("--until", o->until, now, &ret->until, err);
	if (r == 0 && o->until && o->follow)
		r = err_set(err, EINVAL, "--until: not with --follow");
	return r;
}

/* A word may be the name of one replica. */
static const struct desired_service *service_of(const struct client *c, const char *word)
{
	const struct desired_service *s = desired_find(&c->project, word);
	const char *dash = strrchr(word, '-');
	autoarena a = ARENA_INIT;

	if (s || !dash || !dash[1] || dash[1 + strspn(dash + 1, "0123456789")])
		return s;
	return desired_find(&c->project, arena_strndup(&a, word, (size_t)(dash - word)));
}

/* Which of those that are meant log where. */
struct places {
	bool files;
	struct strv journal, none; /* names */
};

static void add_place(struct places *p, const struct desired_service *s)
{
	if (s->log.driver == LOG_JOURNALD)
		p->journal.items[p->journal.count++] = s->name;
	else if (s->log.driver == LOG_NONE)
		p->none.items[p->none.count++] = s->name;
	else
		p->files = true;
}

static int find_places(struct client *c, char **words, size_t count, struct places *ret,
		       struct err *err)
{
	size_t most = c->project.services.count + count + 1;

	ret->journal.items = arena_calloc(&c->memory, most, sizeof(char *));
	ret->none.items = arena_calloc(&c->memory, most, sizeof(char *));
	for (char **word = words; *word; word++) {
		const struct desired_service *s = service_of(c, *word);

		if (!s)
			return err_set(err, CLIENT_NO_SUCH, "no such service: %s of project %s",
				       *word, c->name);
		add_place(ret, s);
	}
	if (!*words)
		for_each (s, &c->project.services)
			add_place(ret, s);
	return 0;
}

static void add_word(struct strv *w, const char *word)
{
	w->items[w->count++] = (char *)word;
}

static void add_time(struct client *c, struct strv *w, const char *option, int64_t ns, int64_t none)
{
	if (ns != none)
		add_word(w, arena_printf(&c->memory, "--%s=@%lld", option,
					 (long long)(ns / 1000000000)));
}

/* The monitor names the instance; both that an update alternates between. */
static void add_matches(struct client *c, struct strv *w, const char *service, uint32_t replicas)
{
	for (uint32_t n = 1; n <= replicas; n++)
		for (int second = 0; second < 2; second++)
			add_word(w, arena_printf(&c->memory, "%s=%s", JOURNAL_FIELD,
						 instance_name(c->name, service, n, second,
							       &c->memory)));
}

static void journal_words(struct client *c, const struct logs_options *o, const struct places *p,
			  const struct logs_range *range, struct strv *ret)
{
	size_t most = 16;

	for_each (name, &p->journal)
		most += 2 * (size_t)desired_find(&c->project, *name)->replicas;
	ret->items = arena_calloc(&c->memory, most, sizeof(char *));
	ret->count = 0;
	add_word(ret, "journalctl");
	add_word(ret, "--no-pager");
	add_word(ret, o->timestamps  ? "--output=short-iso-precise"
		      : o->no_prefix ? "--output=cat"
				     : "--output=short");
	if (o->follow)
		add_word(ret, "--follow");
	if (range->tail != UINT64_MAX)
		add_word(ret, arena_printf(&c->memory, "--lines=%s", o->tail));
	else if (o->follow)
		add_word(ret, "--lines=all");
	add_time(c, ret, "since", range->since, INT64_MIN);
	add_time(c, ret, "until", range->until, INT64_MAX);
	for_each (name, &p->journal)
		add_matches(c, ret, *name, desired_find(&c->project, *name)->replicas);
}

/* Returns only when it could not be executed. */
static int show_journal(struct client *c, const struct logs_options *o, const struct places *p,
			const struct logs_range *range, struct err *err)
{
	struct strv words;

	journal_words(c, o, p, range, &words);
	execvp(words.items[0], words.items);
	return err_errno(err, "%s logs to the journal: execute journalctl", p->journal.items[0]);
}

static int show_files(struct client *c, const struct logs_options *o, char **words,
		      const struct logs_range *range, struct err *err)
{
	struct logs_view v = {
		.project = c->name,
		.dir = arena_printf(&c->memory, "%s/%s", c->paths.log, c->name),
		.services = words,
		.range = *range,
		.follow = o->follow,
		.timestamps = o->timestamps,
		.prefix = !o->no_prefix,
	};

	return logs_show(&v, err);
}

static void warn_elsewhere(const struct places *p)
{
	for_each (name, &p->none)
		log_warning("%s logs nothing (logging driver none)", *name);
	for_each (name, &p->journal)
		log_warning("%s logs to the journal: left out (tote logs %s alone shows it)", *name,
			    *name);
}

/* A project that is down has its files still. */
static bool has_files(struct client *c)
{
	return c->name && c->paths.log &&
	       access(arena_printf(&c->memory, "%s/%s", c->paths.log, c->name), F_OK) == 0;
}

static int run(char **args, size_t count, void *opts)
{
	const struct logs_options *o = opts;
	struct places places = { .files = true };
	struct logs_range range;
	autoclient c = CLIENT_INIT;
	struct err err;
	int r = read_range(o, &range, &err);

	if (r == 0)
		r = client_find(&c, &o->project, false, &err);
	if (r == -CLIENT_NO_SUCH && has_files(&c)) {
		r = 0;
	} else if (r == 0) {
		places.files = false;
		r = find_places(&c, args, count, &places, &err);
	}
	if (r == 0 && !places.files && places.journal.count)
		r = show_journal(&c, o, &places, &range, &err);
	if (r == 0)
		warn_elsewhere(&places);
	if (r == 0 && places.files)
		r = show_files(&c, o, args, &range, &err);
	return r < 0 ? client_fail(&err) : 0;
}

const struct verb verb_logs = { "logs",
				"[SERVICE...]",
				"print what services have written",
				&table,
				0,
				SIZE_MAX,
				run,
				sizeof(struct logs_options),
				0 };
