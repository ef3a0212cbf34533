/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"

#include <stdio.h>
#include <string.h>

static bool same_words(const struct strv *a, const struct strv *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* What somebody would look for first. */
static const char *difference(const struct desired_service *a, const struct desired_service *b)
{
	if (strcmp(a->digest, b->digest) != 0 || strcmp(a->image, b->image) != 0)
		return "image changed";
	if (!same_words(&a->args, &b->args))
		return "command changed";
	if (!same_words(&a->options, &b->options))
		return "options changed";
	return "configuration changed";
}

static struct up_change compare(const struct desired_service *now,
				const struct desired_service *wanted, struct arena *a)
{
	struct up_change c = { "keep", wanted->name, NULL };

	if (!now) {
		c.change = "create";
	} else if (strcmp(now->hash, wanted->hash) != 0) {
		c.change = "replace";
		c.why = difference(now, wanted);
	} else if (now->replicas != wanted->replicas) {
		c.change = "scale";
		c.why = arena_printf(a, "from %u to %u", now->replicas, wanted->replicas);
	} else if (now->stopped) {
		c.change = "start";
	}
	return c;
}

static bool is_meant(const struct strv *services, const char *name)
{
	for_each (s, services)
		if (strcmp(*s, name) == 0)
			return true;
	return !services->count;
}

void up_compare(const struct desired_project *now, const struct desired_project *wanted,
		const struct strv *services, struct arena *a, struct up_changes *ret)
{
	struct up_change *items =
		arena_calloc(a, now->services.count + wanted->services.count + 1, sizeof(*items));
	size_t n = 0;

	for_each (s, &wanted->services)
		if (is_meant(services, s->name))
			items[n++] = compare(desired_find(now, s->name), s, a);
	for_each (s, &now->services)
		if (!services->count && !desired_find(wanted, s->name))
			items[n++] = (struct up_change){ "remove", s->name, "not in the file" };
	*ret = (struct up_changes){ items, n };
}

static char sign_of(const char *change)
{
	static const struct {
		const char *change;
		char sign;
	} signs[] = {
		{ "create", '+' }, { "start", '+' },  { "replace", '~' },
		{ "scale", '~' },  { "remove", '-' }, { "keep", '=' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strcmp(signs[i].change, change) == 0)
			return signs[i].sign;
	return '?';
}

static void print_json(const struct up_change *c)
{
	autobuf line = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &line, false);
	json_begin_object(&w);
	json_pair_string(&w, "change", c->change);
	json_pair_string(&w, "service", c->service);
	if (c->why)
		json_pair_string(&w, "why", c->why);
	json_end_object(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&line));
}

void up_print(const struct up_changes *changes, bool json)
{
	int width = 0;

	for_each (c, changes)
		if ((int)strlen(c->service) > width)
			width = (int)strlen(c->service);
	for_each (c, changes) {
		if (json)
			print_json(c);
		else if (c->why)
			printf("%c %-*s  %-7s  %s\n", sign_of(c->change), width, c->service,
			       c->change, c->why);
		else
			printf("%c %-*s  %s\n", sign_of(c->change), width, c->service, c->change);
	}
}
