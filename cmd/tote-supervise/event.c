/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/server.h"
#include "cmd/tote-supervise/supervise.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

/* How loud an event is in the log. */
static const struct {
	const char *name;
	int priority;
} loud[] = {
	{ "exited", LOG_NOTICE },      { "failed", LOG_ERR },	  { "degraded", LOG_ERR },
	{ "unhealthy", LOG_WARNING },  { "taken back", LOG_ERR }, { "monitor lost", LOG_WARNING },
	{ "monitor killed", LOG_ERR }, { "oom", LOG_WARNING },	  { "trouble", LOG_ERR },
};

static int priority_of(const char *name)
{
	for (size_t n = 0; n < ARRAY_SIZE(loud); n++)
		if (strcmp(loud[n].name, name) == 0)
			return loud[n].priority;
	return LOG_INFO;
}

static char *line_of(const struct timespec *now, const struct project *p, const struct service *s,
		     const struct instance *i, const char *name, const char *detail)
{
	struct buf out = BUF_INIT;
	struct json_writer w;
	char when[TIME_TEXT_SIZE];

	time_text(now, true, when, sizeof(when));
	json_writer_init(&w, &out, false);
	json_begin_object(&w);
	json_pair_string(&w, "time", when);
	if (p)
		json_pair_string(&w, "project", p->name);
	if (s)
		json_pair_string(&w, "service", s->name);
	if (i)
		json_pair_string(&w, "instance", i->name);
	json_pair_string(&w, "event", name);
	if (i && i->run)
		json_pair_u64(&w, "run", i->run);
	if (i && strcmp(name, "exited") == 0 && i->record.exits.count) {
		const struct instance_exit *e = &i->record.exits.items[i->record.exits.count - 1];

		json_pair_i64(&w, "code", e->code);
		json_pair_bool(&w, "oom", e->oom);
	}
	if (detail[0])
		json_pair_string(&w, "detail", detail);
	json_end_object(&w);
	json_writer_done(&w);
	return out.data;
}

void event(struct supervisor *sup, const struct project *p, const struct service *s,
	   const struct instance *i, const char *name, const char *fmt, ...)
{
	struct event *e = &sup->events[sup->event_next++ % EVENTS_KEPT];
	char detail[600] = "";
	struct timespec now;
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(detail, sizeof(detail), fmt, ap);
		va_end(ap);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	free(e->line);
	e->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	e->line = line_of(&now, p, s, i, name, detail);
	say(priority_of(name), "%s%s%s: %s%s%s",
	    i	? i->name
	    : p ? p->name
		: "box",
	    !i && s ? "/" : "", !i && s ? s->name : "", name, detail[0] ? ": " : "", detail);
	server_event(sup, p, e->line);
}
