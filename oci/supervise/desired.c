/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/desired.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "lib/signals.h"
#include "oci/image/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PROJECT_NAME_MAX 63
#define SERVICE_NAME_MAX 63
#define REPLICAS_MAX 1000
#define SERVICES_MAX 1000

static const struct json_enum_value restart_names[] = {
	{ "no", RESTART_NO },
	{ "always", RESTART_ALWAYS },
	{ "unless-stopped", RESTART_UNLESS_STOPPED },
	{ "on-failure", RESTART_ON_FAILURE },
	{ NULL, 0 },
};
static const struct json_enum_value condition_names[] = {
	{ "started", DEPEND_STARTED },
	{ "healthy", DEPEND_HEALTHY },
	{ "completed", DEPEND_COMPLETED },
	{ NULL, 0 },
};
static const struct json_enum_value health_names[] = {
	{ "none", HEALTH_NONE },
	{ "exec", HEALTH_EXEC },
	{ "tcp", HEALTH_TCP },
	{ "http", HEALTH_HTTP },
	{ NULL, 0 },
};
static const struct json_enum_value log_names[] = {
	{ "local", LOG_LOCAL },
	{ "json-file", LOG_JSON_FILE },
	{ "journald", LOG_JOURNALD },
	{ "none", LOG_NONE },
	{ NULL, 0 },
};
static const struct json_enum_value activate_names[] = {
	{ "start", ACTIVATE_START },
	{ "thaw", ACTIVATE_THAW },
	{ NULL, 0 },
};

static bool is_word(const char *name, size_t max, const char *others, bool capitals)
{
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
		      (capitals && *p >= 'A' && *p <= 'Z') || (p > name && strchr(others, *p))))
			return false;
	return len > 0 && len <= max;
}

bool desired_is_project_name(const char *name)
{
	return is_word(name, PROJECT_NAME_MAX, "_-", false);
}

bool desired_is_service_name(const char *name)
{
	return is_word(name, SERVICE_NAME_MAX, "_.-", true);
}

static int check_depend(struct json_ctx *ctx, void *out)
{
	const struct desired_depend *d = out;

	if (!desired_is_service_name(d->service))
		return json_error(ctx, "\"%s\" is no service's name", d->service);
	return 0;
}

static const struct json_field depend_fields[] = {
	{ "service", json_string, offsetof(struct desired_depend, service), JSON_REQUIRED },
	{ "condition", json_enum, offsetof(struct desired_depend, condition), 0, condition_names },
	{ "optional", json_bool, offsetof(struct desired_depend, optional) },
	{ "restart", json_bool, offsetof(struct desired_depend, restart) },
};
static const struct json_table depend_table = { depend_fields, ARRAY_SIZE(depend_fields),
						sizeof(struct desired_depend), check_depend };
static const struct json_list_of depend_list = { json_object, sizeof(struct desired_depend),
						 &depend_table };

