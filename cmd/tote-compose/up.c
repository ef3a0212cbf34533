/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
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
	PROJECT_OPTION("env-file", 0, OPT_LIST, env_files, "FILE",
		       "variables (default: .env beside the Compose file)"),
	PROJECT_OPTION("profile", 0, OPT_LIST, profiles, "NAME",
		       "services of this profile as well"),
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
	struct surroundings host;
	struct composition c;
	struct compose_file file;
	struct translation t;
	struct supervise_paths paths;
	struct err *err;
	int order; /* enum replace_order */
	bool json;
};

static int read_options(struct up *up)
{
	const char *order = up->o->replace_order;

	if (order && strcmp(order, "stop-first") == 0)
		up->order = ORDER_STOP_FIRST;
	else if (order && strcmp(order, "start-first") == 0)
		up->order = ORDER_START_FIRST;
	else if (order)
		return err_set(up->err, EINVAL,
			       "--replace-order: expected stop-first or start-first, found \"%s\"",
			       order);
	/* Before anything changes. */
	if (up->o->wait_timeout > WAIT_SECONDS_MAX)
		return err_set(up->err, EINVAL, "--wait-timeout: more than a day");
	return check_format(up->o->format, &up->json, up->err);
}

static int read_project(struct up *up, char **services, size_t count)
{
	struct translate_options o = { .order = up->order, .rootless = globals.rootless };
	int r = load_files(&up->o->project, &up->a, &up->c, up->err);

	if (r == 0)
		r = load_name(&up->o->project, &up->a, &up->c, up->err);
	if (r == 0)
		r = load_model(&up->c, &up->a, &up->file, up->err);
	if (r == 0)
		r = host_open(&up->a, &up->host, up->err);
	if (r < 0)
		return r;
	for_each (name, &up->c.missing)
		log_warning("the variable %s is not set: it is taken as empty", *name);
	o.project = up->c.project;
	o.source = up->c.root->file;
	o.directory = up->c.directory;
	o.home = variables_get(&up->c.variables, "HOME");
	o.variables = &up->c.variables;
	o.profiles = load_profiles(&up->o->project, &up->c, &up->a);
	o.services = (struct strv){ services, count };
	r = translate(&up->file, &o, &up->host, &up->a, &up->t, up->err);
	for (size_t i = 0; r == 0 && i < up->t.warnings.count; i++)
		log_warning("%s", up->t.warnings.items[i]);
	if (r == 0 && strcmp(up->c.files.items[0], "-") == 0)
		up->t.project.source = (char *)"stdin";
	else if (r == 0) /* from wherever it is looked at later */
		up->t.project.source =
			arena_printf(&up->a, "%s/%s", up->c.directory,
				     basename(arena_strdup(&up->a, up->c.files.items[0])));
	return r;
}

static void write_services(const struct up *up, struct json_writer *w)
{
	if (up->t.services.count)
		json_pair_strv(w, "services", &up->t.services);
}

static int send_apply(struct up *up, struct control *c, bool dry_run)
{
	autobuf line = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &line, false);
	json_begin_object(&w);
	json_pair_string(&w, "do", "apply");
	json_key(&w, "project");
	desired_write(&up->t.project, &w);
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

static void print_project(const struct up *up)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, true);
	desired_write(&up->t.project, &w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&text));
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
		r = desired_load(state, up->t.project.name, &up->a, &now, &why);
	if (r < 0 && r != -ENOENT)
		log_warning("what runs now is not known: %s", state < 0 ? err_text(r) : why.msg);
	up_compare(&now, &up->t.project, &up->t.services, &up->a, &changes);
	up_print(&changes, false);
}

static int dry_run(struct up *up)
{
	struct control c;
	struct err why;
	int r;

	if (up->json) {
		print_project(up);
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
	json_pair_string(&w, "project", up->t.project.name);
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
	int r = up_prepare(&up->t, &up->paths, &up->host, up->err);

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

static int run(char **args, size_t count, void *opts)
{
	struct err err;
	struct up up = { .o = opts, .a = ARENA_INIT, .err = &err };
	int r = read_options(&up);

	if (r == 0)
		r = read_project(&up, args, count);
	if (r == 0) {
		r = find_paths(&up.a, &up.paths, &err);
		if (r < 0 && up.o->dry_run)
			r = 0;
	}
	if (r == 0)
		r = up.o->dry_run ? dry_run(&up) : come_up(&up);
	host_close(&up.host);
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
