/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a supervisor would answer, made of the files that it, the monitors and `tote up` leave. Nobody
 * decides anything meanwhile, so that what has ended stays so.
 */
#include "cmd/tote-compose/status.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/json_file.h"
#include "lib/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define RECORD_MAX ((size_t)256 << 10)

/* What we need of record.json; the rest is the supervisor's own. */
struct memory {
	uint32_t run, restarts, failures, oom_kills;
	char *health, *note;
	uint32_t health_run;
	bool degraded;
	const struct json_value *exits;
};

#define FIELD(key, reader, member)                                                                 \
	{                                                                                          \
		key, reader, offsetof(struct memory, member), 0, NULL                              \
	}
static const struct json_field fields[] = {
	FIELD("run", json_u32, run),	       FIELD("restarts", json_u32, restarts),
	FIELD("failures", json_u32, failures), FIELD("oomKills", json_u32, oom_kills),
	FIELD("health", json_string, health),  FIELD("healthRun", json_u32, health_run),
	FIELD("note", json_string, note),      FIELD("degraded", json_bool, degraded),
	FIELD("exits", json_value_raw, exits),
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct memory), NULL };

/* One instance as its directory has it. */
struct found {
	char *name;
	uint32_t number;
	bool there, has_status, has_exit, monitored, lives;
	struct instance_status status;
	struct instance_exit exit;
	struct memory memory;
};

static void read_memory(int dir, struct arena *a, struct memory *ret)
{
	struct err err;

	if (json_decode_file(dir, INSTANCE_RECORD, RECORD_MAX, &table, a, ret, &err) < 0)
		*ret = (struct memory){ 0 };
}

static void read_instance(int run_fd, struct found *f, struct arena *a)
{
	struct err err;
	autofd dir = run_fd < 0 ? -1 : instance_open(run_fd, f->name, false, &err), monitor = -1;

	if (dir < 0)
		return;
	f->there = true;
	f->has_status = instance_read_status(dir, a, &f->status, &err) == 0;
	f->has_exit = instance_read_exit(dir, a, &f->exit, &err) == 0;
	read_memory(dir, a, &f->memory);
	monitor = instance_open_monitor(dir);
	f->monitored = monitor >= 0;
	f->lives = f->has_status && f->status.init.pid > 0 && proc_alive(&f->status.init);
	/* Of a run before this one. */
	if (f->has_exit && f->has_status && f->status.run > f->exit.run)
		f->has_exit = false;
}

static bool runs(const struct found *f)
{
	return f->lives && (f->status.state == INSTANCE_RUNNING ||
			    f->status.state == INSTANCE_FROZEN || !f->monitored);
}

/* Also one whose exit code the supervisor has taken into its memory already. */
static bool ended_well(const struct found *f)
{
	const struct json_value *last = NULL, *code;

	if (f->has_exit)
		return f->exit.code == 0;
	if (!f->memory.exits || f->memory.exits->kind != JSON_ARRAY)
		return false;
	for (last = f->memory.exits->first; last && last->next;)
		last = last->next;
	code = last ? json_get(last, "code") : NULL;
	return code && code->kind == JSON_NUMBER && strcmp(code->text, "0") == 0;
}

static const char *state_of(const struct desired_service *s, const struct found *f)
{
	if (!f->there)
		return "absent";
	if (f->monitored)
		return f->has_status ? instance_state_name(f->status.state) : "creating";
	if (f->lives)
		return "running";
	if (s->stopped)
		return "stopped";
	if (ended_well(f) && (s->restart == RESTART_NO || s->restart == RESTART_ON_FAILURE))
		return "completed";
	return "exited";
}

static const char *exit_text(const struct found *f, struct arena *a)
{
	const struct instance_exit *e = &f->exit;

	if (!f->has_exit)
		return "it ended; only a supervisor starts it again";
	if (e->message && *e->message)
		return e->message;
	if (e->oom)
		return "it ended after the kernel killed a process of it for lack of memory";
	if (e->signal)
		return arena_printf(a, "it was ended by signal %d", e->signal);
	if (e->code < 0)
		return "it ended; its exit code is not known";
	return arena_printf(a, "it ended with exit code %d", e->code);
}

static const char *why_of(const struct desired_service *s, const struct found *f, const char *state,
			  struct arena *a)
{
	if (strcmp(state, "absent") == 0)
		return s->stopped ? NULL : "it was not started; only a supervisor does that";
	if (strcmp(state, "exited") == 0)
		return exit_text(f, a);
	if (f->lives && !f->monitored)
		return "its monitor is gone; a supervisor starts another one";
	return NULL;
}

