/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/status.h"

#include "lib/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROJECT, SERVICE, INSTANCE, WANTED, STATE, HEALTH, RESTARTS, UPTIME, WHY, COLUMNS };

static const char *const titles[COLUMNS] = { "PROJECT", "SERVICE",  "INSTANCE", "WANTED", "STATE",
					     "HEALTH",	"RESTARTS", "UPTIME",	"WHY" };

#define GOOD "\033[32m"
#define BAD "\033[31m"
#define NEUTRAL "\033[m"

struct row {
	const char *cells[COLUMNS];
	bool good;
};

struct rows {
	struct row *items;
	size_t count;
};

/* "" when it is none. */
static const char *text_of(const struct json_value *v, const char *key)
{
	const struct json_value *member = json_get(v, key);

	return member && member->kind == JSON_STRING ? member->text : "";
}

static const struct json_value *first_of(const struct json_value *v, const char *key)
{
	const struct json_value *member = json_get(v, key);

	return member && member->kind == JSON_ARRAY ? member->first : NULL;
}

static long long number_of(const struct json_value *v, const char *key)
{
	const struct json_value *member = json_get(v, key);

	return member && member->kind == JSON_NUMBER ? strtoll(member->text, NULL, 10) : 0;
}

static bool true_of(const struct json_value *v, const char *key)
{
	const struct json_value *member = json_get(v, key);

	return member && member->kind == JSON_BOOL && member->boolean;
}

