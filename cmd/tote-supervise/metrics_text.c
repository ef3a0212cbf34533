/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/metrics.h"

#include "cmd/tote-supervise/instance_record.h"
#include "cmd/tote-supervise/model.h"
#include "lib/cleanup.h"

#include <inttypes.h>
#include <stddef.h>

enum unit {
	UNIT_ONE,
	UNIT_MS, /* written as seconds */
};

/* One number of each instance; false: it has none. */
struct family {
	const char *name, *type, *help;
	bool (*value)(const struct instance *i, int64_t *ret);
	enum unit unit;
};

static bool up(const struct instance *i, int64_t *ret)
{
	*ret = instance_runs(i);
	return true;
}

static bool restarts(const struct instance *i, int64_t *ret)
{
	*ret = i->record.restarts;
	return true;
}

static bool oom_kills(const struct instance *i, int64_t *ret)
{
	*ret = i->record.oom_kills;
	return true;
}

static bool degraded(const struct instance *i, int64_t *ret)
{
	*ret = i->record.degraded;
	return true;
}

static bool last_exit(const struct instance *i, int64_t *ret)
{
	const struct instance_exit *last = instance_record_last(&i->record);

	*ret = last ? last->code : 0;
	return last;
}

static bool uptime(const struct instance *i, int64_t *ret)
{
	*ret = loop_now() - i->status.started;
	return instance_runs(i) && i->status.started;
}

static bool start_duration(const struct instance *i, int64_t *ret)
{
	*ret = i->status.start_ms;
	return i->has_status && i->status.start_ms;
}

static bool log_dropped(const struct instance *i, int64_t *ret)
{
	*ret = (int64_t)i->status.log_dropped;
	return i->has_status;
}

static bool on_demand(const struct instance *i)
{
	return i->has_status && i->made && i->made->activate;
}

static bool activations(const struct instance *i, int64_t *ret)
{
	*ret = (int64_t)i->status.activations;
	return on_demand(i);
}

static bool connections(const struct instance *i, int64_t *ret)
{
	*ret = (int64_t)i->status.connections;
	return on_demand(i);
}

static const struct family families[] = {
	{ "up", "gauge", "1 while the container runs.", up },
	{ "restarts_total", "counter", "Starts after the first.", restarts },
	{ "oom_kills_total", "counter", "Runs in which the kernel killed for lack of memory.",
	  oom_kills },
	{ "degraded", "gauge", "1 while it ends again and again.", degraded },
	{ "last_exit_code", "gauge",
	  "Exit code of the last run that ended; 128 and more: by a signal, -1: not known.",
	  last_exit },
	{ "uptime_seconds", "gauge", "How long this run has lasted.", uptime, UNIT_MS },
	{ "start_duration_seconds", "gauge",
	  "What creating and starting the container took the last time.", start_duration, UNIT_MS },
	{ "log_dropped_bytes_total", "counter", "What it wrote and could not be logged.",
	  log_dropped },
	{ "activations_total", "counter", "Starts and thaws for somebody who connected.",
	  activations },
	{ "connections", "gauge", "Open connections of a service that runs on demand.",
	  connections },
};

static void heading(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP tote_service_%s %s\n# TYPE tote_service_%s %s\n", name, help, name,
		 type);
}

/* Names of projects, services and instances have no character that wants escaping, see desired.h. */
static void begin_line(struct buf *out, const char *name, const struct instance *i)
{
	const struct service *s = i->service;

	buf_addf(out, "tote_service_%s{project=\"%s\",service=\"%s\",instance=\"%s\"", name,
		 s->project->name, s->name, i->name);
}

static void put_line(struct buf *out, const struct family *f, const struct instance *i)
{
	int64_t v;

	if (!f->value(i, &v))
		return;
	begin_line(out, f->name, i);
	if (f->unit == UNIT_MS)
		buf_addf(out, "} %" PRId64 ".%03d\n", v > 0 ? v / 1000 : 0,
			 v > 0 ? (int)(v % 1000) : 0);
	else
		buf_addf(out, "} %" PRId64 "\n", v);
}

static void put_health(struct buf *out, const struct instance *i)
{
	for (int h = HEALTH_STATE_NONE; h <= HEALTH_STATE_UNHEALTHY; h++) {
		begin_line(out, "health", i);
		buf_addf(out, ",state=\"%s\"} %d\n", health_state_name((enum health_state)h),
			 (int)i->health_state == h);
	}
}

static void write_health(struct supervisor *sup, struct buf *out)
{
	heading(out, "health", "gauge", "1 for the state of its health check, 0 for the others.");
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				put_health(out, i);
}

static uint32_t wanted(const struct service *s)
{
	return s->want && !s->want->stopped ? s->want->replicas : 0;
}

static void write_wanted(struct supervisor *sup, struct buf *out)
{
	heading(out, "wanted", "gauge", "Instances that are to run, or to wait for a connection.");
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			buf_addf(out, "tote_service_wanted{project=\"%s\",service=\"%s\"} %u\n",
				 p->name, s->name, wanted(s));
}

void metrics_write(struct supervisor *sup, struct buf *out)
{
	write_wanted(sup, out);
	write_health(sup, out);
	for (size_t n = 0; n < ARRAY_SIZE(families); n++) {
		const struct family *f = &families[n];

		heading(out, f->name, f->type, f->help);
		for_list (p, &sup->projects, struct project, link)
			for_list (s, &p->services, struct service, link)
				for_list (i, &s->instances, struct instance, link)
					put_line(out, f, i);
	}
}

static void tell(struct buf *out, const struct instance *i, const char *why)
{
	buf_addf(out, "%s: %s\n", i->name, why);
}

static void judge_instance(const struct instance *i, struct buf *out)
{
	char why[512];

	instance_why(i, loop_now(), why, sizeof(why));
	if (why[0])
		tell(out, i, why);
	else if (i->health_state == HEALTH_STATE_UNHEALTHY)
		tell(out, i, i->health_why ? i->health_why : "unhealthy");
	else if (i->health_state == HEALTH_STATE_STARTING)
		tell(out, i, "not healthy yet");
	else if (i->record.degraded)
		tell(out, i, "ends again and again");
}

static void judge_service(const struct service *s, struct buf *out)
{
	uint32_t there = 0;

	for_list (i, &s->instances, struct instance, link) {
		there++;
		if (wanted(s))
			judge_instance(i, out);
	}
	if (there < wanted(s))
		buf_addf(out, "%s-%s: %u of %u are there%s%s\n", s->project->name, s->name, there,
			 wanted(s), s->why[0] ? ": " : "", s->why);
}

bool metrics_health(struct supervisor *sup, struct buf *out)
{
	if (sup->trouble[0])
		buf_addf(out, "%s\n", sup->trouble);
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			judge_service(s, out);
	if (out->len)
		return false;
	buf_adds(out, "ok\n");
	return true;
}