static void write_exit(const struct instance_exit *e, struct json_writer *w)
{
	json_key(w, "exit");
	json_begin_object(w);
	json_pair_u64(w, "run", e->run);
	json_pair_string(w, "reason", exit_reason_name(e->reason));
	json_pair_i64(w, "code", e->code);
	json_pair_i64(w, "signal", e->signal);
	json_pair_bool(w, "oom", e->oom);
	json_pair_i64(w, "endedAt", e->ended_at);
	json_pair_i64(w, "ranMs", e->ran_ms);
	if (e->message)
		json_pair_string(w, "message", e->message);
	json_end_object(w);
}

static const char *health_of(const struct desired_service *s, const struct found *f)
{
	if (s->health.kind == HEALTH_NONE || !runs(f))
		return "none";
	return f->memory.health && f->memory.health_run == f->status.run ? f->memory.health
									 : "starting";
}

static void write_instance(const struct desired_service *s, const struct found *f, struct arena *a,
			   struct json_writer *w)
{
	const char *state = state_of(s, f), *why = why_of(s, f, state, a);

	json_begin_object(w);
	json_pair_string(w, "id", f->name);
	json_pair_string(w, "name", f->name);
	json_pair_u64(w, "number", f->number);
	json_pair_string(w, "state", state);
	json_pair_string(w, "health", health_of(s, f));
	json_pair_u64(w, "run", f->has_status ? f->status.run : f->memory.run);
	json_pair_u64(w, "restarts", f->memory.restarts);
	json_pair_u64(w, "failures", f->memory.failures);
	json_pair_bool(w, "degraded", f->memory.degraded);
	json_pair_u64(w, "oomKills", f->memory.oom_kills);
	if (runs(f)) {
		json_pair_i64(w, "pid", f->status.init.pid);
		json_pair_i64(w, "startedAt", f->status.started_at);
		json_pair_i64(w, "uptimeMs", loop_now() - f->status.started);
	}
	if (f->has_exit)
		write_exit(&f->exit, w);
	if (why)
		json_pair_string(w, "why", why);
	if (f->memory.note)
		json_pair_string(w, "note", f->memory.note);
	json_pair_u64(w, "logDropped", f->status.log_dropped);
	json_pair_u64(w, "connections", f->status.connections);
	json_pair_u64(w, "activations", f->status.activations);
	json_end_object(w);
}

/* Both that an update alternates between; one that is not there is shown as absent once. */
static void write_number(const struct client *c, const struct desired_service *s, int run_fd,
			 uint32_t number, struct json_writer *w)
{
	autoarena a = ARENA_INIT;
	struct found f[2] = { { .number = number }, { .number = number } };

	for (int second = 0; second < 2; second++) {
		f[second].name = instance_name(c->name, s->name, number, second, &a);
		read_instance(run_fd, &f[second], &a);
	}
	if (f[0].there || !f[1].there)
		write_instance(s, &f[0], &a, w);
	if (f[1].there)
		write_instance(s, &f[1], &a, w);
}

static void write_service(const struct client *c, const struct desired_service *s, int run_fd,
			  struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", s->name);
	json_pair_string(w, "image", s->image);
	json_pair_string(w, "digest", s->digest);
	json_pair_u64(w, "replicas", s->replicas);
	json_pair_string(w, "wanted",
			 s->stopped    ? "stopped"
			 : s->activate ? "on demand"
				       : "running");
	json_key(w, "instances");
	json_begin_array(w);
	for (uint32_t n = 1; n <= s->replicas; n++)
		write_number(c, s, run_fd, n, w);
	json_end_array(w);
	json_end_object(w);
}

static void write_project(const struct client *c, int run_fd, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", c->name);
	json_pair_string(w, "source", c->project.source);
	json_key(w, "services");
	json_begin_array(w);
	for_each (s, &c->project.services)
		write_service(c, s, run_fd, w);
	json_end_array(w);
	json_end_object(w);
}

static int write_all(struct client *c, int run_fd, struct json_writer *w, struct err *err)
{
	struct strv names;
	int r = client_list(c, &names, err);

	if (r < 0)
		return r;
	for_each (name, &names) {
		r = client_load(c, *name, err);
		if (r < 0)
			return r;
		if (c->stored)
			write_project(c, run_fd, w);
	}
	c->name = NULL;
	return 0;
}

int status_read(struct client *c, const char *project, struct arena *a, struct json_value **ret,
		struct err *err)
{
	autofd run_fd = fd_open(AT_FDCWD, c->paths.run, O_RDONLY | O_DIRECTORY);
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r = 0;

	if (run_fd < 0 && errno != ENOENT)
		return err_errno(err, "open %s", c->paths.run);
	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_key(&w, "projects");
	json_begin_array(&w);
	if (!project)
		r = write_all(c, run_fd, &w, err);
	else if (c->stored)
		write_project(c, run_fd, &w);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
	return r < 0 ? r : json_parse(text.data, text.len, a, ret, err);
}
