/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to "status": desired against actual, tote-status(8). */
#include "cmd/tote-supervise/instance_record.h"
#include "cmd/tote-supervise/model.h"
#include "cmd/tote-supervise/server.h"

#include <string.h>
#include <unistd.h>

static const char *const policies[] = { "no", "always", "unless-stopped", "on-failure" };

static void write_exits(const struct instance *i, struct json_writer *w)
{
	const struct instance_exit *last = instance_record_last(&i->record);

	if (last) {
		json_key(w, "exit");
		instance_record_write_exit(last, w);
	}
	json_key(w, "exits");
	json_begin_array(w);
	for_each (e, &i->record.exits)
		instance_record_write_exit(e, w);
	json_end_array(w);
}

static void write_running(const struct instance *i, int64_t now, struct json_writer *w)
{
	if (i->status.init.pid)
		json_pair_i64(w, "pid", i->status.init.pid);
	if (!i->status.started)
		return;
	json_pair_i64(w, "startedAt", i->status.started_at);
	json_pair_i64(w, "uptimeMs", now - i->status.started);
}

static void write_instance(const struct instance *i, int64_t now, struct json_writer *w)
{
	const struct instance_exit *last = instance_record_last(&i->record);
	char why[512];

	instance_why(i, now, why, sizeof(why));
	json_begin_object(w);
	json_pair_string(w, "id", i->name);
	json_pair_string(w, "name", i->name);
	json_pair_u64(w, "number", i->number);
	json_pair_string(w, "state", instance_state_text(i));
	json_pair_string(w, "health", health_state_name(i->health_state));
	if (i->health_why)
		json_pair_string(w, "healthWhy", i->health_why);
	json_pair_u64(w, "run", i->run);
	json_pair_u64(w, "restarts", i->record.restarts);
	json_pair_u64(w, "failures", last && last->code == 0 ? 0 : i->record.failures);
	json_pair_bool(w, "degraded", i->record.degraded);
	json_pair_u64(w, "oomKills", i->record.oom_kills);
	if (i->phase == PHASE_RUNNING || i->phase == PHASE_IDLE || i->phase == PHASE_STOPPING ||
	    i->phase == PHASE_ORPHAN)
		write_running(i, now, w);
	if (i->phase == PHASE_REST && i->decision.reason == REASON_BACK_OFF)
		json_pair_i64(w, "nextTryMs", i->decision.due > now ? i->decision.due - now : 0);
	write_exits(i, w);
	if (why[0])
		json_pair_string(w, "why", why);
	if (i->record.note)
		json_pair_string(w, "note", i->record.note);
	if (i->has_status) {
		json_pair_u64(w, "logDropped", i->status.log_dropped);
		json_pair_u64(w, "connections", i->status.connections);
		json_pair_u64(w, "activations", i->status.activations);
	}
	json_end_object(w);
}

static const char *wanted(const struct service *s)
{
	if (!s->want)
		return "gone";
	return s->want->stopped ? "stopped" : s->want->activate ? "on demand" : "running";
}

static bool degraded(const struct service *s)
{
	for_list (i, &s->instances, struct instance, link)
		if (i->record.degraded)
			return true;
	return false;
}

static const char *note(const struct service *s)
{
	if (s->note[0])
		return s->note;
	for_list (i, &s->instances, struct instance, link)
		if (i->record.note)
			return i->record.note;
	return NULL;
}

static void write_service(const struct service *s, int64_t now, struct json_writer *w)
{
	const struct desired_service *d = service_definition(s);

	json_begin_object(w);
	json_pair_string(w, "name", s->name);
	if (d) {
		json_pair_string(w, "image", d->image);
		json_pair_string(w, "digest", d->digest);
		json_pair_string(w, "restart", policies[d->restart]);
		json_pair_u64(w, "replicas", s->want ? d->replicas : 0);
	}
	json_pair_string(w, "wanted", wanted(s));
	json_pair_string(w, "state", service_state_text(s));
	json_pair_string(w, "health", health_state_name(service_health(s)));
	json_pair_bool(w, "stopped", s->want && s->want->stopped);
	json_pair_bool(w, "degraded", degraded(s));
	json_pair_bool(w, "updating", s->updating);
	json_pair_u64(w, "restarts", service_restarts(s));
	if (s->why[0])
		json_pair_string(w, "why", s->why);
	if (note(s))
		json_pair_string(w, "note", note(s));
	json_key(w, "instances");
	json_begin_array(w);
	for_list (i, &s->instances, struct instance, link)
		write_instance(i, now, w);
	json_end_array(w);
	json_end_object(w);
}

static void write_project(const struct project *p, int64_t now, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", p->name);
	if (p->want && p->want->source)
		json_pair_string(w, "source", p->want->source);
	json_pair_bool(w, "leaving", !p->want && !p->damaged);
	if (p->damaged)
		json_pair_string(w, "trouble", "its description on disk cannot be read");
	if (p->unsaved)
		json_pair_string(w, "trouble", p->supervisor->trouble);
	json_key(w, "services");
	json_begin_array(w);
	for_list (s, &p->services, struct service, link)
		write_service(s, now, w);
	json_end_array(w);
	json_end_object(w);
}

void status_write_project(const struct project *p, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_key(&w, "projects");
	json_begin_array(&w);
	write_project(p, loop_now(), &w);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
}

void status_write(struct supervisor *sup, bool with_projects, struct buf *out)
{
	struct json_writer w;
	int64_t now = loop_now();

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_key(&w, "projects");
	json_begin_array(&w);
	if (with_projects)
		for_list (p, &sup->projects, struct project, link)
			write_project(p, now, &w);
	json_end_array(&w);
	json_key(&w, "supervisor");
	json_begin_object(&w);
	json_pair_i64(&w, "pid", getpid());
	json_pair_string(&w, "version", TOTE_VERSION);
	json_pair_i64(&w, "startedAt", sup->started_at);
	json_pair_bool(&w, "stopping", sup->stopping);
	if (sup->trouble[0])
		json_pair_string(&w, "trouble", sup->trouble);
	json_end_object(&w);
	json_pair_bool(&w, "done", true);
	json_end_object(&w);
	json_writer_done(&w);
}
