/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tote events --all`, which cmd/tote/events.c hands on: what the supervisor has done and seen. Those
 * of one container, with statistics, are tote's own.
 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct events_options {
	const char *project, *format;
	bool all, follow;
};

static const struct option items[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct events_options, all), NULL,
	  "of all services (default)" },
	{ "project", 'p', OPT_STRING, offsetof(struct events_options, project), "NAME",
	  "of this project only" },
	{ "follow", 0, OPT_FLAG, offsetof(struct events_options, follow), NULL,
	  "go on with what happens from now on" },
	{ "format", 0, OPT_STRING, offsetof(struct events_options, format), "FORMAT",
	  "json (default)" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int check(const struct events_options *o, struct err *err)
{
	if (o->format && strcmp(o->format, "json") != 0)
		return err_set(err, EINVAL, "--format: expected json, found \"%s\"", o->format);
	return 0;
}

static bool wanted(const struct json_value *event, const char *project)
{
	const struct json_value *of = json_get(event, "project");

	if (!json_get(event, "event"))
		return false;
	return !project || (of && of->kind == JSON_STRING && strcmp(of->text, project) == 0);
}

static void print(const struct json_value *event)
{
	autobuf line = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &line, false);
	json_put_value(&w, event);
	json_writer_done(&w);
	printf("%s\n", buf_str(&line));
	fflush(stdout);
}

/* The supervisor ends what is not followed. */
static int print_all(struct control *control, const struct events_options *o, struct err *err)
{
	int r;

	do {
		struct json_value *event = NULL;
		autoarena a = ARENA_INIT;

		r = control_next(control, -1, &a, &event, err);
		if (r > 0 && wanted(event, o->project))
			print(event);
	} while (r > 0 && !ferror(stdout));
	return r < 0 ? r : 0;
}

static int run(char **args, size_t count, void *opts)
{
	const struct events_options *o = opts;
	struct control control;
	autoclient c = CLIENT_INIT;
	struct err err;
	int r = check(o, &err);

	(void)args;
	(void)count;
	if (r == 0)
		r = find_paths(&c.memory, &c.paths, &err);
	if (r == 0)
		r = client_connect(&c, &control, &err);
	if (r < 0)
		return client_fail(&err);
	r = control_send(&control,
			 o->follow ? "{\"do\":\"events\",\"follow\":true}"
				   : "{\"do\":\"events\",\"follow\":false}",
			 &err);
	if (r == 0)
		r = print_all(&control, o, &err);
	control_close(&control);
	return r < 0 ? client_fail(&err) : 0;
}

const struct verb verb_events = { "events",
				  "",
				  "print what happens to services as JSON lines",
				  &table,
				  0,
				  0,
				  run,
				  sizeof(struct events_options),
				  0 };
