/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of oci/supervise/control.h, one function each. */
#include "cmd/tote-supervise/apply.h"
#include "cmd/tote-supervise/instance_record.h"
#include "cmd/tote-supervise/model.h"
#include "cmd/tote-supervise/server.h"

#include "lib/cleanup.h"
#include "oci/supervise/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const struct json_value *root, const char *key)
{
	const struct json_value *v = json_get(root, key);

	return v && v->kind == JSON_STRING ? v->text : NULL;
}

static bool is_true(const struct json_value *root, const char *key)
{
	const struct json_value *v = json_get(root, key);

	return v && v->kind == JSON_BOOL && v->boolean;
}

/* -EINVAL: no list of strings. */
static int services_of(const struct json_value *root, struct arena *a, struct strv *ret)
{
	const struct json_value *v = json_get(root, "services");

	*ret = (struct strv){ 0 };
	if (!v || v->kind == JSON_NULL)
		return 0;
	if (v->kind != JSON_ARRAY)
		return -EINVAL;
	ret->items = arena_calloc(a, v->count + 1, sizeof(*ret->items));
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (m->kind != JSON_STRING)
			return -EINVAL;
		ret->items[ret->count++] = m->text;
	}
	return 0;
}

static bool is_named(const struct strv *names, const char *name)
{
	for (size_t n = 0; n < names->count; n++)
		if (strcmp(names->items[n], name) == 0)
			return true;
	return !names->count;
}

/* The project that a request names, with the services in it: answers when something is missing. */
static struct project *find(struct client *c, const struct json_value *root,
			    const struct strv *names)
{
	const char *name = text_of(root, "project");
	struct project *p = name ? project_find(c->sup, name) : NULL;

	if (!p) {
		client_fail(c, "no such project: %s", name ? name : "none was named");
		return NULL;
	}
	for (size_t n = 0; n < names->count; n++)
		if (!service_find(p, names->items[n])) {
			client_fail(c, "no such service: %s", names->items[n]);
			return NULL;
		}
	if (p->damaged) {
		client_fail(c, "%s: its description on disk cannot be read", name);
		return NULL;
	}
	return p;
}

static void await(struct client *c, enum await what, const char *project, const struct strv *names)
{
	c->await = what;
	free(c->project);
	c->project = strdup(project);
	for (size_t n = 0; n < c->services.count; n++)
		free(c->services.items[n]);
	free(c->services.items);
	c->services.count = 0;
	c->services.items = calloc(names->count + 1, sizeof(*c->services.items));
	if (!c->project || !c->services.items)
		_exit(255);
	for (size_t n = 0; n < names->count; n++)
		c->services.items[c->services.count++] = strdup(names->items[n]);
	/* Also answered when nothing has to be done. */
	supervisor_settle(c->sup);
}

static void late(struct loop_timer *timer)
{
	struct client *c = container_of(timer, struct client, timer);
	struct project *p = project_find(c->sup, c->project);
	char why[300] = "";

	if (!p) {
		request_check(c);
		return;
	}
	for_list (s, &p->services, struct service, link)
		for_list (i, &s->instances, struct instance, link)
			if (is_named(&c->services, s->name) && !why[0]) {
				char words[256];

				instance_why(i, loop_now(), words, sizeof(words));
				if (words[0])
					snprintf(why, sizeof(why), ": %s %s", i->name, words);
			}
	client_fail(c, "not up in time%s", why);
}

/* One that is as it should be: 1; not yet: 0; never: -1 with words. */
static int is_up(const struct instance *i, char *why, size_t size)
{
	const struct instance_exit *e = instance_record_last(&i->record);
	int64_t due;
	bool done = i->phase == PHASE_REST &&
		    (i->decision.reason == REASON_DONE || i->decision.reason == REASON_GIVEN_UP);

	if (i->want == WANT_GONE || i->want == WANT_REST)
		return i->want == WANT_REST;
	if (i->phase == PHASE_IDLE || (done && e && e->code == 0))
		return 1;
	if (done || (i->record.degraded && i->phase == PHASE_REST)) {
		instance_why(i, loop_now(), why, size);
		return -1;
	}
	if (i->phase != PHASE_RUNNING || !i->made || i->run <= i->record.again)
		return 0;
	/* What fell before has to prove itself; the timer of its next try looks again. */
	if (i->made->health.kind == HEALTH_NONE)
		return !i->record.failures || instance_good(i, loop_now(), &due);
	return i->health_state == HEALTH_STATE_HEALTHY;
}

