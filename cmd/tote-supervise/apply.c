/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/apply.h"

#include "cmd/tote-supervise/instance_record.h"
#include "cmd/tote-supervise/model.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has(const struct strv *names, const char *name)
{
	for (size_t n = 0; n < names->count; n++)
		if (strcmp(names->items[n], name) == 0)
			return true;
	return false;
}

/* Those that were named, and what they depend on. Services are sorted: what one depends on comes
 * before it. */
static struct strv selection(const struct desired_project *p, const struct strv *names,
			     struct arena *a)
{
	struct strv s = { arena_calloc(a, p->services.count + 1, sizeof(char *)), 0 };
	bool *in = arena_calloc(a, p->services.count + 1, sizeof(bool));

	for (size_t n = p->services.count; n-- > 0;) {
		const struct desired_service *service = &p->services.items[n];

		in[n] = in[n] || !names->count || has(names, service->name);
		for (size_t d = 0; in[n] && d < service->depends.count; d++)
			for (size_t k = 0; k < n; k++)
				if (strcmp(p->services.items[k].name,
					   service->depends.items[d].service) == 0)
					in[k] = true;
	}
	for (size_t n = 0; n < p->services.count; n++)
		if (in[n])
			s.items[s.count++] = p->services.items[n].name;
	return s;
}

struct applying {
	struct project *old; /* NULL: a new project */
	struct desired_project merged;
	struct change_list *changes;
	struct arena *a;
};

static void change(struct applying *ap, const char *what, const char *service, const char *why)
{
	/* A name of what was wanted until now ends with that, and the changes are told after it. */
	ap->changes->items[ap->changes->count++] =
		(struct change){ what, arena_strdup(ap->a, service), why };
}

/* Worth coming back to: it runs, and nothing is known against it. */
static bool is_good(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link)
		if (instance_fresh(i) && !i->record.degraded &&
		    ((i->phase == PHASE_RUNNING && i->health_state != HEALTH_STATE_UNHEALTHY) ||
		     i->phase == PHASE_IDLE || instance_completed(i)))
			return true;
	return false;
}

/* Ended badly, and its policy leaves it there. */
static bool lies(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link) {
		const struct instance_exit *e = instance_record_last(&i->record);
		struct seen seen;

		seen_of(i, &seen);
		if (i->phase == PHASE_REST && e && decide_restart(&seen) != REASON_NONE &&
		    (e->code != 0 || e->reason != EXIT_ENDED))
			return true;
	}
	return false;
}

static const char *difference(const struct desired_service *was, const struct desired_service *is,
			      struct arena *a)
{
	if (strcmp(was->digest, is->digest) != 0)
		return strcmp(was->image, is->image) != 0
			       ? arena_printf(a, "image %s instead of %s", is->image, was->image)
			       : arena_printf(a, "%s is another image now", is->image);
	return "its description has changed";
}

static void merge_changed(struct applying *ap, struct service *s, struct desired_service *item)
{
	struct desired_service *was = s->want;
	struct desired_service *good = was->previous ? was->previous : is_good(s) ? was : NULL;

	change(ap, "replace", item->name, difference(was, item, ap->a));
	if (!good || was->stopped || strcmp(good->hash, item->hash) == 0)
		return;
	item->previous = arena_memdup(ap->a, good, sizeof(*good));
	item->previous->previous = NULL;
	item->previous->stopped = false;
}

static void merge_same(struct applying *ap, struct service *s, struct desired_service *item)
{
	const struct desired_service *was = s->want;

	item->previous = was->previous;
	if (was->stopped)
		change(ap, "start", item->name, "it was stopped");
	else if (lies(s))
		change(ap, "start", item->name, "it has ended");
	else if (was->replicas != item->replicas)
		change(ap, "scale", item->name,
		       arena_printf(ap->a, "%u instead of %u", item->replicas, was->replicas));
	else
		change(ap, "keep", item->name, "");
}

