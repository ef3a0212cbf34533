/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sha256.h"
#include "oci/supervise/desired.h"

#include <string.h>

static const char *const restart_words[] = { "no", "always", "unless-stopped", "on-failure" };
static const char *const condition_words[] = { "started", "healthy", "completed" };
static const char *const health_words[] = { "none", "exec", "tcp", "http" };
static const char *const log_words[] = { "local", "json-file", "journald", "none" };
static const char *const activate_words[] = { "start", "thaw" };

static void write_depends(const struct desired_service *s, struct json_writer *w)
{
	if (!s->depends.count)
		return;
	json_key(w, "depends");
	json_begin_array(w);
	for_each (d, &s->depends) {
		json_begin_object(w);
		json_pair_string(w, "service", d->service);
		json_pair_string(w, "condition", condition_words[d->condition]);
		if (d->optional)
			json_pair_bool(w, "optional", true);
		if (d->restart)
			json_pair_bool(w, "restart", true);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_health(const struct desired_health *h, struct json_writer *w)
{
	if (h->kind == HEALTH_NONE)
		return;
	json_key(w, "health");
	json_begin_object(w);
	json_pair_string(w, "kind", health_words[h->kind]);
	if (h->command.count)
		json_pair_strv(w, "command", &h->command);
	if (h->host)
		json_pair_string(w, "host", h->host);
	if (h->port)
		json_pair_u64(w, "port", h->port);
	if (h->path)
		json_pair_string(w, "path", h->path);
	json_pair_u64(w, "intervalMs", h->interval_ms);
	json_pair_u64(w, "timeoutMs", h->timeout_ms);
	json_pair_u64(w, "startPeriodMs", h->start_period_ms);
	json_pair_u64(w, "startIntervalMs", h->start_interval_ms);
	json_pair_u64(w, "retries", h->retries);
	json_pair_bool(w, "restart", h->restart);
	json_end_object(w);
}

static void write_log(const struct desired_log *l, struct json_writer *w)
{
	json_key(w, "log");
	json_begin_object(w);
	json_pair_string(w, "driver", log_words[l->driver]);
	json_pair_u64(w, "maxSize", l->max_size);
	json_pair_u64(w, "maxFiles", l->max_files);
	json_end_object(w);
}

static void write_files(const struct desired_service *s, struct json_writer *w)
{
	if (!s->files.count)
		return;
	json_key(w, "files");
	json_begin_array(w);
	for_each (f, &s->files) {
		json_begin_object(w);
		json_pair_string(w, "content", f->content);
		json_pair_string(w, "target", f->target);
		json_pair_u64(w, "uid", f->uid);
		json_pair_u64(w, "gid", f->gid);
		json_pair_u64(w, "mode", f->mode);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_activate(const struct desired_activate *activate, struct json_writer *w)
{
	if (!activate)
		return;
	json_key(w, "activate");
	json_begin_object(w);
	json_pair_strv(w, "listen", &activate->listen);
	json_pair_u64(w, "port", activate->port);
	json_pair_u64(w, "idleMs", activate->idle_ms);
	json_pair_string(w, "mode", activate_words[activate->mode]);
	json_end_object(w);
}

/* What the hash is of. */
static void write_made_of(const struct desired_service *s, struct json_writer *w)
{
	json_pair_string(w, "image", s->image);
	json_pair_string(w, "digest", s->digest);
	json_pair_strv(w, "options", &s->options);
	json_pair_strv(w, "args", &s->args);
	json_pair_bool(w, "tty", s->tty);
	json_pair_bool(w, "stdinOpen", s->stdin_open);
	json_pair_string(w, "stopSignal", s->stop_signal);
	json_pair_u64(w, "stopGraceMs", s->stop_grace_ms);
	json_pair_string(w, "restart", restart_words[s->restart]);
	json_pair_u64(w, "restartMax", s->restart_max);
	write_depends(s, w);
	write_health(&s->health, w);
	write_log(&s->log, w);
	write_files(s, w);
	write_activate(s->activate, w);
	json_pair_bool(w, "startFirst", s->start_first);
	json_pair_u64(w, "updateMs", s->update_ms);
}

void desired_write_service(const struct desired_service *s, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", s->name);
	json_pair_u64(w, "replicas", s->replicas);
	if (s->global)
		json_pair_bool(w, "global", true);
	if (s->address)
		json_pair_string(w, "address", s->address);
	write_made_of(s, w);
	if (s->hash)
		json_pair_string(w, "hash", s->hash);
	if (s->stopped)
		json_pair_bool(w, "stopped", true);
	if (s->previous) {
		json_key(w, "previous");
		desired_write_service(s->previous, w);
	}
	json_end_object(w);
}

void desired_write(const struct desired_project *p, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", p->name);
	if (p->source)
		json_pair_string(w, "source", p->source);
	json_key(w, "services");
	json_begin_array(w);
	for_each (s, &p->services)
		desired_write_service(s, w);
	json_end_array(w);
	json_end_object(w);
}

char *desired_hash(const struct desired_service *s, struct arena *a)
{
	char digits[SHA256_TEXT_SIZE];
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	write_made_of(s, &w);
	json_end_object(&w);
	json_writer_done(&w);
	sha256_text(text.data, text.len, digits);
	return arena_strdup(a, digits);
}
