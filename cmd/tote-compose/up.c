/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/up.h"
#include "cmd/tote-compose/resolve.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_TIMEOUT_MS 60000
#define WAIT_SECONDS 300
#define WAIT_SECONDS_MAX 86400

struct up_options {
	struct project_options project; /* first: PROJECT_OPTIONS are offsets in it */
	bool dry_run, wait;
	unsigned int wait_timeout;
	const char *replace_order, *format;
};

#define UP(name, letter, kind, member, value, help)                                                \
	{                                                                                          \
		name, letter, kind, offsetof(struct up_options, member), value, help               \
	}

static const struct option items[] = {
	PROJECT_OPTIONS,
	RESOLVE_OPTIONS,
	UP("dry-run", 0, OPT_FLAG, dry_run, NULL, "show what would change, and change nothing"),
	UP("wait", 0, OPT_FLAG, wait, NULL, "until all is up, and healthy where that is asked"),
	UP("wait-timeout", 0, OPT_UINT, wait_timeout, "SECONDS", "the longest wait (default 300)"),
	UP("replace-order", 0, OPT_STRING, replace_order, "ORDER",
	   "of updates: stop-first or start-first (default: as the file says)"),
	UP("format", 0, OPT_STRING, format, "FORMAT", "table (default) or json"),
	{ "detach", 'd', OPT_IGNORED, 0, NULL, "accepted, has no effect" },
	{ "remove-orphans", 0, OPT_IGNORED, 0, NULL, "accepted: it is always so" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* All that one call needs. */
struct up {
	const struct up_options *o;
	struct arena a;
	struct resolution r;
	struct supervise_paths paths;
	struct err *err;
	bool json;
};

static int read_options(struct up *up)
{
	const char *order = up->o->replace_order;

	if (order && strcmp(order, "stop-first") == 0)
		up->r.order = ORDER_STOP_FIRST;
	else if (order && strcmp(order, "start-first") == 0)
		up->r.order = ORDER_START_FIRST;
	else if (order)
		return err_set(up->err, EINVAL,
			       "--replace-order: expected stop-first or start-first, found \"%s\"",
			       order);
	/* Before anything changes. */
	if (up->o->wait_timeout > WAIT_SECONDS_MAX)
		return err_set(up->err, EINVAL, "--wait-timeout: more than a day");
	return check_format(up->o->format, &up->json, up->err);
}

static void write_services(const struct up *up, struct json_writer *w)
{
	if (up->r.t.services.count)
		json_pair_strv(w, "services", &up->r.t.services);
}

static int send_apply(struct up *up, struct control *c, bool dry_run)
{
	autobuf line = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &line, false);
	json_begin_object(&w);
	json_pair_string(&w, "do", "apply");
	json_key(&w, "project");
	desired_write(&up->r.t.project, &w);
	json_pair_bool(&w, "dryRun", dry_run);
	write_services(up, &w);
	json_end_object(&w);
	json_writer_done(&w);
	if (line.len >= CONTROL_MAX_LINE)
		return err_set(up->err, E2BIG, "the project is larger than 4 MiB");
	return control_send(c, buf_str(&line), up->err);
}

static const char *text_of(const struct json_value *v, const char *key)
{
	const struct json_value *member = json_get(v, key);

	return member && member->kind == JSON_STRING ? member->text : NULL;
}

static void add_change(struct up *up, struct up_changes *changes, const struct json_value *v)
{
	const char *change = text_of(v, "change"), *service = text_of(v, "service");
	const char *why = text_of(v, "why");
	struct up_change *bigger;

	if (!change || !service)
		return;
	/* One for each service that is there or wanted: the room doubles. */
	if ((changes->count & (changes->count - 1)) == 0) {
		bigger = arena_calloc(&up->a, changes->count * 2 + 1, sizeof(*bigger));
		if (changes->count)
			memcpy(bigger, changes->items, changes->count * sizeof(*bigger));
		changes->items = bigger;
	}
	changes->items[changes->count++] =
		(struct up_change){ change, service, why && *why ? why : NULL };
}

static int apply(struct up *up, struct control *c, bool dry_run)
{
	struct up_changes changes = { NULL, 0 };
	struct json_value *v = NULL;
	int r = send_apply(up, c, dry_run);

	if (r < 0)
		return r;
	while ((r = control_next(c, ANSWER_TIMEOUT_MS, &up->a, &v, up->err)) > 0)
		add_change(up, &changes, v);
	if (r == 0 && !(dry_run && up->json))
		up_print(&changes, up->json);
	return r;
}

/* Against what is stored; nothing is, as far as somebody may look who is not root. */
static void compare_with_stored(struct up *up)
{
	/* An ordinary user without a session has no place where anything could be stored. */
	const char *path = up->paths.state;
	autofd state = path ? fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY) : -1;
	int r = state >= 0 ? 0 : path ? -errno : -ENOENT;
	struct desired_project now = { 0 };
	struct up_changes changes;
	struct err why;

	if (r == 0)
		r = desired_load(state, up->r.t.project.name, &up->a, &now, &why);
	if (r < 0 && r != -ENOENT)
		log_warning("what runs now is not known: %s", state < 0 ? err_text(r) : why.msg);
	up_compare(&now, &up->r.t.project, &up->r.t.services, &up->a, &changes);
	up_print(&changes, false);
}

