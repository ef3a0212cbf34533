/* SPDX-License-Identifier: Apache-2.0 */
/* `tote config`: what `up` would run, as a document; for people, and for scripts that have something
 * else than our supervisor run it. */
#include "cmd/tote-compose/resolve.h"
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As those of tote-image, for scripts. */
#define EXIT_NO_IMAGE 3
#define EXIT_FULL 5

struct config_options {
	struct project_options project; /* first: PROJECT_OPTIONS are offsets in it */
	bool images, services, quiet, prepare;
	const char *contents, *format;
};

#define CONFIG(name, letter, kind, member, value, help)                                            \
	{                                                                                          \
		name, letter, kind, offsetof(struct config_options, member), value, help           \
	}

static const struct option items[] = {
	PROJECT_OPTIONS,
	RESOLVE_OPTIONS,
	CONFIG("services", 0, OPT_FLAG, services, NULL, "print the names of services"),
	CONFIG("images", 0, OPT_FLAG, images, NULL, "print the names of images, also of missing"),
	CONFIG("quiet", 'q', OPT_FLAG, quiet, NULL, "print nothing: only check"),
	CONFIG("prepare", 0, OPT_FLAG, prepare, NULL,
	       "make networks, directories and contents of secrets, as up does"),
	CONFIG("contents", 0, OPT_STRING, contents, "DIR",
	       "where contents of secrets go (default: up's place)"),
	CONFIG("format", 0, OPT_STRING, format, "FORMAT", "json (default)"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int check_options(const struct config_options *o, struct err *err)
{
	if (o->images + o->services + o->quiet > 1)
		return err_set(err, EINVAL, "one of --images, --services and --quiet");
	if (o->prepare && (o->images || o->services))
		return err_set(err, EINVAL, "--prepare goes with the whole document, or --quiet");
	if (o->contents && !o->prepare)
		return err_set(err, EINVAL, "--contents is for --prepare");
	if (o->format && strcmp(o->format, "json") != 0)
		return err_set(err, EINVAL, "--format: expected json, found \"%s\"", o->format);
	return 0;
}

/* Each once, in the order in which they are needed first. */
static void print_images(const struct desired_project *p)
{
	for_each (s, &p->services) {
		const struct desired_service *first = p->services.items;

		while (strcmp(first->image, s->image) != 0)
			first++;
		if (first == s)
			printf("%s\n", s->image);
	}
}

static void print(const struct config_options *o, const struct resolution *r)
{
	const struct desired_project *p = &r->t.project;

	if (o->images)
		print_images(p);
	else if (!o->services && !o->quiet)
		resolution_print(r);
	for (size_t i = 0; o->services && i < p->services.count; i++)
		printf("%s\n", p->services.items[i].name);
}

static int prepare(const struct config_options *o, const struct resolution *r, struct arena *a,
		   struct err *err)
{
	struct supervise_paths paths = { 0 };
	int result = o->contents ? 0 : find_paths(a, &paths, err);

	return result < 0 ? result : up_prepare(&r->t, paths.state, o->contents, &r->host, err);
}

static int run(char **args, size_t count, void *opts)
{
	const struct config_options *o = opts;
	struct resolution r = { .o = &o->project, .without_images = o->images || o->services };
	autoarena a = ARENA_INIT;
	struct err err;
	int result = check_options(o, &err);

	(void)args;
	(void)count;
	if (result == 0)
		result = resolve(&r, NULL, 0, &a, &err);
	if (result == 0 && o->prepare)
		result = prepare(o, &r, &a, &err);
	if (result == 0)
		print(o, &r);
	resolution_done(&r);
	if (result == 0)
		return 0;
	fail(&err);
	return r.lacks_image				? EXIT_NO_IMAGE
	       : result == -ENOSPC || result == -EDQUOT ? EXIT_FULL
							: 1;
}

const struct verb verb_config = { "config",
				  "",
				  "print what a Compose file says, with everything resolved",
				  &table,
				  0,
				  0,
				  run,
				  sizeof(struct config_options),
				  0 };