static int service_up(const struct service *s, char *why, size_t size)
{
	uint32_t count = 0;

	if (s->note[0]) {
		snprintf(why, size, "%s", s->note);
		return -1;
	}
	for_list (i, &s->instances, struct instance, link) {
		int r = is_up(i, why, size);

		if (r < 0)
			return r;
		count += r > 0;
	}
	return s->want && (s->want->stopped || (count >= s->want->replicas && !s->updating));
}

static void check_up(struct client *c, struct project *p)
{
	for_list (s, &p->services, struct service, link) {
		char why[500] = "";
		int r;

		if (!s->want || !is_named(&c->services, s->name))
			continue;
		r = service_up(s, why, sizeof(why));
		if (r < 0)
			client_fail(c, "%s: %s", s->name, why);
		if (r <= 0)
			return;
	}
	client_done(c);
}

static bool rests(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link)
		if (i->phase != PHASE_REST && i->phase != PHASE_ABSENT)
			return false;
	return true;
}

/* restart is answered when each has begun its next run; whether that is well is for "wait". */
static bool restarted(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link)
		if (i->run && i->run <= i->record.again && i->want == WANT_RUN)
			return false;
	return true;
}

void request_check(struct client *c)
{
	struct project *p = project_find(c->sup, c->project);

	if (!p && c->await == AWAIT_GONE) {
		client_done(c);
		return;
	}
	if (!p) {
		client_fail(c, "no such project: %s", c->project);
		return;
	}
	if (c->await == AWAIT_UP) {
		check_up(c, p);
		return;
	}
	for_list (s, &p->services, struct service, link) {
		if (!is_named(&c->services, s->name))
			continue;
		if (c->await == AWAIT_GONE || (c->await == AWAIT_STOPPED && !rests(s)) ||
		    (c->await == AWAIT_RESTARTED && !restarted(s)))
			return;
	}
	client_done(c);
}

static void ask_apply(struct client *c, const struct json_value *root, const struct strv *names,
		      struct arena *a)
{
	const struct json_value *v = json_get(root, "project");
	struct change_list changes = { 0 };
	struct err err;
	int r;

	if (!v || v->kind != JSON_OBJECT) {
		client_fail(c, "apply: project: expected an object");
		return;
	}
	r = apply(c->sup, v, names, is_true(root, "dryRun"), a, &changes, &err);
	for (size_t n = 0; r == 0 && n < changes.count; n++) {
		autobuf out = BUF_INIT;
		struct json_writer w;

		json_writer_init(&w, &out, false);
		json_begin_object(&w);
		json_pair_string(&w, "change", changes.items[n].change);
		json_pair_string(&w, "service", changes.items[n].service);
		json_pair_string(&w, "why", changes.items[n].why);
		json_end_object(&w);
		json_writer_done(&w);
		client_line(c, out.data);
	}
	if (r < 0)
		client_fail(c, "%s", err.msg);
	else
		client_done(c);
}

static void ask_wait(struct client *c, const struct json_value *root, const struct strv *names,
		     struct arena *a)
{
	const struct json_value *timeout = json_get(root, "timeoutMs");
	struct project *p = find(c, root, names);
	int64_t ms = timeout && timeout->kind == JSON_NUMBER ? strtoll(timeout->text, NULL, 10) : 0;

	(void)a;
	if (!p)
		return;
	await(c, AWAIT_UP, p->name, names);
	if (ms > 0)
		loop_timer_set(&c->sup->loop, &c->timer, ms, late);
}

static void ask_stop(struct client *c, const struct json_value *root, const struct strv *names,
		     struct arena *a)
{
	struct project *p = find(c, root, names);
	struct err err;

