/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/instance_record.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json_file.h"

#include <string.h>

#define RECORD_MAX ((size_t)256 << 10)

static const struct json_enum_value reason_names[] = {
	{ "ended", EXIT_ENDED },
	{ "asked", EXIT_ASKED },
	{ "idle", EXIT_IDLE },
	{ "not created", EXIT_NOT_CREATED },
	{ "not started", EXIT_NOT_STARTED },
	{ "unknown", EXIT_UNKNOWN },
	{ NULL, 0 },
};
static const struct json_enum_value health_names[] = {
	{ "none", HEALTH_STATE_NONE },
	{ "starting", HEALTH_STATE_STARTING },
	{ "healthy", HEALTH_STATE_HEALTHY },
	{ "unhealthy", HEALTH_STATE_UNHEALTHY },
	{ NULL, 0 },
};

#define EXIT(key, reader, member, ...)                                                             \
	{                                                                                          \
		key, reader, offsetof(struct instance_exit, member), 0, ##__VA_ARGS__              \
	}
static const struct json_field exit_fields[] = {
	EXIT("run", json_u32, run),
	EXIT("reason", json_enum, reason, reason_names),
	EXIT("code", json_i32, code),
	EXIT("signal", json_i32, signal),
	EXIT("oom", json_bool, oom),
	EXIT("ended", json_i64, ended),
	EXIT("endedAt", json_i64, ended_at),
	EXIT("ranMs", json_i64, ran_ms),
	EXIT("message", json_string, message),
};
static const struct json_table exit_table = { exit_fields, ARRAY_SIZE(exit_fields),
					      sizeof(struct instance_exit) };
static const struct json_list_of exit_list = { json_object, sizeof(struct instance_exit),
					       &exit_table };

#define FIELD(key, reader, member, ...)                                                            \
	{                                                                                          \
		key, reader, offsetof(struct instance_record, member), 0, ##__VA_ARGS__            \
	}
static const struct json_field fields[] = {
	FIELD("run", json_u32, run),
	FIELD("tried", json_u32, tried),
	FIELD("held", json_u32, held),
	FIELD("restarts", json_u32, restarts),
	FIELD("failures", json_u32, failures),
	FIELD("oomKills", json_u32, oom_kills),
	FIELD("again", json_u32, again),
	FIELD("unhealthyRun", json_u32, unhealthy),
	FIELD("due", json_i64, due),
	FIELD("updateDue", json_i64, update_due),
	FIELD("healthySince", json_i64, healthy_since),
	FIELD("healthRun", json_u32, health_run),
	FIELD("health", json_enum, health, health_names),
	FIELD("degraded", json_bool, degraded),
	FIELD("reapedRun", json_u32, reaped_run),
	FIELD("reapedStatus", json_i32, reaped_status),
	FIELD("note", json_string, note),
	FIELD("exits", json_list, exits, &exit_list),
};
static const struct json_table table = { fields, ARRAY_SIZE(fields),
					 sizeof(struct instance_record) };

const char *health_state_name(enum health_state s)
{
	return (size_t)s < ARRAY_SIZE(health_names) - 1 ? health_names[s].name : "?";
}

int instance_record_load(int dir_fd, struct arena *a, struct instance_record *ret, struct err *err)
{
	struct instance_record r = { 0 };
	int e = json_decode_file(dir_fd, INSTANCE_RECORD, RECORD_MAX, &table, a, &r, err);

	if (e < 0)
		r = (struct instance_record){ 0 };
	*ret = r;
	return e;
}

void instance_record_write_exit(const struct instance_exit *e, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_u64(w, "run", e->run);
	json_pair_string(w, "reason", reason_names[e->reason].name);
	json_pair_i64(w, "code", e->code);
	json_pair_i64(w, "signal", e->signal);
	json_pair_bool(w, "oom", e->oom);
	json_pair_i64(w, "ended", e->ended);
	json_pair_i64(w, "endedAt", e->ended_at);
	json_pair_i64(w, "ranMs", e->ran_ms);
	if (e->message)
		json_pair_string(w, "message", e->message);
	json_end_object(w);
}