static void merge_one(struct applying *ap, const struct desired_service *wanted, bool selected)
{
	struct service *s = ap->old ? service_find(ap->old, wanted->name) : NULL;
	struct desired_service *item = &ap->merged.services.items[ap->merged.services.count];

	if (!selected && (!s || !s->want))
		return;
	ap->merged.services.count++;
	if (!selected) {
		*item = *s->want;
		return;
	}
	*item = *wanted;
	/* These are ours to say. */
	item->stopped = false;
	item->previous = NULL;
	if (!s || !s->want)
		change(ap, "create", item->name, "");
	else if (strcmp(s->want->hash, item->hash) != 0)
		merge_changed(ap, s, item);
	else
		merge_same(ap, s, item);
}

static void merge(struct applying *ap, const struct desired_project *wanted,
		  const struct strv *selected, bool all)
{
	size_t max = wanted->services.count;

	if (ap->old && ap->old->want)
		max += ap->old->want->services.count;
	ap->merged = *wanted;
	ap->merged.services.count = 0;
	ap->merged.services.items = arena_calloc(ap->a, max + 1, sizeof(*wanted->services.items));
	ap->changes->items = arena_calloc(ap->a, max + 1, sizeof(*ap->changes->items));
	for_each (s, &wanted->services)
		merge_one(ap, s, has(selected, s->name));
	if (!ap->old || !ap->old->want)
		return;
	for_each (s, &ap->old->want->services) {
		if (desired_find(wanted, s->name))
			continue;
		if (all)
			change(ap, "remove", s->name,
			       "it is not in the file any more, or of a profile that was not "
			       "chosen");
		else
			ap->merged.services.items[ap->merged.services.count++] = *s;
	}
}

/* The document goes to disk, and comes back into an arena of its own: what is in memory is what the
 * next of us reads. */
static int commit(struct supervisor *sup, const struct desired_project *want, struct project **ret,
		  struct err *err)
{
	struct arena a = ARENA_INIT;
	struct desired_project *copy = arena_alloc(&a, sizeof(*copy));
	autobuf text = BUF_INIT;
	struct project *p;
	struct json_writer w;
	int r;

	json_writer_init(&w, &text, false);
	desired_write(want, &w);
	json_writer_done(&w);
	r = desired_parse(text.data, text.len, &a, copy, err);
	if (r == 0) {
		r = desired_save(sup->state, copy, err);
		if (r < 0)
			snprintf(sup->trouble, sizeof(sup->trouble), "%s cannot be written: %.400s",
				 sup->paths.state, err->msg);
	}
	if (r < 0) {
		arena_done(&a);
		return r;
	}
	sup->trouble[0] = 0;
	p = project_get(sup, want->name);
	arena_done(&p->arena);
	p->arena = a;
	p->want = copy;
	p->unsaved = p->damaged = false;
	project_bind(p);
	supervisor_settle(sup);
	*ret = p;
	return 0;
}

/* What was taken back is history once something is asked for anew, be it what came back. */
static void forget_note(struct service *s)
{
	s->note[0] = 0;
	for_list (i, &s->instances, struct instance, link) {
		if (!i->record.note || i->dir < 0)
			continue;
		i->record.note = NULL;
		instance_save_record(i);
	}
}

static void begin(struct project *p, const struct change_list *changes)
{
	for_each (c, changes) {
		struct service *s = service_find(p, c->service);

		if (!s)
			continue;
		forget_note(s);
		if (strcmp(c->change, "keep") == 0)
			continue;
		if (strcmp(c->change, "start") == 0)
			service_again(s);
		event(p->supervisor, p, s, NULL, c->change, "%s", c->why);
	}
}

/* whole is "FIRST-SECOND". */
static bool is_joined(const char *whole, const char *first, const char *second)
{
	size_t len = strlen(first);

	return strncmp(whole, first, len) == 0 && whole[len] == '-' &&
	       strcmp(whole + len + 1, second) == 0;
}

/* What follows "FRONT-"; NULL: it does not begin with that. */
static const char *behind(const char *name, const char *front)
{
	size_t len = strlen(front);

	return strncmp(name, front, len) == 0 && name[len] == '-' ? name + len + 1 : NULL;
}

/* The service of want whose containers would have the names of s's: "a-b" with "c" and "a" with "b-c"
 * are both "a-b-c". */
