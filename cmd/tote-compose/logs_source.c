/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/logs_source.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)64 << 10)
#define MAX_FILES 1000

/* Of those that are still open: the number of another one may belong to a new file by now. */
static bool known(const struct logs_source *s, const struct stat *st)
{
	for_each (f, &s->files)
		if (f->fd >= 0 && f->ino == st->st_ino && f->dev == st->st_dev)
			return true;
	return false;
}

/* Behind those that there are. */
static int append(struct logs_source *s, int fd, const struct stat *st)
{
	void *items = reallocarray(s->files.items, s->files.count + 1, sizeof(*s->files.items));

	if (!items)
		return -ENOMEM;
	s->files.items = items;
	s->files.items[s->files.count++] =
		(struct logs_file){ .fd = fd, .dev = st->st_dev, .ino = st->st_ino };
	return 0;
}

/* 1: it was added, 0: it is there already, -ENOENT. */
static int open_one(struct logs_source *s, const char *name, struct err *err)
{
	/* Never blocks on a fifo. */
	autofd fd = fd_open(s->dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_errno(err, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "open %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s is no regular file", name);
	if (known(s, &st))
		return 0;
	r = append(s, fd, &st);
	if (r < 0)
		return err_code(err, r, "open %s", name);
	take_fd(&fd);
	return 1;
}

static void reverse(struct logs_file *first, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct logs_file f = first[i];

		first[i] = first[count - 1 - i];
		first[count - 1 - i] = f;
	}
}

/* Returns how many are left. */
static size_t forget_closed(struct logs_source *s)
{
	if (s->current) {
		s->files.count -= s->current;
		memmove(s->files.items, s->files.items + s->current,
			s->files.count * sizeof(*s->files.items));
		s->current = 0;
	}
	return s->files.count;
}

/*
 * The newest first: a file that is renamed meanwhile is met again, and known then. Going the other
 * way it would be missed. Stops at one that was known before.
 */
int logs_source_refresh(struct logs_source *s, struct err *err)
{
	size_t before = forget_closed(s);
	char name[NAME_MAX + 1];
	int r = open_one(s, s->name, err);

	for (int i = 1; i < MAX_FILES && (r > 0 || (r == 0 && !before) || r == -ENOENT); i++) {
		snprintf(name, sizeof(name), "%s.%d", s->name, i);
		/* While it is being rotated the newest one may be missing, another one never. */
		if (r == -ENOENT && i > 1)
			break;
		r = open_one(s, name, err);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	reverse(s->files.items + before, s->files.count - before);
	return 0;
}

int logs_source_open(struct logs_source *s, struct err *err)
{
	return logs_source_refresh(s, err);
}

void logs_source_close(struct logs_source *s)
{
	for_each (f, &s->files)
		cleanup_fd(&f->fd);
	free(s->files.items);
	s->files.items = NULL;
	s->files.count = 0;
	buf_done(&s->in);
	buf_done(&s->text);
	buf_done(&s->scratch);
	buf_done(&s->parts[0].text);
	buf_done(&s->parts[1].text);
}

/* Somebody emptied it: then it begins anew. */
static bool was_cut(struct logs_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0 || (uint64_t)st.st_size >= f->at)
		return false;
	f->at = 0;
	return st.st_size > 0;
}

/* What was used makes room for the next block: 1, or 0 at the end of the newest file. */
static int fill(struct logs_source *s, struct err *err)
{
	if (s->in_at && s->in.data)
		memmove(s->in.data, s->in.data + s->in_at, s->in.len - s->in_at);
	s->in.len -= s->in_at;
	s->in_at = 0;
	while (s->current < s->files.count) {
		struct logs_file *f = &s->files.items[s->current];
		ssize_t n = fd_pread_full(f->fd, buf_reserve(&s->in, BLOCK), BLOCK, f->at);

		if (n < 0)
			return err_code(err, (int)n, "read %s", s->name);
		s->in.len += (size_t)n;
		f->at += (uint64_t)n;
		if (n)
			return 1;
		if (s->current + 1 == s->files.count)
			return was_cut(f) ? 1 : 0;
		/* It was renamed and is not written any more; a line that was cut ends here. */
		s->current++;
		cleanup_fd(&f->fd);
		f->fd = -1;
		if (s->in.len) {
			buf_add(&s->in, "\n", 1);
			return 1;
		}
	}
	return 0;
}

/* The next bytes up to a newline, which is not among them. */
static int next_bytes(struct logs_source *s, bool last, const char **ret, size_t *ret_len,
		      struct err *err)
{
	size_t looked = 0;

	for (;;) {
		size_t len = s->in.len - s->in_at;
		const char *start = s->in.data ? s->in.data + s->in_at : NULL;
		const char *end =
			start && len > looked ? memchr(start + looked, '\n', len - looked) : NULL;
		int r = end || len >= LOGS_LINE_MAX ? 1 : fill(s, err);

		if (r < 0)
			return r;
		if (end || len >= LOGS_LINE_MAX || (r == 0 && last && len)) {
			/* fill() may have moved it. */
			*ret = s->in.data + s->in_at;
			*ret_len = end ? (size_t)(end - start) : len;
			s->in_at += *ret_len + (end != NULL);
			return 1;
		}
		if (r == 0)
			return 0;
		looked = len;
	}
}

static void finish(struct logs_source *s, int stream)
{
	struct buf text = s->text;

	s->text = s->parts[stream].text;
	s->parts[stream].text = text;
	buf_reset(&s->parts[stream].text);
	s->parts[stream].open = false;
	s->time = s->last_time;
	s->have = true;
}

/* True when it ends a line. */
static bool add_part(struct logs_source *s, const struct logs_line *line)
{
	int i = line->stream;

	if (line->timed)
		s->last_time = line->time;
	s->parts[i].open = true;
	buf_add(&s->parts[i].text, line->text, line->len);
	return !line->partial || s->parts[i].text.len >= LOGS_LINE_MAX;
}

int logs_source_next(struct logs_source *s, bool last, struct err *err)
{
	while (!s->have) {
		struct logs_line line;
		const char *bytes;
		size_t len;
		int r = next_bytes(s, last, &bytes, &len, err);

		if (r < 0)
			return r;
		if (r > 0) {
			logs_line_read(bytes, len, &s->scratch, &line);
			if (!add_part(s, &line))
				continue;
			finish(s, line.stream);
			if (s->skip) {
				s->skip--;
				s->have = false;
			}
			continue;
		}
		if (!last || (!s->parts[0].open && !s->parts[1].open))
			return 0;
		finish(s, s->parts[0].open ? 0 : 1);
	}
	return 1;
}

void logs_source_drop(struct logs_source *s)
{
	s->have = false;
}
