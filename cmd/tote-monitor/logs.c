/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/logs.h"

#include "cmd/tote-monitor/logs_private.h"
#include "lib/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SIZE ((uint64_t)16 << 20)
#define DEFAULT_FILES 2

static const char *const names[] = { [LOG_LOCAL] = "local",
				     [LOG_JSON_FILE] = "json-file",
				     [LOG_JOURNALD] = "journald",
				     [LOG_NONE] = "none" };

int logs_driver(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

static bool to_file(const struct logs *l)
{
	return l->driver == LOG_LOCAL || l->driver == LOG_JSON_FILE;
}

int logs_init(struct logs *l, struct err *err)
{
	l->fd = -1;
	if (!l->max_size)
		l->max_size = DEFAULT_SIZE;
	if (l->max_size < LOG_SIZE_MIN)
		l->max_size = LOG_SIZE_MIN;
	if (!l->max_files)
		l->max_files = DEFAULT_FILES;
	if (l->max_files > LOG_FILES_MAX)
		l->max_files = LOG_FILES_MAX;
	if (to_file(l) && (!l->file || l->file[0] != '/'))
		return err_set(err, EINVAL, "log driver %s: the file's absolute path is missing",
			       names[l->driver]);
	return 0;
}

size_t logs_notice(const struct logs *l, char text[LOG_NOTICE_SIZE])
{
	int n = snprintf(text, LOG_NOTICE_SIZE,
			 "tote: %" PRIu64 " bytes before this were not logged",
			 l->dropped - l->told);

	return n < 0 ? 0 : (size_t)n;
}

/* Returns how much was taken: a character that is there in part waits for its end. */
static size_t put(struct logs *l, const struct log_stream *s, const char *text, size_t len,
		  bool last)
{
	struct log_record rec = { l->time, text, len, s->err, last };

	if (l->driver == LOG_JSON_FILE && !last)
		rec.len = logs_whole_chars(text, len);
	if (!rec.len && !last)
		return 0;
	if (to_file(l))
		logs_put_file(l, &rec);
	else if (l->driver == LOG_JOURNALD)
		logs_put_journal(l, &rec);
	return rec.len;
}

static void begin(struct logs *l)
{
	time_now_text(true, l->time, sizeof(l->time));
	if (to_file(l) && l->fd < 0)
		logs_open_file(l);
}

char *logs_room(struct log_stream *s, size_t *ret_size)
{
	*ret_size = sizeof(s->data) - s->len;
	return s->data + s->len;
}

static void keep_from(struct log_stream *s, size_t at, size_t total)
{
	if (at && total > at)
		memmove(s->data, s->data + at, total - at);
	s->len = total - at;
}

void logs_add(struct logs *l, struct log_stream *s, size_t n)
{
	size_t total = s->len + n, at = 0, seen = s->len;
	const char *newline;

	begin(l);
	while ((newline = memchr(s->data + seen, '\n', total - seen))) {
		size_t end = (size_t)(newline - s->data);

		put(l, s, s->data + at, end - at, true);
		at = seen = end + 1;
	}
	/* Always room for the next read; only the part of a character may have to wait. */
	if (at == 0 && total == sizeof(s->data))
		at = put(l, s, s->data, total, false);
	keep_from(s, at, total);
}

void logs_rest(struct logs *l, struct log_stream *s, bool end)
{
	size_t taken;

	if (!s->len)
		return;
	begin(l);
	taken = put(l, s, s->data, s->len, false);
	if (end && taken < s->len) {
		struct log_record rec = { l->time, s->data + taken, s->len - taken, s->err, false };

		logs_put_file(l, &rec);
		taken = s->len;
	}
	keep_from(s, taken, s->len);
}

void logs_flush(struct logs *l)
{
	if (to_file(l))
		logs_flush_file(l);
}

void logs_reopen(struct logs *l)
{
	logs_flush(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void logs_close(struct logs *l)
{
	logs_reopen(l);
}