	(void)a;
	if (!p)
		return;
	if (set_stopped(p, names, true, &err) < 0)
		client_fail(c, "%s", err.msg);
	else
		await(c, AWAIT_STOPPED, p->name, names);
}

static void ask_restart(struct client *c, const struct json_value *root, const struct strv *names,
			struct arena *a)
{
	struct project *p = find(c, root, names);
	struct err err;

	(void)a;
	if (!p)
		return;
	if (set_stopped(p, names, false, &err) < 0) {
		client_fail(c, "%s", err.msg);
		return;
	}
	for_list (s, &p->services, struct service, link)
		if (s->want && is_named(names, s->name))
			service_again(s);
	await(c, AWAIT_RESTARTED, p->name, names);
}

static void ask_down(struct client *c, const struct json_value *root, const struct strv *names,
		     struct arena *a)
{
	const char *name = text_of(root, "project");
	struct project *p = name ? project_find(c->sup, name) : NULL;
	struct err err;

	(void)a;
	/* What cannot be read can be taken down all the same. */
	if (p && p->damaged && !names->count)
		p->damaged = false;
	p = find(c, root, names);
	if (!p)
		return;
	if (take_down(p, names, is_true(root, "force"), &err) < 0)
		client_fail(c, "%s", err.msg);
	else
		await(c, AWAIT_GONE, p->name, names);
}

static void ask_status(struct client *c, const struct json_value *root, const struct strv *names,
		       struct arena *a)
{
	autobuf out = BUF_INIT;

	(void)root;
	(void)names;
	(void)a;
	status_write(c->sup, true, &out);
	if (out.len <= CONTROL_MAX_LINE) {
		client_line(c, out.data);
		return;
	}
	for_list (p, &c->sup->projects, struct project, link) {
		autobuf one = BUF_INIT;

		status_write_project(p, &one);
		client_line(c, one.data);
	}
	out.len = 0;
	status_write(c->sup, false, &out);
	client_line(c, out.data);
}

static void ask_events(struct client *c, const struct json_value *root, const struct strv *names,
		       struct arena *a)
{
	struct supervisor *sup = c->sup;
	size_t n = sup->event_next > EVENTS_KEPT ? sup->event_next - EVENTS_KEPT : 0;

	(void)names;
	(void)a;
	for (; n < sup->event_next; n++)
		client_line(c, sup->events[n % EVENTS_KEPT].line);
	if (is_true(root, "follow"))
		c->follow = true;
	else
		client_done(c);
}

static void ask_ping(struct client *c, const struct json_value *root, const struct strv *names,
		     struct arena *a)
{
	(void)root;
	(void)names;
	(void)a;
	client_done(c);
}

static const struct {
	const char *name;
	void (*ask)(struct client *c, const struct json_value *root, const struct strv *names,
		    struct arena *a);
	bool changes; /* not while all is being stopped */
} requests[] = {
	{ "apply", ask_apply, true },	  { "wait", ask_wait, false },
	{ "down", ask_down, true },	  { "stop", ask_stop, true },
	{ "restart", ask_restart, true }, { "status", ask_status, false },
	{ "events", ask_events, false },  { "ping", ask_ping, false },
};

void request(struct client *c, const char *line, size_t len)
{
	autoarena a = ARENA_INIT;
	struct json_value *root;
	struct strv names;
	const char *what;
	struct err err;

	if (json_parse(line, len, &a, &root, &err) < 0) {
		client_fail(c, "%s", err.msg);
		return;
	}
	what = root->kind == JSON_OBJECT ? text_of(root, "do") : NULL;
	if (!what || services_of(root, &a, &names) < 0) {
		client_fail(c, "no request: %s",
			    !what ? "\"do\" is missing" : "services: expected a list of names");
		return;
	}
	for (size_t n = 0; n < ARRAY_SIZE(requests); n++) {
		if (strcmp(requests[n].name, what) != 0)
			continue;
		if (requests[n].changes && c->sup->stopping)
			client_fail(c, "the supervisor is stopping");
		else
			requests[n].ask(c, root, &names, &a);
		return;
	}
	client_fail(c, "unknown request \"%s\"", what);
}
