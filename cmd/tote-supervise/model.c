/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	/* As lib/arena.h does. */
	if (!p)
		_exit(255);
	return p;
}

static char *copy(const char *s)
{
	char *ret = strdup(s);

	if (!ret)
		_exit(255);
	return ret;
}

struct project *project_find(struct supervisor *sup, const char *name)
{
	for_list (p, &sup->projects, struct project, link)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

struct service *service_find(struct project *p, const char *name)
{
	for_list (s, &p->services, struct service, link)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct project *project_get(struct supervisor *sup, const char *name)
{
	struct project *p = project_find(sup, name);

	if (p)
		return p;
	p = allocate(sizeof(*p));
	p->supervisor = sup;
	p->name = copy(name);
	list_init(&p->services);
	list_add(&sup->projects, &p->link);
	return p;
}

struct service *service_get(struct project *p, const char *name)
{
	struct service *s = service_find(p, name);

	if (s)
		return s;
	s = allocate(sizeof(*s));
	s->project = p;
	s->name = copy(name);
	list_init(&s->instances);
	list_add(&p->services, &s->link);
	return s;
}

struct supervisor *service_supervisor(const struct service *s)
{
	return s->project->supervisor;
}

static bool before(const struct instance *a, uint32_t number, bool second)
{
	return a->number < number || (a->number == number && a->second < second);
}

struct instance *instance_get(struct service *s, uint32_t number, bool second)
{
	struct list *behind = &s->instances;
	autoarena a = ARENA_INIT;
	struct instance *i;

	for_list (k, &s->instances, struct instance, link) {
		if (k->number == number && k->second == second)
			return k;
		if (before(k, number, second))
			behind = &k->link;
	}
	i = allocate(sizeof(*i));
	i->service = s;
	i->number = number;
	i->second = second;
	i->dir = i->watch = -1;
	i->name = copy(instance_name(s->project->name, s->name, number, second, &a));
	i->phase = PHASE_ABSENT;
	/* list_add() puts in front of what it is given. */
	list_add(behind->next, &i->link);
	return i;
}

static void source_close(struct supervisor *sup, struct loop_source *source)
{
	int fd = source->fd;

	if (!source->ready)
		return;
	loop_remove(&sup->loop, source);
	close(fd);
}

void instance_detach(struct supervisor *sup, struct instance *i)
{
	if (i->watch >= 0)
		inotify_rm_watch(sup->inotify.fd, i->watch);
	if (i->dir >= 0)
		close(i->dir);
	i->dir = i->watch = -1;
	arena_done(&i->made_arena);
	arena_done(&i->record_arena);
	arena_done(&i->seen_arena);
	i->made = NULL;
	i->record = (struct instance_record){ 0 };
	i->has_status = i->has_exit = false;
}

void instance_drop(struct instance *i)
{
	struct supervisor *sup = service_supervisor(i->service);

	if (i->health_on && i->made && i->made->health.kind != HEALTH_NONE)
		health_end(sup, i);
	source_close(sup, &i->monitor);
	source_close(sup, &i->tell);
	loop_timer_clear(&i->timer);
	loop_timer_clear(&i->errand_timer);
	instance_detach(sup, i);
	list_remove(&i->link);
	free(i->name);
	free(i);
}

void service_drop(struct service *s)
{
	struct list *link;

	while ((link = s->instances.next) != &s->instances)
		instance_drop(container_of(link, struct instance, link));
	list_remove(&s->link);
	free(s->name);
	free(s);
}

void project_drop(struct project *p)
{
	struct list *link;

	while ((link = p->services.next) != &p->services)
		service_drop(container_of(link, struct service, link));
	list_remove(&p->link);
	arena_done(&p->arena);
	free(p->name);
	free(p);
}

void project_bind(struct project *p)
{
	for_list (s, &p->services, struct service, link)
		s->want = NULL;
	for (size_t n = 0; p->want && n < p->want->services.count; n++) {
		struct desired_service *want = &p->want->services.items[n];
		struct service *s = service_get(p, want->name);

		s->want = want;
		s->leaving_hard = false;
		/* In the order of what depends on what, for people and for starting. */
		list_remove(&s->link);
		list_add(&p->services, &s->link);
	}
}

bool instance_fresh(const struct instance *i)
{
	const struct desired_service *want = i->service->want;

	/* What has no directory yet is made from what is wanted then. */
	if (!i->made)
		return want != NULL;
	return want && want->hash && i->made->hash && strcmp(want->hash, i->made->hash) == 0;
}

const struct desired_service *service_definition(const struct service *s)
{
	if (s->want)
		return s->want;
	for_list (i, &s->instances, struct instance, link)
		if (i->made)
			return i->made;
	return NULL;
}

bool instance_runs(const struct instance *i)
{
	return i->phase == PHASE_RUNNING;
}

enum health_state service_health(const struct service *s)
{
	enum health_state worst = HEALTH_STATE_NONE;

	for_list (i, &s->instances, struct instance, link) {
		if (i->health_state == HEALTH_STATE_UNHEALTHY)
			return HEALTH_STATE_UNHEALTHY;
		if (i->health_state == HEALTH_STATE_STARTING || worst == HEALTH_STATE_NONE)
			worst = i->health_state;
	}
	return worst;
}

uint32_t service_restarts(const struct service *s)
{
	uint32_t n = 0;

	for_list (i, &s->instances, struct instance, link)
		n += i->record.restarts;
	return n;
}

static const char *rest_text(const struct instance *i)
{
	const struct instance_exit *e = instance_record_last(&i->record);

	if (i->want == WANT_RUN || i->want == WANT_CREATED) {
		switch (i->decision.reason) {
		case REASON_BACK_OFF:
			return "backoff";
		case REASON_DONE:
		case REASON_GIVEN_UP:
			return e && e->code == 0 ? "completed" : "failed";
		default:
			return "waiting";
		}
	}
	return i->record.run || i->want == WANT_REST ? "stopped" : "absent";
}

const char *instance_state_text(const struct instance *i)
{
	switch (i->phase) {
	case PHASE_ABSENT:
		return i->want == WANT_RUN ? "waiting" : "absent";
	case PHASE_REST:
		return rest_text(i);
	case PHASE_STARTING:
		return "creating";
	case PHASE_CREATED:
		return "created";
	case PHASE_IDLE:
		return "idle";
	case PHASE_RUNNING:
		if (i->has_status && i->status.state == INSTANCE_FROZEN)
			return "frozen";
		return i->stop_run == i->run ? "stopping" : "running";
	case PHASE_ORPHAN:
		return "running";
	case PHASE_STOPPING:
		return "stopping";
	default:
		return "exited";
	}
}

const char *service_state_text(const struct service *s)
{
	const char *text = NULL;

	if (s->updating)
		return "updating";
	for_list (i, &s->instances, struct instance, link) {
		const char *t = instance_state_text(i);

		if (i->want == WANT_GONE && i->phase == PHASE_REST)
			continue;
		if (!text || strcmp(text, "running") == 0)
			text = t;
	}
	if (!text && s->want && s->want->stopped)
		return "stopped";
	return text ? text : "absent";
}