static int dry_run(struct up *up)
{
	struct control c;
	struct err why;
	int r;

	if (up->json) {
		resolution_print(&up->r);
		return 0;
	}
	if (up->paths.run && control_open(up->paths.run, &c, &why) == 0) {
		r = apply(up, &c, true);
		control_close(&c);
		return r;
	}
	compare_with_stored(up);
	return 0;
}

static void show_event(const struct json_value *v)
{
	const char *who = text_of(v, "instance"), *detail = text_of(v, "detail");

	if (!who)
		who = text_of(v, "service");
	if (text_of(v, "event"))
		fprintf(stderr, "%s%s%s%s%s\n", who ? who : "", who ? ": " : "",
			text_of(v, "event"), detail ? ": " : "", detail ? detail : "");
}

static int wait_until_up(struct up *up, struct control *c)
{
	unsigned int seconds = up->o->wait_timeout ? up->o->wait_timeout : WAIT_SECONDS;
	autobuf line = BUF_INIT;
	struct json_writer w;
	struct json_value *v = NULL;
	int r;

	json_writer_init(&w, &line, false);
	json_begin_object(&w);
	json_pair_string(&w, "do", "wait");
	json_pair_string(&w, "project", up->r.t.project.name);
	write_services(up, &w);
	json_pair_u64(&w, "timeoutMs", (uint64_t)seconds * 1000);
	json_end_object(&w);
	json_writer_done(&w);
	r = control_send(c, buf_str(&line), up->err);
	/* It keeps the time; a little longer, in case that it is gone. */
	while (r == 0 &&
	       (r = control_next(c, (int)seconds * 1000 + 10000, &up->a, &v, up->err)) > 0) {
		show_event(v);
		r = 0;
	}
	return r;
}

static int come_up(struct up *up)
{
	struct control c;
	int r = up_prepare(&up->r.t, up->paths.state, NULL, &up->r.host, up->err);

	if (r == 0)
		r = up_connect(&up->paths, &c, up->err);
	if (r < 0)
		return r;
	r = apply(up, &c, false);
	control_close(&c);
	if (r < 0 || !up->o->wait)
		return r;
	r = control_open(up->paths.run, &c, up->err);
	if (r < 0)
		return r;
	r = wait_until_up(up, &c);
	control_close(&c);
	return r;
}

/* No cluster is there to move it. */
static void warn_of_addresses(const struct desired_project *p)
{
	for_each (s, &p->services)
		if (s->address)
			log_warning(
				"services.%s: x-tote.address: on a box alone, %s is the host's to "
				"have",
				s->name, s->address);
}

static int run(char **args, size_t count, void *opts)
{
	struct err err;
	struct up up = { .o = opts, .a = ARENA_INIT, .err = &err };
	int r = read_options(&up);

	up.r.o = &up.o->project;
	if (r == 0)
		r = resolve(&up.r, args, count, &up.a, &err);
	if (r == 0) {
		warn_of_addresses(&up.r.t.project);
		r = find_paths(&up.a, &up.paths, &err);
		if (r < 0 && up.o->dry_run)
			r = 0;
	}
	if (r == 0 && !(up.o->dry_run && up.json))
		r = up_check_source(&up.paths, &up.r.t.project, up.r.c.named, &up.a, &err);
	if (r == 0)
		r = up.o->dry_run ? dry_run(&up) : come_up(&up);
	resolution_done(&up.r);
	arena_done(&up.a);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_up = { "up",
			      "[SERVICE...]",
			      "make what a Compose file says run, and keep it running",
			      &table,
			      0,
			      SIZE_MAX,
			      run,
			      sizeof(struct up_options),
			      0 };