static void write_record(const struct instance_record *r, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_u64(w, "run", r->run);
	json_pair_u64(w, "tried", r->tried);
	json_pair_u64(w, "held", r->held);
	json_pair_u64(w, "restarts", r->restarts);
	json_pair_u64(w, "failures", r->failures);
	json_pair_u64(w, "oomKills", r->oom_kills);
	json_pair_u64(w, "again", r->again);
	json_pair_u64(w, "unhealthyRun", r->unhealthy);
	json_pair_i64(w, "due", r->due);
	json_pair_i64(w, "updateDue", r->update_due);
	json_pair_i64(w, "healthySince", r->healthy_since);
	json_pair_u64(w, "healthRun", r->health_run);
	json_pair_string(w, "health", health_state_name((enum health_state)r->health));
	json_pair_bool(w, "degraded", r->degraded);
	json_pair_u64(w, "reapedRun", r->reaped_run);
	json_pair_i64(w, "reapedStatus", r->reaped_status);
	if (r->note)
		json_pair_string(w, "note", r->note);
	json_key(w, "exits");
	json_begin_array(w);
	for_each (e, &r->exits)
		instance_record_write_exit(e, w);
	json_end_array(w);
	json_end_object(w);
}

int instance_record_save(int dir_fd, const struct instance_record *r, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	write_record(r, &w);
	json_writer_done(&w);
	return file_replace(dir_fd, INSTANCE_RECORD, text.data, text.len, 0600, err);
}

const struct instance_exit *instance_record_last(const struct instance_record *r)
{
	return r->exits.count ? &r->exits.items[r->exits.count - 1] : NULL;
}

/* Copies what stays to a new arena: a crash loop of years must not grow. */
static void append(struct instance_record *r, struct arena *a, const struct instance_exit *e)
{
	size_t skip = r->exits.count >= RECORD_EXITS ? r->exits.count - RECORD_EXITS + 1 : 0;
	size_t count = r->exits.count - skip + 1;
	struct arena fresh = ARENA_INIT;
	struct instance_exit *items = arena_calloc(&fresh, count, sizeof(*items));

	for (size_t n = 0; n < count; n++) {
		items[n] = n == count - 1 ? *e : r->exits.items[skip + n];
		if (items[n].message)
			items[n].message = arena_strndup(&fresh, items[n].message,
							 strnlen(items[n].message, 1024));
	}
	if (r->note)
		r->note = arena_strdup(&fresh, r->note);
	r->exits.items = items;
	r->exits.count = count;
	arena_done(a);
	*a = fresh;
}

bool instance_record_recovered(const struct instance_record *r, uint32_t run, int64_t now)
{
	return r->health_run == run && r->healthy_since &&
	       now - r->healthy_since >= HEALTHY_RESET_MS;
}

/* What somebody asked for is no failure, but for its health it was. */
static bool failed(const struct instance_record *r, const struct instance_exit *e)
{
	if (e->run == r->unhealthy)
		return true;
	return e->reason != EXIT_ASKED && e->reason != EXIT_IDLE;
}

void instance_record_take(struct instance_record *r, struct arena *a, const struct instance_exit *e,
			  int64_t now, uint32_t random)
{
	if (e->run <= r->run)
		return;
	if (instance_record_recovered(r, e->run, e->ended && e->ended < now ? e->ended : now))
		r->failures = 0;
	if (failed(r, e)) {
		r->failures++;
		r->due = now + decide_back_off(r->failures, random);
	} else {
		r->due = 0;
	}
	r->degraded = r->failures >= CRASH_LOOP;
	r->oom_kills += e->oom;
	r->run = e->run;
	if (r->tried < r->run)
		r->tried = r->run;
	r->healthy_since = 0;
	r->health = HEALTH_STATE_NONE;
	append(r, a, e);
}

void instance_record_health(struct instance_record *r, uint32_t run, enum health_state s,
			    int64_t now)
{
	bool was = r->health_run == run && r->health == (int)s;

	if (was)
		return;
	r->health_run = run;
	r->health = (int)s;
	r->healthy_since = s == HEALTH_STATE_HEALTHY || s == HEALTH_STATE_NONE ? now : 0;
}
