/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of files: FILE is the newest, FILE.1 the one before, never more than max_files of
 * max_size. */
#include "cmd/tote-monitor/logs_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void name_of(const struct logs *l, uint32_t number, char path[PATH_MAX])
{
	if (number)
		snprintf(path, PATH_MAX, "%s.%u", l->file, number);
	else
		snprintf(path, PATH_MAX, "%s", l->file);
}

/* What is more than there may be now, as there might have been more of them before. */
static void remove_more(const struct logs *l)
{
	char path[PATH_MAX];

	for (uint32_t i = l->max_files; i < LOG_FILES_MAX; i++) {
		name_of(l, i, path);
		if (unlink(path) < 0)
			return;
	}
}

/* A line that a power cut or a killed monitor left without its end must not run into ours. */
static void end_line(struct logs *l)
{
	char last = '\n';

	if (l->size && pread(l->fd, &last, 1, (off_t)l->size - 1) == 1 && last != '\n' &&
	    write(l->fd, "\n", 1) == 1)
		l->size++;
}

void logs_open_file(struct logs *l)
{
	int fd = fd_create(AT_FDCWD, l->file,
			   O_RDWR | O_CREAT | O_APPEND | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640);
	struct stat st;

	l->size = 0;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	l->fd = fd;
	if (fd < 0)
		return;
	l->size = (uint64_t)st.st_size;
	end_line(l);
	remove_more(l);
}

static void rotate(struct logs *l)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	for (uint32_t i = l->max_files - 1; i > 0; i--) {
		name_of(l, i - 1, from);
		name_of(l, i, to);
		rename(from, to);
	}
	/* With one file, and where renaming is refused, what is there goes: the cap is kept. */
	unlink(l->file);
	logs_open_file(l);
}

/* All or nothing: a record that is there in part would spoil the next one. */
static bool write_whole(struct logs *l, const char *data, size_t len)
{
	int r = l->fd < 0 ? -EBADF : fd_write_full(l->fd, data, len);
	struct stat st;

	if (r == 0) {
		l->size += len;
		return true;
	}
	if (l->fd >= 0 && ftruncate(l->fd, (off_t)l->size) < 0 && fstat(l->fd, &st) == 0)
		l->size = (uint64_t)st.st_size;
	return false;
}

static bool write_notice(struct logs *l)
{
	char text[LOG_NOTICE_SIZE], line[2 * LOG_NOTICE_SIZE + TIME_TEXT_SIZE];
	struct log_record rec = { l->time, text, logs_notice(l, text), true, true };
	size_t taken, n = logs_encode(l->driver, &rec, line, sizeof(line), false, &taken);

	if (l->size && l->size + n + l->len > l->max_size)
		rotate(l);
	if (!write_whole(l, line, n))
		return false;
	l->told = l->dropped;
	return true;
}

void logs_flush_file(struct logs *l)
{
	bool good;

	if (!l->len)
		return;
	good = l->dropped == l->told || write_notice(l);
	/* The notice may have taken what room was left. */
	if (good && l->size && l->size + l->len > l->max_size)
		rotate(l);
	good = good && write_whole(l, l->out, l->len);
	if (!good)
		l->dropped += l->text_len;
	if (!good && l->fd < 0)
		logs_open_file(l);
	l->stuck = !good;
	l->len = l->text_len = 0;
}

static size_t room(const struct logs *l)
{
	uint64_t used = l->size + l->len, in_file = used < l->max_size ? l->max_size - used : 0;
	size_t in_out = sizeof(l->out) - l->len;

	return in_file < in_out ? (size_t)in_file : in_out;
}

static size_t try_put(struct logs *l, const struct log_record *rec, bool split)
{
	size_t taken, n = logs_encode(l->driver, rec, l->out + l->len, room(l), split, &taken);

	if (!n)
		return 0;
	l->len += n;
	l->text_len += taken + (rec->last && taken == rec->len);
	return taken + 1; /* an empty line is something as well */
}

/* Only a file with less room than our buffer is full: a line may be longer than both. */
static bool full(const struct logs *l)
{
	return l->size && l->size + sizeof(l->out) > l->max_size;
}

static size_t put_one(struct logs *l, const struct log_record *rec)
{
	size_t taken = try_put(l, rec, false);

	if (!taken) {
		logs_flush_file(l);
		taken = try_put(l, rec, false);
	}
	if (!taken && full(l)) {
		rotate(l);
		taken = try_put(l, rec, false);
	}
	return taken ? taken : try_put(l, rec, true);
}

void logs_put_file(struct logs *l, const struct log_record *rec)
{
	struct log_record left = *rec;

	do {
		size_t taken = put_one(l, &left);

		/* Neither can the old file be removed nor a new one be made. */
		if (!taken) {
			l->dropped += left.len + left.last;
			return;
		}
		left.text += taken - 1;
		left.len -= taken - 1;
	} while (left.len);
}