static const struct desired_service *same_name(const struct desired_project *want,
					       const struct service *s)
{
	const char *more = behind(s->project->name, want->name);
	const char *less = behind(want->name, s->project->name);

	for (size_t n = 0; (more || less) && n < want->services.count; n++) {
		const struct desired_service *d = &want->services.items[n];

		if (more ? is_joined(d->name, more, s->name) : is_joined(s->name, less, d->name))
			return d;
	}
	return NULL;
}

static int check_names(struct supervisor *sup, const struct desired_project *want, struct err *err)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link) {
			const struct desired_service *d = same_name(want, s);

			if (d)
				return err_set(
					err, EEXIST,
					"service %s of project %s and service %s of project "
					"%s would have the same containers (%s-%s-1): rename "
					"one of them",
					d->name, want->name, s->name, p->name, p->name, s->name);
		}
	return 0;
}

int apply(struct supervisor *sup, const struct json_value *project, const struct strv *names,
	  bool dry_run, struct arena *a, struct change_list *ret, struct err *err)
{
	struct applying ap = { .changes = ret, .a = a };
	struct desired_project wanted;
	autobuf text = BUF_INIT;
	struct strv selected;
	struct json_writer w;
	struct project *p;
	int r;

	json_writer_init(&w, &text, false);
	json_put_value(&w, project);
	json_writer_done(&w);
	r = desired_parse(text.data, text.len, a, &wanted, err);
	if (r < 0)
		return r;
	for (size_t n = 0; n < names->count; n++)
		if (!desired_find(&wanted, names->items[n]))
			return err_set(err, ENOENT, "no such service: %s", names->items[n]);
	ap.old = project_find(sup, wanted.name);
	selected = selection(&wanted, names, a);
	merge(&ap, &wanted, &selected, !names->count);
	r = check_names(sup, &ap.merged, err);
	if (r < 0)
		return r;
	if (dry_run)
		return 0;
	r = commit(sup, &ap.merged, &p, err);
	if (r < 0)
		return r;
	begin(p, ret);
	contents_sweep(sup);
	return 0;
}

int set_stopped(struct project *p, const struct strv *names, bool stopped, struct err *err)
{
	bool changed = false;
	int r = 0;

	for_list (s, &p->services, struct service, link)
		s->mark = s->want && (!names->count || has(names, s->name)) &&
			  s->want->stopped != stopped;
	for_list (s, &p->services, struct service, link)
		if (s->mark) {
			s->want->stopped = stopped;
			changed = true;
		}
	if (changed)
		r = project_save(p, err);
	for_list (s, &p->services, struct service, link) {
		if (r < 0 && s->mark)
			s->want->stopped = !stopped;
		else if (s->mark)
			service_forgive(s);
	}
	supervisor_settle(p->supervisor);
	return r;
}

static int forget(struct project *p, struct err *err)
{
	struct supervisor *sup = p->supervisor;
	char name[80];

	snprintf(name, sizeof(name), "%s.json", p->name);
	if ((unlinkat(sup->state, name, 0) < 0 && errno != ENOENT) || fsync(sup->state) < 0)
		return err_errno(err, "remove %s/%s", sup->paths.state, name);
	p->want = NULL;
	p->unsaved = false;
	project_bind(p);
	return 0;
}

int take_down(struct project *p, const struct strv *names, bool force, struct err *err)
{
	struct desired_project rest;
	autoarena a = ARENA_INIT;
	int r;

	for_list (s, &p->services, struct service, link)
		s->mark = !names->count || has(names, s->name);
	if (!names->count || !p->want) {
		r = forget(p, err);
	} else {
		rest = *p->want;
		rest.services.count = 0;
		rest.services.items =
			arena_calloc(&a, p->want->services.count + 1, sizeof(*rest.services.items));
		for_each (s, &p->want->services)
			if (!has(names, s->name))
				rest.services.items[rest.services.count++] = *s;
		r = rest.services.count ? commit(p->supervisor, &rest, &p, err) : forget(p, err);
	}
	if (r < 0)
		return r;
	for_list (s, &p->services, struct service, link)
		if (s->mark && !s->want) {
			s->leaving_hard = force;
			event(p->supervisor, p, s, NULL, "remove", NULL);
		}
	contents_sweep(p->supervisor);
	supervisor_settle(p->supervisor);
	return 0;
}
