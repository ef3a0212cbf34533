/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/status.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* It answers from memory. */
#define ANSWER_MS 10000

struct status_options {
	struct project_options project;
	const char *format;
	bool quiet;
};

static const struct option items[] = {
	PROJECT_OPTIONS,
	{ "format", 0, OPT_STRING, offsetof(struct status_options, format), "FORMAT",
	  "table (default) or json" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct status_options, quiet), NULL,
	  "print the names of instances only" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* A long answer comes in several lines: the projects of those before it go in front of its own. */
static bool take_projects(const struct json_value *before, const struct json_value *answer)
{
	struct json_value *all = before ? (struct json_value *)json_get(before, "projects") : NULL;
	struct json_value *ours = (struct json_value *)json_get(answer, "projects"), **link;

	if (!ours || ours->kind != JSON_ARRAY)
		return false;
	if (!all)
		return true;
	for (link = &all->first; *link;)
		link = &(*link)->next;
	*link = ours->first;
	ours->first = all->first;
	ours->count += all->count;
	return true;
}

static int ask(const struct client *c, struct arena *a, struct json_value **ret, struct err *err)
{
	struct json_value *answer = NULL, *before = NULL;
	struct control control;
	int r = client_connect(c, &control, err);

	if (r < 0)
		return r;
	r = control_send(&control, "{\"do\":\"status\"}", err);
	for (bool more = r == 0; more; more = r > 0) {
		r = control_next(&control, ANSWER_MS, a, &answer, err);
		if (r >= 0 && !take_projects(before, answer))
			r = err_set(err, EPROTO, "the supervisor's answer has no projects");
		before = answer;
	}
	control_close(&control);
	if (r == 0)
		*ret = answer;
	return r;
}

static const char *name_of(const struct json_value *v)
{
	const struct json_value *name = json_get(v, "name");

	return name && name->kind == JSON_STRING ? name->text : "";
}

static bool is_one_of(const char *name, char **names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Leaves the members of an array that have one of the names. */
static void keep(struct json_value *array, char **names)
{
	struct json_value **link = &array->first;

	while (*link) {
		if (is_one_of(name_of(*link), names)) {
			link = &(*link)->next;
		} else {
			*link = (*link)->next;
			array->count--;
		}
	}
}

/* The project that is meant, and of it the services, if there are words. */
static int choose(struct json_value *projects, const struct client *c, char **services,
		  struct err *err)
{
	char *names[] = { c->name, NULL };
	struct json_value *list;

	if (!c->name)
		return 0;
	keep(projects, names);
	if (!projects->count)
		return err_set(err, CLIENT_NO_SUCH, "no such project: %s", c->name);
	list = (struct json_value *)json_get(projects->first, "services");
	if (*services && list && list->kind == JSON_ARRAY)
		keep(list, services);
	return 0;
}

static void print(const struct json_value *supervisor, const struct json_value *projects,
		  const struct status_options *o, bool json)
{
	const char *plain = getenv("NO_COLOR");

	if (json)
		status_print_json(supervisor, projects);
	else if (o->quiet)
		status_print_names(projects);
	else
		status_print_table(projects, isatty(STDOUT_FILENO) && !(plain && *plain));
}

/* What keeps the supervisor itself from its work. */
static bool has_trouble(const struct json_value *of)
{
	const struct json_value *words = of ? json_get(of, "trouble") : NULL;

	if (!words || words->kind != JSON_STRING || !*words->text)
		return false;
	log_warning("%s", words->text);
	return true;
}

static bool any_trouble(const struct json_value *supervisor, const struct json_value *projects)
{
	bool any = has_trouble(supervisor);

	for (const struct json_value *p = projects ? projects->first : NULL; p && !any; p = p->next)
		any = has_trouble(p);
	return any;
}

static int run(char **args, size_t count, void *opts)
{
	const struct status_options *o = opts;
	struct json_value *document = NULL, *projects = NULL;
	autoclient c = CLIENT_INIT;
	bool json, alone = false;
	struct err err;
	int r = check_format(o->format, &json, &err);

	if (r == 0)
		r = client_find(&c, &o->project, !count, &err);
	if (r == 0 && count)
		r = client_check_services(&c, args, &err);
	if (r == 0)
		r = ask(&c, &c.memory, &document, &err);
	if (r == -ECONNREFUSED) {
		alone = true;
		log_warning("%s: this is what the files say", err.msg);
		r = status_read(&c, c.name, &c.memory, &document, &err);
	}
	if (r == 0) {
		projects = (struct json_value *)json_get(document, "projects");
		r = choose(projects, &c, args, &err);
	}
	if (r < 0)
		return client_fail(&err);
	print(alone ? NULL : json_get(document, "supervisor"), projects, o, json);
	if (alone)
		return EXIT_NO_SUPERVISOR;
	if (any_trouble(json_get(document, "supervisor"), projects))
		return EXIT_NOT_UP;
	return status_good(projects) ? 0 : EXIT_NOT_UP;
}

const struct verb verb_status = { "status",
				  "[SERVICE...]",
				  "show what services should be and what they are",
				  &table,
				  0,
				  SIZE_MAX,
				  run,
				  sizeof(struct status_options),
				  0 };