static int check_health(struct json_ctx *ctx, void *out)
{
	const struct desired_health *h = out;

	if (h->kind == HEALTH_NONE)
		return 0;
	if (h->kind == HEALTH_EXEC && !h->command.count)
		return json_error(ctx, "a probe by exec needs a command");
	if (h->kind != HEALTH_EXEC && !h->port)
		return json_error(ctx, "a probe by tcp or http needs a port");
	if (h->kind == HEALTH_HTTP && (!h->path || h->path[0] != '/'))
		return json_error(ctx, "a probe by http needs a path that begins with \"/\"");
	/* Both go into a request's text. */
	for (const char *p = h->kind == HEALTH_HTTP ? h->path : ""; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return json_error(ctx, "blanks and control characters in the path");
	if (!h->interval_ms || !h->timeout_ms || !h->retries)
		return json_error(ctx, "intervalMs, timeoutMs and retries must not be 0");
	return 0;
}

static const struct json_field health_fields[] = {
	{ "kind", json_enum, offsetof(struct desired_health, kind), JSON_REQUIRED, health_names },
	{ "command", json_strv, offsetof(struct desired_health, command) },
	{ "host", json_string, offsetof(struct desired_health, host) },
	{ "port", json_u16, offsetof(struct desired_health, port) },
	{ "path", json_string, offsetof(struct desired_health, path) },
	{ "intervalMs", json_u32, offsetof(struct desired_health, interval_ms) },
	{ "timeoutMs", json_u32, offsetof(struct desired_health, timeout_ms) },
	{ "startPeriodMs", json_u32, offsetof(struct desired_health, start_period_ms) },
	{ "startIntervalMs", json_u32, offsetof(struct desired_health, start_interval_ms) },
	{ "retries", json_u32, offsetof(struct desired_health, retries) },
	{ "restart", json_bool, offsetof(struct desired_health, restart) },
};
static const struct json_table health_table = { health_fields, ARRAY_SIZE(health_fields),
						sizeof(struct desired_health), check_health };

static const struct json_field log_fields[] = {
	{ "driver", json_enum, offsetof(struct desired_log, driver), 0, log_names },
	{ "maxSize", json_u64, offsetof(struct desired_log, max_size) },
	{ "maxFiles", json_u32, offsetof(struct desired_log, max_files) },
};
static const struct json_table log_table = { log_fields, ARRAY_SIZE(log_fields),
					     sizeof(struct desired_log) };

static int check_file(struct json_ctx *ctx, void *out)
{
	const struct desired_file *f = out;

	if (strlen(f->content) != 64 || strspn(f->content, "0123456789abcdef") != 64)
		return json_error(ctx, "content is no SHA-256");
	if (f->target[0] != '/')
		return json_error(ctx, "\"%s\" is no absolute path", f->target);
	return f->mode > 07777 ? json_error(ctx, "mode %o", f->mode) : 0;
}

static const struct json_field file_fields[] = {
	{ "content", json_string, offsetof(struct desired_file, content), JSON_REQUIRED },
	{ "target", json_string, offsetof(struct desired_file, target), JSON_REQUIRED },
	{ "uid", json_u32, offsetof(struct desired_file, uid) },
	{ "gid", json_u32, offsetof(struct desired_file, gid) },
	{ "mode", json_u32, offsetof(struct desired_file, mode) },
};
static const struct json_table file_table = { file_fields, ARRAY_SIZE(file_fields),
					      sizeof(struct desired_file), check_file };
static const struct json_list_of mounted_list = { json_object, sizeof(struct desired_file),
						  &file_table };

static int check_activate(struct json_ctx *ctx, void *out)
{
	const struct desired_activate *activate = out;

	return activate->listen.count ? 0 : json_error(ctx, "nothing to listen on");
}

static const struct json_field activate_fields[] = {
	{ "listen", json_strv, offsetof(struct desired_activate, listen), JSON_REQUIRED },
	{ "port", json_u16, offsetof(struct desired_activate, port) },
	{ "idleMs", json_u32, offsetof(struct desired_activate, idle_ms) },
	{ "mode", json_enum, offsetof(struct desired_activate, mode), 0, activate_names },
};
static const struct json_table activate_table = { activate_fields, ARRAY_SIZE(activate_fields),
						  sizeof(struct desired_activate), check_activate };

static bool is_signal_name(const char *s)
{
	return strncmp(s, "SIG", 3) == 0 && signal_parse(s) > 0;
}

static int check_service(struct json_ctx *ctx, void *out)
{
	struct desired_service *s = out;

	if (!desired_is_service_name(s->name))
		return json_error(ctx, "\"%s\" is no service's name", s->name);
	if (!digest_valid(s->digest))
		return json_error(ctx, "\"%s\" is no digest", s->digest);
	if (s->replicas > REPLICAS_MAX)
		return json_error(ctx, "more than %d replicas", REPLICAS_MAX);
	if (!is_signal_name(s->stop_signal))
		return json_error(ctx, "\"%s\" is no signal", s->stop_signal);
	if (s->previous && s->previous->previous)
		return json_error(ctx, "previous.previous");
	if (!s->hash)
		s->hash = desired_hash(s, json_arena(ctx));
	return 0;
}

static int read_service(struct json_ctx *ctx, const struct json_value *v, void *out,
			const void *arg)
{
	struct desired_service *s = out;

	s->replicas = 1;
	s->stop_signal = (char *)"SIGTERM";
	s->stop_grace_ms = DESIRED_STOP_GRACE_MS;
	s->update_ms = DESIRED_UPDATE_MS;
	s->log.max_size = DESIRED_LOG_SIZE;
	s->log.max_files = DESIRED_LOG_FILES;
	return json_object(ctx, v, out, arg);
}

static int read_previous(struct json_ctx *ctx, const struct json_value *v, void *out,
			 const void *arg)
{
	struct desired_service *s = arena_alloc(json_arena(ctx), sizeof(*s));
	int r = read_service(ctx, v, s, arg);

	*(struct desired_service **)out = s;
	return r;
}

#define SERVICE(key, read, member, ...)                                                            \
	{                                                                                          \
		key, read, offsetof(struct desired_service, member), __VA_ARGS__                   \
	}

static const struct json_field service_fields[] = {
	SERVICE("name", json_string, name, JSON_REQUIRED),
	SERVICE("replicas", json_u32, replicas, 0),
	SERVICE("global", json_bool, global, 0),
	SERVICE("address", json_string, address, 0),
	SERVICE("image", json_string, image, JSON_REQUIRED),
	SERVICE("digest", json_string, digest, JSON_REQUIRED),
	SERVICE("options", json_strv, options, 0),
	SERVICE("args", json_strv, args, 0),
	SERVICE("tty", json_bool, tty, 0),
	SERVICE("stdinOpen", json_bool, stdin_open, 0),
	SERVICE("stopSignal", json_string, stop_signal, 0),
	SERVICE("stopGraceMs", json_u32, stop_grace_ms, 0),
	SERVICE("restart", json_enum, restart, 0, restart_names),
	SERVICE("restartMax", json_u32, restart_max, 0),
	SERVICE("depends", json_list, depends, 0, &depend_list),
	SERVICE("health", json_object, health, 0, &health_table),
	SERVICE("log", json_object, log, 0, &log_table),
	SERVICE("files", json_list, files, 0, &mounted_list),
	SERVICE("activate", json_object_ptr, activate, 0, &activate_table),
	SERVICE("startFirst", json_bool, start_first, 0),
	SERVICE("updateMs", json_u32, update_ms, 0),
	SERVICE("hash", json_string, hash, 0),
	SERVICE("stopped", json_bool, stopped, 0),
	SERVICE("previous", read_previous, previous, 0, &desired_service_table),
};
const struct json_table desired_service_table = { service_fields, ARRAY_SIZE(service_fields),
						  sizeof(struct desired_service), check_service };
static const struct json_list_of service_list = { read_service, sizeof(struct desired_service),
						  &desired_service_table };

static int check_project(struct json_ctx *ctx, void *out)
{
	const struct desired_project *p = out;

	if (!desired_is_project_name(p->name))
		return json_error(ctx, "\"%s\" is no project's name", p->name);
	if (p->services.count > SERVICES_MAX)
		return json_error(ctx, "more than %d services", SERVICES_MAX);
	for_each (s, &p->services)
		if (desired_find(p, s->name) != s)
			return json_error(ctx, "service \"%s\" appears twice", s->name);
	return 0;
}

static const struct json_field project_fields[] = {
	{ "name", json_string, offsetof(struct desired_project, name), JSON_REQUIRED },
	{ "source", json_string, offsetof(struct desired_project, source) },
	{ "services", json_list, offsetof(struct desired_project, services), 0, &service_list },
};
const struct json_table desired_project_table = { project_fields, ARRAY_SIZE(project_fields),
						  sizeof(struct desired_project), check_project };

struct desired_service *desired_find(const struct desired_project *p, const char *service)
{
	for_each (s, &p->services)
		if (strcmp(s->name, service) == 0)
			return s;
	return NULL;
}

int desired_parse(const char *text, size_t len, struct arena *a, struct desired_project *ret,
		  struct err *err)
{
	struct desired_project p = { 0 };
	int r = json_decode_text(text, len, &desired_project_table, a, &p, err);

	if (r == 0)
		r = desired_sort(&p, a, err);
	if (r == 0)
		*ret = p;
	return r;
}

int desired_load(int state_fd, const char *project, struct arena *a, struct desired_project *ret,
		 struct err *err)
{
	char *name = arena_printf(a, "%s.json", project), *text;
	size_t len;
	int r;

	if (!desired_is_project_name(project))
		return err_set(err, EINVAL, "\"%s\" is no project's name", project);
	r = file_read(state_fd, name, JSON_MAX_SIZE, a, &text, &len, err);
	if (r == 0) {
		r = desired_parse(text, len, a, ret, err);
		if (r < 0)
			err_prefix(err, "%s", name);
	}
	if (r == 0 && strcmp(ret->name, project) != 0)
		r = err_set(err, EINVAL, "%s: it is of the project \"%s\"", name, ret->name);
	return r;
}

int desired_save(int state_fd, const struct desired_project *p, struct err *err)
{
	autobuf text = BUF_INIT;
	char name[PROJECT_NAME_MAX + sizeof(".json")];
	struct json_writer w;

	json_writer_init(&w, &text, false);
	desired_write(p, &w);
	json_writer_done(&w);
	buf_adds(&text, "\n");
	snprintf(name, sizeof(name), "%s.json", p->name);
	return file_replace_durable(state_fd, name, text.data, text.len, 0600, err);
}