static bool among(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/* What is wanted decides what is good; words that say why it is not speak for themselves. */
static bool instance_good(const struct json_value *service, const struct json_value *i)
{
	static const char *const up[] = { "running", "completed", NULL };
	static const char *const ready[] = { "running", "created", "frozen", NULL };
	static const char *const down[] = { "stopped", "completed", "failed", "absent", NULL };
	static const char *const well[] = { "", "none", "healthy", NULL };
	const char *wanted = text_of(service, "wanted"), *state = text_of(i, "state");

	if (strcmp(wanted, "stopped") == 0)
		return among(state, down);
	if (*text_of(i, "why") || true_of(i, "degraded") || !among(text_of(i, "health"), well))
		return false;
	if (strcmp(wanted, "on demand") == 0)
		return among(state, ready);
	return strcmp(wanted, "running") == 0 && among(state, up);
}

static bool service_good(const struct json_value *service)
{
	const struct json_value *i = first_of(service, "instances");

	if (*text_of(service, "why") || (!i && strcmp(text_of(service, "wanted"), "stopped") != 0 &&
					 number_of(service, "replicas") > 0))
		return false;
	for (; i; i = i->next)
		if (!instance_good(service, i))
			return false;
	return true;
}

bool status_good(const struct json_value *projects)
{
	for (const struct json_value *p = projects->first; p; p = p->next) {
		if (*text_of(p, "trouble"))
			return false;
		for (const struct json_value *s = first_of(p, "services"); s; s = s->next)
			if (!service_good(s))
				return false;
	}
	return true;
}

/* The two largest units that there are: "3d4h", "5m12s". */
static const char *uptime_text(const struct json_value *instance, struct arena *a)
{
	static const struct {
		const char *name;
		long long seconds;
	} units[] = { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };
	long long left = number_of(instance, "uptimeMs") / 1000;
	const struct json_value *v = json_get(instance, "uptimeMs");

	if (!v || v->kind != JSON_NUMBER || left < 0)
		return "-";
	for (size_t n = 0; n + 1 < ARRAY_SIZE(units); n++)
		if (left >= units[n].seconds)
			return arena_printf(
				a, "%lld%s%lld%s", left / units[n].seconds, units[n].name,
				left % units[n].seconds / units[n + 1].seconds, units[n + 1].name);
	return arena_printf(a, "%llds", left);
}

/* Words may be a container's own: nothing of them moves the cursor. */
static const char *clean(const char *text, struct arena *a)
{
	char *copy;

	if (!*text)
		return "-";
	copy = arena_strdup(a, text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return copy;
}

/* Nothing is wrong with the service then, but somebody should know. */
static const char *lost_text(const struct json_value *instance, struct arena *a)
{
	long long lost = number_of(instance, "logDropped");

	return lost > 0 ? arena_printf(a, "%lld KiB of its log are lost: disk full, or no journal",
				       (lost + 1023) / 1024)
			: "";
}

static const char *why_of(const struct json_value *service, const struct json_value *instance,
			  struct arena *a)
{
	const char *words[] = { text_of(instance, "why"),	text_of(service, "why"),
				text_of(instance, "healthWhy"), text_of(instance, "note"),
				text_of(service, "note"),	lost_text(instance, a) };

	for (size_t n = 0; n < ARRAY_SIZE(words); n++)
		if (*words[n])
			return words[n];
	return "";
}

static const char *state_of(const struct json_value *service, const struct json_value *instance)
{
	const char *state = text_of(instance, "state");

	return *state ? state : text_of(service, "state");
}

/* instance: NULL for a service without any. */
static void add_row(struct rows *rows, const struct json_value *project,
		    const struct json_value *service, const struct json_value *instance,
		    struct arena *a)
{
	struct row *row = &rows->items[rows->count++];

	row->good = instance ? instance_good(service, instance) : service_good(service);
	row->cells[PROJECT] = clean(text_of(project, "name"), a);
	row->cells[SERVICE] = clean(text_of(service, "name"), a);
	row->cells[INSTANCE] = clean(text_of(instance, "name"), a);
	row->cells[WANTED] = clean(text_of(service, "wanted"), a);
	row->cells[STATE] = clean(state_of(service, instance), a);
	row->cells[HEALTH] = clean(text_of(instance, "health"), a);
	row->cells[RESTARTS] = arena_printf(a, "%lld", number_of(instance, "restarts"));
	row->cells[UPTIME] = uptime_text(instance, a);
	row->cells[WHY] = clean(why_of(service, instance, a), a);
}

/* Calls each for every instance, and for every service without one. */
static void walk(const struct json_value *projects,
		 void (*each)(void *arg, const struct json_value *p, const struct json_value *s,
			      const struct json_value *i),
		 void *arg)
{
	for (const struct json_value *p = projects->first; p; p = p->next)
		for (const struct json_value *s = first_of(p, "services"); s; s = s->next) {
			const struct json_value *i = first_of(s, "instances");

			if (!i)
				each(arg, p, s, NULL);
			for (; i; i = i->next)
				each(arg, p, s, i);
		}
}

struct collect {
	struct rows rows;
	struct arena memory;
};

static void count_one(void *arg, const struct json_value *p, const struct json_value *s,
		      const struct json_value *i)
{
	(void)p;
	(void)s;
	(void)i;
	++*(size_t *)arg;
}

static void collect_one(void *arg, const struct json_value *p, const struct json_value *s,
			const struct json_value *i)
{
	struct collect *c = arg;

	add_row(&c->rows, p, s, i, &c->memory);
}

static void print_row(const char *const *cells, const int *widths, const char *colour)
{
	for (int n = 0; n < COLUMNS - 1; n++)
		printf("%s%-*s%s  ", n == STATE ? colour : "", widths[n], cells[n],
		       n == STATE && *colour ? NEUTRAL : "");
	printf("%s\n", cells[WHY]);
}

void status_print_table(const struct json_value *projects, bool colour)
{
	struct collect c = { .memory = ARENA_INIT };
	int widths[COLUMNS];
	size_t count = 0;

	walk(projects, count_one, &count);
	c.rows.items = arena_calloc(&c.memory, count + 1, sizeof(*c.rows.items));
	walk(projects, collect_one, &c);
	for (int n = 0; n < COLUMNS; n++) {
		widths[n] = (int)strlen(titles[n]);
		for_each (row, &c.rows)
			if (widths[n] < (int)strlen(row->cells[n]))
				widths[n] = (int)strlen(row->cells[n]);
	}
	print_row(titles, widths, "");
	for_each (row, &c.rows)
		print_row(row->cells, widths, !colour ? "" : row->good ? GOOD : BAD);
	arena_done(&c.memory);
}

static void print_name(void *arg, const struct json_value *p, const struct json_value *s,
		       const struct json_value *i)
{
	(void)arg;
	(void)p;
	(void)s;
	if (i)
		printf("%s\n", text_of(i, "name"));
}

void status_print_names(const struct json_value *projects)
{
	walk(projects, print_name, NULL);
}

void status_print_json(const struct json_value *supervisor, const struct json_value *projects)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_key(&w, "supervisor");
	if (supervisor)
		json_put_value(&w, supervisor);
	else
		json_put_null(&w);
	json_pair_bool(&w, "good", status_good(projects));
	json_key(&w, "projects");
	json_put_value(&w, projects);
	json_end_object(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&text));
}
